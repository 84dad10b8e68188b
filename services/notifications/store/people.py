"""Copies of what leasing said: contacts, properties and leases. A copy only ever gives way to a newer one."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.contacts import Contact
from services.notifications.schema import contacts, leases, properties
from shared.db import columnar, insert_rows

_AWAITED: Final = insert_rows(contacts, ("tenant_id", "version", "updated_at")).on_conflict_do_nothing()
_CONTACTS: Final = sa.select(contacts.c.tenant_id, contacts.c.name, contacts.c.email).where(
    contacts.c.tenant_id == sa.func.any(sa.bindparam("tenant_ids", type_=ARRAY(sa.Uuid))),
    contacts.c.version > 0,
)


async def keep(connection: AsyncConnection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Write copies, each unless what we have is as new; the ids of those that were written.

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
            index_elements=[key], set_=newer, where=table.c.version < statement.excluded.version
        ).returning(key),
        columnar(newest.values(), columns),
    )
    return set(kept)


async def contacts_of(
    connection: AsyncConnection, tenant_ids: Collection[UUID], at: datetime
) -> dict[UUID, Contact]:
    """The contacts that are known; an empty place is kept for each that is not.

    The empty place (version 0) is what makes the order of messages indifferent: a contact that is being
    written at this moment, in a transaction we cannot see, waits for us at the key, or we wait for it.
    Whoever is second sees what the first one wrote.
    """
    found = await known_contacts(connection, tenant_ids)
    missing = sorted(set(tenant_ids) - found.keys())
    if missing:
        places = {"tenant_id": missing, "version": [0] * len(missing), "updated_at": [at] * len(missing)}
        await connection.execute(_AWAITED, places)
        found |= await known_contacts(connection, missing)
    return found


async def known_contacts(connection: AsyncConnection, tenant_ids: Collection[UUID]) -> dict[UUID, Contact]:
    """The contacts that are known; reads only."""
    rows = await connection.execute(_CONTACTS, {"tenant_ids": list(tenant_ids)})
    return {tenant_id: Contact(tenant_id, name, email) for tenant_id, name, email in rows}


async def every_contact(connection: AsyncConnection) -> list[Contact]:
    """All tenants, by their names."""
    query = sa.select(contacts.c.tenant_id, contacts.c.name, contacts.c.email).where(contacts.c.version > 0)
    rows = await connection.execute(query.order_by(contacts.c.name, contacts.c.tenant_id))
    return [Contact(*row) for row in rows]


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
    query = sa.select(contacts.c.tenant_id, contacts.c.name, contacts.c.email).where(
        contacts.c.version > 0, contacts.c.tenant_id.in_(tenants)
    )
    rows = await connection.execute(query.order_by(contacts.c.name, contacts.c.tenant_id))
    return [Contact(*row) for row in rows]


async def contacts_by_email(connection: AsyncConnection, email: str) -> list[Contact]:
    """The tenants who use an address, whatever its case."""
    query = sa.select(contacts.c.tenant_id, contacts.c.name, contacts.c.email).where(
        sa.func.lower(contacts.c.email) == email.lower(), contacts.c.version > 0
    )
    return [Contact(*row) for row in await connection.execute(query)]


async def every_property(connection: AsyncConnection) -> list[tuple[UUID, str]]:
    """All properties, by their names."""
    rows = await connection.execute(
        sa.select(properties.c.property_id, properties.c.name).order_by(properties.c.name)
    )
    return [(row.property_id, row.name) for row in rows]
