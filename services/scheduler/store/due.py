"""What time makes necessary: what is due, what waits its turn, and what is given up.

Each look locks one schedule, and passes over those that another replica has in hand.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.decisions import Slot
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.schema import occurrences, schedules
from services.scheduler.store.backfills import turn_has_come
from services.scheduler.store.occurrences import is_under_way, with_reports
from services.scheduler.store.schedules import schedule_of
from services.scheduler.store.starts import NOT_BEGUN
from services.scheduler.store.zones import astray

_RUNNING = schedules.c.state.in_(["active", "error"])
_FIRES_AT = schedules.c.next_run_at + schedules.c.delay

# What each due instant costs is written once: to put a statement together takes as long as to run it.
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_RESTED = sa.or_(schedules.c.retry_at.is_(None), schedules.c.retry_at <= _NOW)
_NEXT_DUE = (
    sa.select(schedules)
    .where(_RUNNING, schedules.c.next_run_at <= _NOW, _NOW >= _FIRES_AT, _RESTED)
    .order_by(schedules.c.next_run_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)


_OWN: Final = occurrences.c.origin != "backfill"
"""A backfill goes beside the schedule's own runs: none of them is left out, or waits, because of it."""


def _under_way(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _OWN,
        is_under_way(occurrences, now),
        ~occurrences.c.dry_run,
    )


class DueStore:
    """Work that has come due, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_next_due(self, now: datetime) -> Schedule | None:
        """The most overdue schedule that no other replica has in hand."""
        return _locked(await self._connection.execute(_NEXT_DUE, {"now": now}))

    async def lock_next_resuming(self, now: datetime) -> Schedule | None:
        """A schedule whose pause is over."""
        return await self._lock_one(
            sa.select(schedules).where(schedules.c.state == "paused", schedules.c.paused_until <= now), now
        )

    async def lock_next_freed(self, now: datetime) -> Schedule | None:
        """A schedule with a run that waits, also of a backfill, and nothing any more that it waits for."""
        queued = occurrences.alias("queued")
        is_own = sa.and_(queued.c.state == "queued", queued.c.origin != "backfill")
        apart = sa.and_(
            schedules.c.spec["timezone"].astext == PROPERTY_ZONE, occurrences.c.zone != queued.c.zone
        )
        same = sa.and_(occurrences.c.schedule_id == schedules.c.id, ~apart)
        is_held = (
            sa.select(occurrences.c.id).where(same, *_under_way(now)).correlate(schedules, queued).exists()
        )
        waits = (
            sa.select(queued.c.id)
            .where(queued.c.schedule_id == schedules.c.id, is_own, ~is_held)
            .correlate(schedules)
            .exists()
        )
        return await self._lock_one(sa.select(schedules).where(sa.or_(waits, turn_has_come(now))), now)

    async def lock_next_astray(self, now: datetime) -> Schedule | None:
        """A schedule that follows the properties and is not in just the zones that they are in."""
        return await self._lock_one(astray(), now)

    async def _lock_one(self, query: sa.Select[Any], now: datetime) -> Schedule | None:
        query = query.where(_RESTED).limit(1).with_for_update(skip_locked=True)
        return _locked(await self._connection.execute(query, {"now": now}))

    async def next_wake(self) -> datetime | None:
        """When a schedule is due, tried again or resumed, or a run is given up, whichever comes first."""
        due = sa.select(sa.func.min(sa.func.greatest(_FIRES_AT, schedules.c.retry_at))).where(_RUNNING)
        resumed = sa.select(sa.func.min(schedules.c.paused_until)).where(schedules.c.state == "paused")
        given_up = sa.select(sa.func.min(occurrences.c.deadline_at)).where(occurrences.c.state == "waiting")
        begun_by = sa.select(sa.func.min(occurrences.c.start_by)).where(*NOT_BEGUN)
        parts = (part.scalar_subquery() for part in (due, resumed, given_up, begun_by))
        moment: datetime | None = await self._connection.scalar(sa.select(sa.func.least(*parts)))
        return moment

    async def slot(self, schedule_id: UUID, now: datetime, *, zone: str | None = None) -> Slot:
        """What is under way of a schedule, anywhere or in one zone."""
        mine = sa.select(occurrences.c.id).where(occurrences.c.schedule_id == schedule_id)
        if zone is not None:
            mine = mine.where(occurrences.c.zone == zone)
        is_open = mine.where(*_under_way(now)).exists()
        has_queued = mine.where(occurrences.c.state == "queued", _OWN).exists()
        return Slot(*(await self._connection.execute(sa.select(is_open, has_queued))).one())

    async def under_way(self, schedule_id: UUID, now: datetime) -> Occurrence | None:
        """Of a schedule's runs that have no outcome yet, the one that has been under way longest."""
        query = (
            sa.select(occurrences)
            .where(occurrences.c.schedule_id == schedule_id, *_under_way(now))
            .order_by(occurrences.c.announced_at)
            .limit(1)
        )
        rows = (await self._connection.execute(query)).all()
        return next(iter(await with_reports(self._connection, rows)), None)

    async def queued(self, schedule_id: UUID) -> list[Occurrence]:
        """The schedule's own runs that wait for the end of another one, at most one in each zone."""
        query = sa.select(occurrences).where(
            occurrences.c.schedule_id == schedule_id, occurrences.c.state == "queued", _OWN
        )
        return await with_reports(self._connection, (await self._connection.execute(query)).all())

    async def start_queued(
        self, occurrence_id: UUID, now: datetime, *, start_by: datetime | None, deadline_at: datetime | None
    ) -> None:
        """A run that waited is announced."""
        statement = sa.update(occurrences).where(occurrences.c.id == occurrence_id)
        await self._connection.execute(
            statement.values(state="waiting", announced_at=now, start_by=start_by, deadline_at=deadline_at)
        )

    async def drop_queued(
        self, schedule_id: UUID, *, reason: str, now: datetime, zone: str | None = None
    ) -> None:
        """What waits of a schedule, also of its backfills, anywhere or in one zone, will not run."""
        statement = sa.update(occurrences).where(
            occurrences.c.schedule_id == schedule_id, occurrences.c.state == "queued"
        )
        if zone is not None:
            statement = statement.where(occurrences.c.zone == zone)
        await self._connection.execute(statement.values(state="skipped", reason=reason, finished_at=now))

    async def give_up_overdue(self, now: datetime) -> list[str]:
        """Time out runs whose deadline has passed; gives the keys of their schedules.

        Rows that an outcome is being written to are left to it, and to the next round.
        """
        overdue = (
            sa.select(occurrences.c.id)
            .where(occurrences.c.state == "waiting", occurrences.c.deadline_at <= now)
            .with_for_update(skip_locked=True)
        )
        statement = (
            sa.update(occurrences)
            .where(occurrences.c.id.in_(overdue))
            .values(state="timed_out", finished_at=now)
            .returning(occurrences.c.schedule_key)
        )
        return list(await self._connection.scalars(statement))


def _locked(found: sa.Result[Any]) -> Schedule | None:
    row = found.one_or_none()
    return schedule_of(row) if row else None
