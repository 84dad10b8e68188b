"""What time makes necessary: what is due, what waits its turn, and what is given up.

Each look locks what it finds, and passes over what another replica has in hand. Its statement is put
together once: that takes longer than to run it.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.decisions import Slot
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.schema import occurrences, schedules
from services.scheduler.store.backfills import turn_has_come
from services.scheduler.store.occurrences import BACKFILL, NOW, QUEUED, WAITING, holds_the_slot, with_reports
from services.scheduler.store.schedules import schedule_of
from services.scheduler.store.starts import NOT_BEGUN
from services.scheduler.store.zones import astray

_RUNNING = schedules.c.state.in_([sa.literal_column("'active'"), sa.literal_column("'error'")])
_FIRES_AT = schedules.c.next_run_at + schedules.c.delay

_OWN: Final = occurrences.c.origin != BACKFILL
"""Not of a backfill; see `holds_the_slot`."""

_RESTED = sa.or_(schedules.c.retry_at.is_(None), schedules.c.retry_at <= NOW)
_UNDER_WAY = holds_the_slot(occurrences)

_Look = Callable[[], sa.Select[Any]]


class DueStore:
    """Work that has come due, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_due(self, now: datetime, most: int) -> list[Schedule]:
        """The most overdue schedules that no other replica has in hand."""
        return await self._locked(_due, now, most)

    async def lock_next_resuming(self, now: datetime) -> Schedule | None:
        """A schedule whose pause is over."""
        return next(iter(await self._locked(_resuming, now)), None)

    async def lock_next_freed(self, now: datetime) -> Schedule | None:
        """A schedule with a run that waits, also of a backfill, and nothing any more that it waits for."""
        return next(iter(await self._locked(_freed, now)), None)

    async def lock_next_astray(self, now: datetime) -> Schedule | None:
        """A schedule that follows the properties and is not in just the zones that they are in."""
        return next(iter(await self._locked(astray, now)), None)

    async def _locked(self, look: _Look, now: datetime, most: int = 1) -> list[Schedule]:
        return [
            schedule_of(row) for row in await self._connection.execute(_locking(look, most), {"now": now})
        ]

    async def next_wake(self) -> datetime | None:
        """When a schedule is due, tried again or resumed, or a run is given up, whichever comes first."""
        moment: datetime | None = await self._connection.scalar(_wake())
        return moment

    async def slot(self, schedule_id: UUID, now: datetime, *, zone: str | None = None) -> Slot:
        """What is under way of a schedule, anywhere or in one zone."""
        whose = {"now": now, "mine": schedule_id} | ({} if zone is None else {"here": zone})
        return Slot(*(await self._connection.execute(_slot(in_zone=zone is not None), whose)).one())

    async def under_way(self, schedule_id: UUID, now: datetime) -> Occurrence | None:
        """Of a schedule's runs that have no outcome yet, the one that has been under way longest."""
        query = (
            sa.select(occurrences)
            .where(occurrences.c.schedule_id == schedule_id, _UNDER_WAY)
            .order_by(occurrences.c.announced_at)
            .limit(1)
        )
        rows = (await self._connection.execute(query, {"now": now})).all()
        return next(iter(await with_reports(self._connection, rows)), None)

    async def queued(self, schedule_id: UUID) -> list[Occurrence]:
        """The schedule's own runs that wait for the end of another one, at most one in each zone."""
        query = sa.select(occurrences).where(
            occurrences.c.schedule_id == schedule_id, occurrences.c.state == QUEUED, _OWN
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
            occurrences.c.schedule_id == schedule_id, occurrences.c.state == QUEUED
        )
        if zone is not None:
            statement = statement.where(occurrences.c.zone == zone)
        await self._connection.execute(statement.values(state="skipped", reason=reason, finished_at=now))

    async def give_up_overdue(self, now: datetime) -> list[str]:
        """Time out runs whose deadline has passed; gives the keys of their schedules.

        Rows that an outcome is being written to are left to it, and to the next round.
        """
        return list(await self._connection.scalars(_give_up(), {"now": now}))


@cache
def _locking(look: _Look, most: int) -> sa.Select[Any]:
    """What a look finds, locked, but for what rests from a failure or is in the hands of another replica."""
    return look().where(_RESTED).limit(most).with_for_update(skip_locked=True)


def _due() -> sa.Select[Any]:
    query = sa.select(schedules).where(_RUNNING, schedules.c.next_run_at <= NOW, NOW >= _FIRES_AT)
    return query.order_by(schedules.c.next_run_at)


def _resuming() -> sa.Select[Any]:
    return sa.select(schedules).where(schedules.c.state == "paused", schedules.c.paused_until <= NOW)


def _freed() -> sa.Select[Any]:
    queued = occurrences.alias("queued")
    is_own = sa.and_(queued.c.state == QUEUED, queued.c.origin != BACKFILL)
    apart = sa.and_(schedules.c.spec["timezone"].astext == PROPERTY_ZONE, occurrences.c.zone != queued.c.zone)
    same = sa.and_(occurrences.c.schedule_id == schedules.c.id, ~apart)
    is_held = sa.select(occurrences.c.id).where(same, _UNDER_WAY).correlate(schedules, queued).exists()
    waits = (
        sa.select(queued.c.id)
        .where(queued.c.schedule_id == schedules.c.id, is_own, ~is_held)
        .correlate(schedules)
        .exists()
    )
    return sa.select(schedules).where(sa.or_(waits, turn_has_come()))


@cache
def _slot(*, in_zone: bool) -> sa.Select[bool, bool]:
    mine = sa.select(occurrences.c.id).where(occurrences.c.schedule_id == sa.bindparam("mine"))
    if in_zone:
        mine = mine.where(occurrences.c.zone == sa.bindparam("here"))
    has_queued = mine.where(occurrences.c.state == QUEUED, _OWN).exists()
    return sa.select(mine.where(_UNDER_WAY).exists(), has_queued)


@cache
def _wake() -> sa.Select[Any]:
    due = sa.select(sa.func.min(sa.func.greatest(_FIRES_AT, schedules.c.retry_at))).where(_RUNNING)
    resumed = sa.select(sa.func.min(schedules.c.paused_until)).where(schedules.c.state == "paused")
    given_up = sa.select(sa.func.min(occurrences.c.deadline_at)).where(occurrences.c.state == WAITING)
    begun_by = sa.select(sa.func.min(occurrences.c.start_by)).where(*NOT_BEGUN)
    return sa.select(sa.func.least(*(part.scalar_subquery() for part in (due, resumed, given_up, begun_by))))


@cache
def _give_up() -> sa.Executable:
    overdue = (
        sa.select(occurrences.c.id)
        .where(occurrences.c.state == WAITING, occurrences.c.deadline_at <= NOW)
        .with_for_update(skip_locked=True)
    )
    statement = sa.update(occurrences).where(occurrences.c.id.in_(overdue))
    return statement.values(state="timed_out", finished_at=NOW).returning(occurrences.c.schedule_key)
