"""Backfills: how many of their runs may be under way at a time, and how far each has come."""

from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.backfills import Backfill, Progress
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.schema import backfills, occurrences, schedules
from services.scheduler.store.occurrences import BACKFILL, QUEUED, is_under_way, with_reports

_SEQ: Final = sa.cast(backfills.c.id, sa.Text)
_IS_FILLED: Final = occurrences.c.origin == BACKFILL


def turn_has_come() -> sa.ColumnElement[bool]:
    """Whether a schedule has a backfill with a run that waits, and room for it among those under way."""
    queued = occurrences.alias("queued")
    waiting = sa.select(queued.c.id).join(backfills, queued.c.seq == _SEQ)
    room = backfills.c.max_in_flight > _under_way(queued.c.seq)
    is_next = sa.and_(queued.c.state == QUEUED, queued.c.origin == BACKFILL, room)
    return waiting.where(queued.c.schedule_id == schedules.c.id, is_next).correlate(schedules).exists()


def _under_way(seq: sa.ColumnElement[str]) -> sa.ScalarSelect[int]:
    """How many runs of a backfill are announced and not over; one past its deadline makes room."""
    running = occurrences.alias("running")
    return (
        sa.select(sa.func.count())
        .select_from(running)
        .where(running.c.origin == BACKFILL, running.c.seq == seq, is_under_way(running))
        .scalar_subquery()
    )


class BackfillStore:
    """Backfills and whose turn it is, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, backfill: Backfill) -> None:
        """Keep what somebody asked for."""
        await self._connection.execute(sa.insert(backfills).values(asdict(backfill)))

    async def find(self, identity: UUID) -> Backfill | None:
        """One backfill."""
        query = sa.select(backfills).where(backfills.c.id == identity)
        row = (await self._connection.execute(query)).mappings().first()
        return Backfill(**row) if row else None

    async def newest(self, limit: int) -> list[tuple[Backfill, Progress]]:
        """Backfills with how far each has come, newest first."""
        query = sa.select(backfills).order_by(backfills.c.created_at.desc(), backfills.c.id).limit(limit)
        found = [Backfill(**row) for row in (await self._connection.execute(query)).mappings()]
        state = occurrences.c.state

        def count(*states: str) -> sa.ColumnElement[int]:
            return sa.func.count().filter(state.in_(states))

        counts = (
            sa.select(
                occurrences.c.seq,
                count("queued"),
                count("waiting"),
                count("succeeded", "succeeded_late"),
                count("failed", "partial", "timed_out"),
                count("skipped", "missed"),
            )
            .where(_IS_FILLED, occurrences.c.seq.in_([str(item.id) for item in found]))
            .group_by(occurrences.c.seq)
        )
        rows = {seq: Progress(*numbers) for seq, *numbers in await self._connection.execute(counts)}
        return [(item, rows.get(str(item.id), Progress())) for item in found]

    async def next_runs(self, schedule_id: UUID, now: datetime) -> list[Occurrence]:
        """The runs of a schedule's backfills whose turn has come, oldest instants first."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.seq, order_by=[occurrences.c.scheduled_for, occurrences.c.zone]
        )
        mine = sa.and_(occurrences.c.schedule_id == schedule_id, occurrences.c.state == QUEUED, _IS_FILLED)
        ranked = sa.select(occurrences.c.id, occurrences.c.seq, place.label("place")).where(mine).subquery()
        query = (
            sa.select(occurrences)
            .join(ranked, ranked.c.id == occurrences.c.id)
            .join(backfills, ranked.c.seq == _SEQ)
            .where(ranked.c.place <= backfills.c.max_in_flight - _under_way(ranked.c.seq))
            .order_by(occurrences.c.scheduled_for, occurrences.c.zone)
        )
        rows = await self._connection.execute(query, {"now": now})
        return await with_reports(self._connection, rows.all())

    async def cancel(self, identity: UUID, *, by: str | None, now: datetime) -> int:
        """What waits of a backfill will not run; says how many runs that are."""
        statement = sa.update(backfills).where(backfills.c.id == identity, backfills.c.cancelled_at.is_(None))
        await self._connection.execute(statement.values(cancelled_at=now, cancelled_by=by))
        waiting = sa.update(occurrences).where(
            _IS_FILLED, occurrences.c.seq == str(identity), occurrences.c.state == QUEUED
        )
        dropped = waiting.values(state="skipped", reason="cancelled", finished_at=now)
        return len((await self._connection.execute(dropped.returning(occurrences.c.id))).all())
