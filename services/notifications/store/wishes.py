"""What people wish: which news by which channel, and when not to be disturbed."""

from datetime import datetime, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.schema import contacts, preferences, quiet_hours

Row = dict[str, Any]


async def prefer(
    connection: AsyncConnection,
    person: UUID,
    category: str,
    channel: str,
    enabled: bool | None,
    at: datetime,
) -> None:
    """Remember a wish; None takes it back."""
    if enabled is None:
        await connection.execute(
            sa.delete(preferences).where(
                preferences.c.tenant_id == person,
                preferences.c.category == category,
                preferences.c.channel == channel,
            )
        )
        return
    row = insert(preferences).values(
        tenant_id=person, category=category, channel=channel, enabled=enabled, updated_at=at
    )
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[preferences.c.tenant_id, preferences.c.category, preferences.c.channel],
            set_={"enabled": row.excluded.enabled, "updated_at": row.excluded.updated_at},
        )
    )


async def keep_quiet(
    connection: AsyncConnection, person: UUID, channel: str, starts: time, ends: time, at: datetime
) -> None:
    """Remember when a channel is not to disturb somebody, by their own clock."""
    row = insert(quiet_hours).values(
        tenant_id=person, channel=channel, starts=starts, ends=ends, updated_at=at
    )
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[quiet_hours.c.tenant_id, quiet_hours.c.channel],
            set_={name: row.excluded[name] for name in ("starts", "ends", "updated_at")},
        )
    )


async def consent(connection: AsyncConnection, person: UUID, source: str | None, at: datetime) -> None:
    """Remember that somebody agreed to texts, and how; without a source, that they do not any more."""
    await connection.execute(
        sa.update(contacts)
        .where(contacts.c.tenant_id == person)
        .values(sms_consent_at=at if source else None, sms_consent_source=source)
    )
