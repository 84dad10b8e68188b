"""What notifications adds to a story: its deliveries, by channel and state."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.schema import deliveries, notifications


async def trace(
    connection: AsyncConnection, correlation_id: UUID
) -> list[tuple[str, int, datetime, datetime]]:
    """How many deliveries of a story are in which state, and since when."""
    what = deliveries.c.channel + " " + deliveries.c.state
    moment = sa.func.coalesce(deliveries.c.sent_at, deliveries.c.updated_at)
    query = (
        sa.select(what, sa.func.count(), sa.func.min(moment), sa.func.max(moment))
        .join(notifications, notifications.c.id == deliveries.c.notification_id)
        .where(notifications.c.correlation_id == correlation_id)
        .group_by(what)
    )
    return [(step, count, first, last) for step, count, first, last in await connection.execute(query)]


async def story_of(connection: AsyncConnection, identity: UUID) -> UUID | None:
    """The story that a notification or a delivery is a part of."""
    named = sa.select(deliveries.c.notification_id).where(deliveries.c.id == identity)
    query = sa.select(notifications.c.correlation_id).where(
        sa.or_(notifications.c.id == identity, notifications.c.id.in_(named))
    )
    found: UUID | None = await connection.scalar(query)
    return found
