"""When runs that are announced have begun, and which have not in time."""

from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.schema import occurrences
from services.scheduler.store.occurrences import NOW, WAITING

NOT_BEGUN: Final = (
    occurrences.c.state == WAITING,
    occurrences.c.start_by.is_not(None),
    occurrences.c.started_at.is_(None),
    ~occurrences.c.unstarted,
)
"""Runs with a start deadline of which nothing was heard, and nothing said that it is over."""


class StartStore:
    """The beginnings of occurrences, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def mark_unstarted(self, now: datetime) -> list[str]:
        """Mark runs that nobody has begun in time; gives the keys of their schedules."""
        return list(await self._connection.scalars(_mark_unstarted(), {"now": now}))

    async def record_start(self, occurrence_id: UUID, started_at: datetime) -> None:
        """Keep when the first consumer began with an occurrence."""
        earlier = sa.func.least(occurrences.c.started_at, started_at)
        statement = sa.update(occurrences).where(occurrences.c.id == occurrence_id)
        late = sa.and_(occurrences.c.start_by.is_not(None), earlier > occurrences.c.start_by)
        await self._connection.execute(statement.values(started_at=earlier, unstarted=late))


@cache
def _mark_unstarted() -> sa.Executable:
    late = (
        sa.select(occurrences.c.id)
        .where(*NOT_BEGUN, occurrences.c.start_by <= NOW)
        .with_for_update(skip_locked=True)
    )
    statement = sa.update(occurrences).where(occurrences.c.id.in_(late)).values(unstarted=True)
    return statement.returning(occurrences.c.schedule_key)
