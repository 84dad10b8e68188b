"""Copies of what leasing said: contacts, properties and leases. A copy only ever gives way to a newer one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.contacts import Contact
from services.notifications.schema import contacts, group_members, leases, properties, subscriptions
from services.notifications.store.contact_rows import contact_columns, contact_of
from shared.db import columnar, insert_rows

_AWAITED: Final = insert_rows(contacts, ("tenant_id", "version", "updated_at")).on_conflict_do_nothing()
_PERSON: Final = sa.select(*contact_columns()).where(contacts.c.version > 0)
_CONTACTS: Final = _PERSON.where(
    contacts.c.tenant_id == sa.func.any(sa.bindparam("tenant_ids", type_=ARRAY(sa.Uuid)))
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody of a group that asked to hear of an event."""

    event: str
    channels: tuple[str, ...]
    """Empty: by that person's own."""
    contact: Contact


@dataclass(slots=True)
class Audience:
    """Whom a set of notices concerns, and where."""

    contacts: dict[UUID, Contact] = field(default_factory=dict)
    zones: dict[UUID, str] = field(default_factory=dict)
    """Of the properties they are about."""
    subscribers: list[Subscriber] = field(default_factory=list)


async def keep(
    connection: AsyncConnection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    *,
    lacking: sa.ColumnElement[Any] | None = None,
) -> set[UUID]:
    """Write copies, each unless what we have is as new; the ids of those that were written.

    A copy in which the column `lacking` is null also gives way to the same version, said once more.

    One statement, in the order of the ids: two replicas that wait for each other in opposite orders
    would deadlock.
    """
    [key] = table.primary_key.columns
    newest: dict[UUID, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row[key.name], row["version"])):
        newest[row[key.name]] = row
    columns = list(rows[0])
    statement = insert_rows(table, columns)
    newer = {name: statement.excluded[name] for name in columns if name != key.name}
    kept = await connection.scalars(
        statement.on_conflict_do_update(
            index_elements=[key], set_=newer, where=_gives_way(table, statement.excluded.version, lacking)
        ).returning(key),
        columnar(newest.values(), columns),
    )
    return set(kept)


def _gives_way(
    table: sa.Table, version: sa.ColumnElement[int], lacking: sa.ColumnElement[Any] | None
) -> sa.ColumnElement[bool]:
    older = table.c.version < version
    if lacking is None:
        return older
    return sa.or_(older, sa.and_(table.c.version == version, lacking.is_(None)))


def _audience_statement() -> sa.Select[Any]:
    """The wanted people, and whoever subscribed to what there is to tell, as one set of rows."""
    tenant_ids = sa.bindparam("tenant_ids", type_=ARRAY(sa.Uuid))
    events = sa.bindparam("events", type_=ARRAY(sa.Text))
    place = sa.bindparam("property_ids", type_=ARRAY(sa.Uuid))
    asked = sa.select(
        sa.func.unnest(tenant_ids).label("person_id"),
        sa.null().cast(sa.Text).label("event"),
        sa.null().cast(ARRAY(sa.Text)).label("channels"),
    )
    subscribed = (
        sa.select(group_members.c.tenant_id, subscriptions.c.event, subscriptions.c.channels)
        .join(subscriptions, subscriptions.c.group_id == group_members.c.group_id)
        .where(subscriptions.c.event == sa.func.any(events))
    )
    wanted = sa.union_all(asked, subscribed).cte("wanted")
    zones = (
        sa.select(sa.func.jsonb_object_agg(properties.c.property_id, properties.c.time_zone))
        .where(properties.c.property_id == sa.func.any(place))
        .scalar_subquery()
    )
    return (
        sa.select(wanted.c.event, wanted.c.channels, zones.label("zones"), *contact_columns())
        .select_from(wanted)
        .join(contacts, contacts.c.tenant_id == wanted.c.person_id)
        .where(contacts.c.version > 0)
    )


_AUDIENCE: Final = _audience_statement()


async def audience(
    connection: AsyncConnection,
    tenant_ids: Collection[UUID],
    property_ids: Collection[UUID],
    events: Collection[str],
    at: datetime,
) -> Audience:
    """Everybody a set of notices concerns; an empty place is kept for each tenant that is not known yet.

    The empty place (version 0) is what makes the order of messages indifferent: a contact that is being
    written at the same moment waits for it, or is waited for, and then finds the deliveries that wait.
    Whoever is second sees what the first one wrote.
    """
    wanted = {"property_ids": list(property_ids), "events": list(events)}
    found = Audience()
    await _add_people(connection, found, wanted | {"tenant_ids": list(tenant_ids)})
    missing = sorted(set(tenant_ids) - found.contacts.keys())
    if missing:
        places = {"tenant_id": missing, "version": [0] * len(missing), "updated_at": [at] * len(missing)}
        await connection.execute(_AWAITED, places)
        await _add_people(connection, found, wanted | {"tenant_ids": missing, "events": []})
    return found


