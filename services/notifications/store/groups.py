"""Groups that somebody put together, what they subscribed to, and people the office added itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.contacts import Contact
from services.notifications.schema import (
    contacts,
    group_members,
    groups,
    notifications,
    premises,
    subscriptions,
)
from services.notifications.store.contact_rows import contact_columns
from services.notifications.store.people import contacts_in
from shared.identity import new_id

Row = dict[str, Any]


async def add_group(connection: AsyncConnection, name: str, at: datetime) -> UUID | None:
    """A new, empty group; None where one goes by this name already, in whatever case."""
    row = insert(groups).values(group_id=new_id(), name=name, created_at=at)
    statement = row.on_conflict_do_nothing().returning(groups.c.group_id)
    made: UUID | None = await connection.scalar(statement)
    return made


async def find_group(connection: AsyncConnection, name: str) -> UUID | None:
    """A group by its name."""
    wanted = sa.select(groups.c.group_id).where(sa.func.lower(groups.c.name) == name.strip().lower())
    return await connection.scalar(wanted)


async def remove_group(connection: AsyncConnection, group_id: UUID) -> None:
    """Forget a group, with its members' membership and its subscriptions."""
    await connection.execute(sa.delete(groups).where(groups.c.group_id == group_id))


async def list_groups(connection: AsyncConnection) -> list[Row]:
    """Every group with its size and what it hears of."""
    size = sa.select(sa.func.count()).where(group_members.c.group_id == groups.c.group_id).scalar_subquery()
    heard = (
        sa.select(sa.func.array_agg(aggregate_order_by(subscriptions.c.event, subscriptions.c.event)))
        .where(subscriptions.c.group_id == groups.c.group_id)
        .scalar_subquery()
    )
    query = sa.select(groups.c.group_id, groups.c.name, size.label("members"), heard.label("events"))
    return [row._asdict() for row in await connection.execute(query.order_by(groups.c.name))]


async def members(connection: AsyncConnection, group_id: UUID) -> list[Contact]:
    """Who belongs to a group."""
    query = (
        sa.select(*contact_columns())
        .join(group_members, group_members.c.tenant_id == contacts.c.tenant_id)
        .where(group_members.c.group_id == group_id)
        .order_by(contacts.c.name, contacts.c.tenant_id)
    )
    return await contacts_in(connection, query)


async def add_member(connection: AsyncConnection, group_id: UUID, person: UUID) -> bool:
    """Put somebody into a group; False where they were in it."""
    row = insert(group_members).values(group_id=group_id, tenant_id=person)
    return bool((await connection.execute(row.on_conflict_do_nothing())).rowcount)


async def remove_member(connection: AsyncConnection, group_id: UUID, person: UUID) -> bool:
    """Take somebody out of a group; False where they were not in it."""
    gone = sa.delete(group_members).where(
        group_members.c.group_id == group_id, group_members.c.tenant_id == person
    )
    return bool((await connection.execute(gone)).rowcount)


async def subscribe(connection: AsyncConnection, group_id: UUID, event: str, channels: Sequence[str]) -> None:
    """Let a group hear of an event from now on, by these channels."""
    row = insert(subscriptions).values(group_id=group_id, event=event, channels=list(channels))
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[subscriptions.c.group_id, subscriptions.c.event],
            set_={"channels": row.excluded.channels},
        )
    )


async def end_subscription(connection: AsyncConnection, group_id: UUID, event: str) -> bool:
    """Let a group hear of an event no more; False where it did not."""
    gone = sa.delete(subscriptions).where(
        subscriptions.c.group_id == group_id, subscriptions.c.event == event
    )
    return bool((await connection.execute(gone)).rowcount)


async def tenants_overdue(connection: AsyncConnection) -> list[Contact]:
    """The tenants who were told of an overdue invoice that was neither paid nor voided since."""
    invoice = sa.cast(notifications.c.context["invoice_id"].astext, sa.Uuid)
    over = sa.exists(
        sa.select(1).where(premises.c.subject_id == invoice, premises.c.state.in_(["paid", "voided"]))
    )
    # Without an invoice it was cleaned up, which happens to no invoice that is still owed.
    owing = sa.select(notifications.c.tenant_id).where(
        notifications.c.template == "overdue", invoice.is_not(None), ~over
    )
    query = (
        sa.select(*contact_columns())
        .where(contacts.c.version > 0, contacts.c.tenant_id.in_(owing))
        .order_by(contacts.c.name, contacts.c.tenant_id)
    )
    return await contacts_in(connection, query)


async def add_contact(connection: AsyncConnection, at: datetime, **fields: Any) -> UUID:
    """Somebody who is no tenant, or a system that takes webhooks."""
    identity = new_id()
    await connection.execute(
        sa.insert(contacts).values(tenant_id=identity, version=1, kind="external", updated_at=at, **fields)
    )
    return identity


async def remove_contact(connection: AsyncConnection, person: UUID) -> bool:
    """Forget somebody the office added; False where there is none. Tenants are leasing's to forget."""
    gone = sa.delete(contacts).where(contacts.c.tenant_id == person, contacts.c.kind == "external")
    return bool((await connection.execute(gone)).rowcount)


async def external_contacts(connection: AsyncConnection) -> list[Row]:
    """Everybody the office added."""
    query = sa.select(
        contacts.c.tenant_id.label("id"),
        contacts.c.name,
        contacts.c.email,
        contacts.c.phone_e164.label("phone"),
        contacts.c.webhook_url,
        contacts.c.locale,
    ).where(contacts.c.kind == "external")
    return [row._asdict() for row in await connection.execute(query.order_by(contacts.c.name))]
