"""What an operator asks for; nothing here writes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.schema import contacts, deliveries, delivery_history, notifications, properties
from services.notifications.store.about import AT_PROPERTY, what_it_is_about

Row = dict[str, Any]


async def list_deliveries(
    connection: AsyncConnection, *, tenant_id: UUID | None, states: Sequence[str], limit: int
) -> list[Row]:
    """The newest deliveries, without their addresses."""
    query = sa.select(
        deliveries.c.id,
        deliveries.c.notification_id,
        notifications.c.created_at,
        notifications.c.template,
        deliveries.c.tenant_id,
        deliveries.c.channel,
        deliveries.c.state,
        deliveries.c.reason,
        deliveries.c.attempt_count.label("attempts"),
    ).join(notifications, notifications.c.id == deliveries.c.notification_id)
    if tenant_id is not None:
        query = query.where(notifications.c.tenant_id == tenant_id)
    if states:
        query = query.where(deliveries.c.state.in_(states))
    query = query.order_by(notifications.c.id.desc(), deliveries.c.channel).limit(limit)
    return await _rows(connection, query)


async def find_notification(connection: AsyncConnection, identity: UUID) -> Row | None:
    """One notification, by its own id or by that of one of its deliveries."""
    named = sa.select(deliveries.c.notification_id).where(deliveries.c.id == identity)
    query = (
        sa.select(
            notifications,
            sa.func.coalesce(contacts.c.locale, "en").label("locale"),
            *what_it_is_about(),
        )
        .outerjoin(contacts, contacts.c.tenant_id == notifications.c.tenant_id)
        .outerjoin(properties, AT_PROPERTY)
        .where(sa.or_(notifications.c.id == identity, notifications.c.id.in_(named)))
    )
    found = await _rows(connection, query)
    return found[0] if found else None


async def deliveries_of(connection: AsyncConnection, notification_id: UUID) -> list[Row]:
    """A notification's deliveries."""
    query = sa.select(deliveries).where(deliveries.c.notification_id == notification_id)
    return await _rows(connection, query.order_by(deliveries.c.channel))


async def history_of(connection: AsyncConnection, delivery_id: UUID) -> list[Row]:
    """What happened to a delivery, oldest first."""
    query = sa.select(delivery_history).where(delivery_history.c.delivery_id == delivery_id)
    return await _rows(connection, query.order_by(delivery_history.c.id))


async def tenant_is_known(connection: AsyncConnection, tenant_id: UUID) -> bool:
    """Whether anything was ever heard of or written to a tenant."""
    known = sa.or_(
        sa.exists(sa.select(1).where(contacts.c.tenant_id == tenant_id)),
        sa.exists(sa.select(1).where(notifications.c.tenant_id == tenant_id)),
    )
    return bool(await connection.scalar(sa.select(known)))


async def count_sent(connection: AsyncConnection) -> list[Row]:
    """How many messages left the house, by tenant and text; what went as part of a digest is in that one."""
    query = (
        sa.select(deliveries.c.tenant_id, notifications.c.template, sa.func.count().label("count"))
        .join(notifications, notifications.c.id == deliveries.c.notification_id)
        .where(deliveries.c.state.in_(["sent", "delivered"]), deliveries.c.channel != "in_app")
        .group_by(deliveries.c.tenant_id, notifications.c.template)
    )
    return await _rows(connection, query)


async def count_states(connection: AsyncConnection) -> list[Row]:
    """How many deliveries there are, by channel and state."""
    query = sa.select(deliveries.c.channel, deliveries.c.state, sa.func.count().label("count"))
    query = query.group_by(deliveries.c.channel, deliveries.c.state)
    return await _rows(connection, query.order_by(deliveries.c.channel, deliveries.c.state))


async def _rows(connection: AsyncConnection, query: sa.Select[Any]) -> list[Row]:
    return [row._asdict() for row in await connection.execute(query)]