async def _add_people(connection: AsyncConnection, found: Audience, wanted: Mapping[str, Any]) -> None:
    for row in (await connection.execute(_AUDIENCE, wanted)).mappings():
        contact = contact_of(row)
        if contact is None:
            continue
        if row["event"] is None:
            found.contacts[contact.tenant_id] = contact
        else:
            found.subscribers.append(Subscriber(row["event"], tuple(row["channels"] or ()), contact))
        for place, zone in (row["zones"] or {}).items():
            found.zones[UUID(place)] = zone


async def known_contacts(connection: AsyncConnection, tenant_ids: Collection[UUID]) -> dict[UUID, Contact]:
    """The contacts that are known; reads only."""
    people = await contacts_in(connection, _CONTACTS, {"tenant_ids": list(tenant_ids)})
    return {contact.tenant_id: contact for contact in people}


async def every_contact(connection: AsyncConnection) -> list[Contact]:
    """All tenants, by their names."""
    return await contacts_in(connection, _tenants_by_name())


async def zones_of(connection: AsyncConnection, property_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The time zone each of these properties is in."""
    query = sa.select(properties.c.property_id, properties.c.time_zone)
    rows = await connection.execute(query.where(properties.c.property_id.in_(property_ids)))
    return {row.property_id: row.time_zone for row in rows}


async def contacts_at(connection: AsyncConnection, today: Mapping[UUID, date]) -> list[Contact]:
    """The tenants of the leases that run at these properties on the day it is at each."""
    running = [
        sa.and_(
            leases.c.property_id == place,
            leases.c.starts_on <= day,
            sa.or_(leases.c.ends_on.is_(None), leases.c.ends_on >= day),
        )
        for place, day in today.items()
    ]
    tenants = sa.select(sa.func.unnest(leases.c.tenant_ids)).where(sa.or_(sa.false(), *running))
    return await contacts_in(connection, _tenants_by_name().where(contacts.c.tenant_id.in_(tenants)))


async def homes(
    connection: AsyncConnection, tenant_ids: Collection[UUID], day: date
) -> dict[UUID, tuple[UUID, str]]:
    """Where each of these lives, and its time zone: by the lease that runs, else the newest there was."""
    tenant = sa.func.unnest(leases.c.tenant_ids).label("tenant_id")
    runs = sa.and_(leases.c.starts_on <= day, sa.or_(leases.c.ends_on.is_(None), leases.c.ends_on >= day))
    each = (
        sa.select(tenant, leases.c.property_id, runs.label("runs"), leases.c.starts_on)
        .where(leases.c.tenant_ids.overlap(sa.bindparam("tenant_ids", type_=ARRAY(sa.Uuid))))
        .subquery()
    )
    query = (
        sa.select(each.c.tenant_id, each.c.property_id, properties.c.time_zone)
        .ext(distinct_on(each.c.tenant_id))
        .join(properties, properties.c.property_id == each.c.property_id)
        .order_by(each.c.tenant_id, each.c.runs.desc(), each.c.starts_on.desc())
    )
    rows = await connection.execute(query, {"tenant_ids": list(tenant_ids)})
    return {row.tenant_id: (row.property_id, row.time_zone) for row in rows}


async def contacts_by_email(connection: AsyncConnection, email: str) -> list[Contact]:
    """Whoever uses an address, whatever its case."""
    return await contacts_in(connection, _PERSON.where(sa.func.lower(contacts.c.email) == email.lower()))


async def contacts_by_phone(connection: AsyncConnection, phone: str) -> list[Contact]:
    """Whoever uses a number, in E.164."""
    return await contacts_in(connection, _PERSON.where(contacts.c.phone_e164 == phone))


async def every_property(connection: AsyncConnection) -> list[tuple[UUID, str]]:
    """All properties, by their names."""
    rows = await connection.execute(
        sa.select(properties.c.property_id, properties.c.name).order_by(properties.c.name)
    )
    return [(row.property_id, row.name) for row in rows]


def _tenants_by_name() -> sa.Select[Any]:
    return _PERSON.where(contacts.c.kind == "tenant").order_by(contacts.c.name, contacts.c.tenant_id)


async def contacts_in(
    connection: AsyncConnection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[Contact]:
    """The people that a query with `contact_columns` finds, in its order."""
    rows = (await connection.execute(query, values)).mappings()
    return [contact for row in rows if (contact := contact_of(row)) is not None]
