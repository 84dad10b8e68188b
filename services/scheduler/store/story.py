"""The scheduler's part in a story that `propman trace` tells."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.schema import occurrences


async def trace(
    connection: AsyncConnection, correlation_id: UUID
) -> list[tuple[str, int, datetime, datetime]]:
    """An occurrence's own part in its story: when it was announced."""
    row = (await connection.execute(sa.select(occurrences).where(occurrences.c.id == correlation_id))).first()
    if row is None:
        return []
    return [(f"announces {row.trigger}", 1, row.created_at, row.created_at)]
