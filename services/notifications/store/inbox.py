"""The inbox in the app: what lies in it, what was read, and what has come since."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.schema import contacts, deliveries, notifications, properties
from services.notifications.store.about import AT_PROPERTY, what_it_is_about

Row = dict[str, Any]

_MINE: Final = sa.and_(
    deliveries.c.tenant_id == sa.bindparam("tenant"),
    deliveries.c.channel == "in_app",
    deliveries.c.state == "delivered",
    deliveries.c.archived_at.is_(None),
)


def _messages() -> sa.Select[Any]:
    """In-app messages with all that their text is made from."""
    notice = notifications.c
    return (
        sa.select(
            deliveries.c.id,
            deliveries.c.tenant_id,
            deliveries.c.read_at,
            notice.id.label("notification_id"),
            notice.category,
            notice.criticality,
            notice.template,
            notice.context,
            notice.created_at,
            notice.expires_at,
            sa.func.coalesce(contacts.c.locale, "en").label("locale"),
            *what_it_is_about(),
        )
        .select_from(deliveries)
        .join(notifications, notice.id == deliveries.c.notification_id)
        .outerjoin(contacts, contacts.c.tenant_id == deliveries.c.tenant_id)
        .outerjoin(properties, AT_PROPERTY)
    )


async def messages(
    connection: AsyncConnection, tenant_id: UUID, *, limit: int, before: UUID | None = None
) -> list[Row]:
    """The newest messages; older ones than `before`, to page on."""
    query = _messages().where(_MINE).order_by(deliveries.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return await _rows(connection, query, tenant_id)


async def since(
    connection: AsyncConnection, tenant_id: UUID, last: UUID | None, limit: int = 50
) -> list[Row]:
    """What came after a message, oldest first."""
    query = _messages().where(_MINE).order_by(deliveries.c.id).limit(limit)
    if last is not None:
        query = query.where(deliveries.c.id > last)
    return await _rows(connection, query, tenant_id)


async def newest(connection: AsyncConnection, tenant_id: UUID) -> UUID | None:
    """The id of the newest message."""
    query = sa.select(deliveries.c.id).where(_MINE).order_by(deliveries.c.id.desc()).limit(1)
    return await connection.scalar(query, {"tenant": tenant_id})


async def unread(connection: AsyncConnection, tenant_id: UUID) -> int:
    """How many were not read."""
    query = sa.select(sa.func.count()).where(_MINE, deliveries.c.read_at.is_(None))
    return int(await connection.scalar(query, {"tenant": tenant_id}) or 0)


async def mark_read(
    connection: AsyncConnection, tenant_id: UUID, at: datetime, message_ids: Sequence[UUID] | None = None
) -> int:
    """Mark messages as read, all of them without ids; returns how many exist among those asked for."""
    update = sa.update(deliveries).where(_MINE)
    if message_ids is not None:
        update = update.where(deliveries.c.id.in_(message_ids))
    read = update.values(read_at=sa.func.coalesce(deliveries.c.read_at, at))
    return (await connection.execute(read, {"tenant": tenant_id})).rowcount


async def archive(connection: AsyncConnection, tenant_id: UUID, message_id: UUID, at: datetime) -> bool:
    """Put a message away; False where there is none."""
    put_away = sa.update(deliveries).where(_MINE, deliveries.c.id == message_id).values(archived_at=at)
    return bool((await connection.execute(put_away, {"tenant": tenant_id})).rowcount)


async def _rows(connection: AsyncConnection, query: sa.Select[Any], tenant_id: UUID) -> list[Row]:
    return [row._asdict() for row in await connection.execute(query, {"tenant": tenant_id})]
