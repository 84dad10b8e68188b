"""All SQL of the scheduler. `now` is always an argument: nothing here reads a clock."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.catch_up import Due
from services.scheduler.domain.occurrences import Occurrence, Report, State
from services.scheduler.domain.schedules import Schedule
from services.scheduler.schema import occurrence_outcomes, occurrences, schedules

_RUNNING = schedules.c.state != "paused"
_RESTED = sa.func.greatest(schedules.c.next_run_at, schedules.c.retry_at)
"""When a schedule may next be looked at; PostgreSQL's `greatest` leaves out a retry that is null."""


async def trace(
    connection: AsyncConnection, correlation_id: UUID
) -> list[tuple[str, int, datetime, datetime]]:
    """An occurrence's own part in its story: when it was announced."""
    row = (await connection.execute(sa.select(occurrences).where(occurrences.c.id == correlation_id))).first()
    if row is None:
        return []
    return [(f"announces {row.trigger}", 1, row.created_at, row.created_at)]


class SchedulerStore:
    """Schedules, their occurrences and the outcomes of these, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_next_due(self, now: datetime) -> Schedule | None:
        """The most overdue schedule that no other replica has in hand."""
        query = (
            sa.select(schedules)
            .where(_RUNNING, schedules.c.next_run_at <= now)
            .where(sa.or_(schedules.c.retry_at.is_(None), schedules.c.retry_at <= now))
            .order_by(schedules.c.next_run_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return _schedule(row) if row else None

    async def next_wake(self) -> datetime | None:
        """When the next schedule is due or to be tried again."""
        moment: datetime | None = await self._connection.scalar(
            sa.select(sa.func.min(_RESTED)).where(_RUNNING)
        )
        return moment

    async def advance(self, schedule: Schedule, due: Due, *, now: datetime) -> None:
        """A schedule has run: set the next instant, and forget its errors."""
        await self._update(
            schedule.id,
            now,
            state="active",
            next_run_at=due.next_run_at,
            last_run_at=due.scheduled_for,
            error_count=0,
            last_error=None,
            retry_at=None,
        )

    async def hold_back(self, schedule: Schedule, *, error: str, retry_at: datetime, now: datetime) -> None:
        """A schedule could not run: it alone waits, and says why."""
        await self._update(
            schedule.id,
            now,
            state="error",
            error_count=schedule.error_count + 1,
            last_error=error,
            retry_at=retry_at,
        )

    async def pause(self, schedule: Schedule, *, now: datetime) -> None:
        """Announce nothing of a schedule until it is resumed."""
        await self._update(schedule.id, now, state="paused")

    async def resume(self, schedule: Schedule, *, next_run_at: datetime, now: datetime) -> None:
        """Announce it again, from its next instant on."""
        await self._update(
            schedule.id,
            now,
            state="active",
            next_run_at=next_run_at,
            error_count=0,
            last_error=None,
            retry_at=None,
        )

    async def _update(self, schedule_id: UUID, now: datetime, **values: Any) -> None:
        statement = sa.update(schedules).where(schedules.c.id == schedule_id)
        await self._connection.execute(statement.values(updated_at=now, **values))

    async def add_schedule(self, schedule: Schedule, *, now: datetime) -> bool:
        """Keep a new schedule; False where its key is taken."""
        values = asdict(schedule) | {
            "expected": list(schedule.expected),
            "created_at": now,
            "updated_at": now,
        }
        statement = insert(schedules).values(values).on_conflict_do_nothing(index_elements=["key"])
        added = await self._connection.execute(statement.returning(schedules.c.id))
        return added.one_or_none() is not None

    async def remove_schedule(self, schedule: Schedule) -> None:
        """Forget a schedule; its history stays."""
        await self._connection.execute(sa.delete(schedules).where(schedules.c.id == schedule.id))

    async def schedule(self, key: str, *, lock: bool = False) -> Schedule | None:
        """One schedule by its key; locked, no replica runs it meanwhile."""
        query = sa.select(schedules).where(schedules.c.key == key)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return _schedule(row) if row else None

    async def schedules(self) -> list[Schedule]:
        """All schedules, by key."""
        return [
            _schedule(row) for row in await self._connection.execute(sa.select(schedules).order_by("key"))
        ]

    async def add_occurrence(self, occurrence: Occurrence, *, scheduled_local: str) -> bool:
        """Keep an occurrence; False where it is there already."""
        values = asdict(occurrence) | {
            "expected": list(occurrence.expected),
            "scheduled_local": scheduled_local,
        }
        del values["reports"]
        statement = insert(occurrences).values(values).on_conflict_do_nothing()
        added = await self._connection.execute(statement.returning(occurrences.c.id))
        return added.one_or_none() is not None

    async def occurrence(self, occurrence_id: UUID, *, lock: bool = False) -> Occurrence | None:
        """One occurrence with what was reported; locked, so that reports settle it one after the other."""
        query = sa.select(occurrences).where(occurrences.c.id == occurrence_id)
        rows = (await self._connection.execute(query.with_for_update() if lock else query)).all()
        return next(iter(await self._with_reports(rows)), None)

    async def occurrence_asked(self, schedule_key: str, seq: str) -> Occurrence | None:
        """The occurrence somebody asked for under an idempotency key."""
        query = sa.select(occurrences).where(
            occurrences.c.schedule_key == schedule_key,
            occurrences.c.seq == seq,
            occurrences.c.origin == "manual",
        )
        return next(iter(await self._with_reports((await self._connection.execute(query)).all())), None)

    async def history(self, key: str | None, limit: int) -> list[Occurrence]:
        """The newest occurrences, of one schedule or of all."""
        query = (
            sa.select(occurrences).order_by(occurrences.c.created_at.desc(), occurrences.c.id).limit(limit)
        )
        if key is not None:
            query = query.where(occurrences.c.schedule_key == key)
        return await self._with_reports((await self._connection.execute(query)).all())

    async def last_occurrences(self) -> dict[str, Occurrence]:
        """The newest occurrence of each schedule, by its key."""
        query = (
            sa.select(occurrences)
            .distinct(occurrences.c.schedule_key)
            .join(schedules, schedules.c.key == occurrences.c.schedule_key)
            .order_by(occurrences.c.schedule_key, occurrences.c.created_at.desc())
        )
        found = await self._with_reports((await self._connection.execute(query)).all())
        return {occurrence.schedule_key: occurrence for occurrence in found}

    async def recent_states(self, each: int) -> dict[str, list[State]]:
        """The states of each schedule's last occurrences, oldest first, by its key."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.schedule_key, order_by=occurrences.c.created_at.desc()
        )
        ranked = sa.select(
            occurrences.c.schedule_key, occurrences.c.state, occurrences.c.created_at, place.label("place")
        ).subquery()
        query = sa.select(ranked.c.schedule_key, ranked.c.state).where(ranked.c.place <= each)
        found: dict[str, list[State]] = {}
        for key, state in await self._connection.execute(query.order_by(ranked.c.created_at)):
            found.setdefault(key, []).append(state)
        return found

    async def record_report(self, occurrence_id: UUID, report: Report, *, now: datetime) -> None:
        """Keep what a consumer said; of two reports the later-finished one counts, in whichever order."""
        values = asdict(report) | {
            "occurrence_id": occurrence_id,
            "problems": list(report.problems),
            "recorded_at": now,
        }
        statement = insert(occurrence_outcomes).values(values)
        newer = statement.on_conflict_do_update(
            index_elements=["occurrence_id", "consumer"],
            set_={
                name: statement.excluded[name] for name in values if name not in {"occurrence_id", "consumer"}
            },
            where=statement.excluded.finished_at > occurrence_outcomes.c.finished_at,
        )
        await self._connection.execute(newer)

    async def settle(self, occurrence_id: UUID, state: State, finished_at: datetime | None) -> None:
        """Set what came of an occurrence."""
        statement = sa.update(occurrences).where(occurrences.c.id == occurrence_id)
        await self._connection.execute(statement.values(state=state, finished_at=finished_at))

    async def _with_reports(self, rows: Sequence[sa.Row[Any]]) -> list[Occurrence]:
        query = (
            sa.select(occurrence_outcomes)
            .where(occurrence_outcomes.c.occurrence_id.in_([row.id for row in rows]))
            .order_by(occurrence_outcomes.c.consumer)
        )
        reports: dict[UUID, list[Report]] = {}
        for row in await self._connection.execute(query):
            reports.setdefault(row.occurrence_id, []).append(_report(row))
        return [replace(_occurrence(row), reports=tuple(reports.get(row.id, ()))) for row in rows]


def _schedule(row: sa.Row[Any]) -> Schedule:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del values["created_at"], values["updated_at"]
    return Schedule(**values | {"expected": tuple(row.expected)})


def _occurrence(row: sa.Row[Any]) -> Occurrence:
    values = dict(row._mapping)  # noqa: SLF001 - as above
    del values["scheduled_local"]
    return Occurrence(**values | {"expected": tuple(row.expected)})


def _report(row: sa.Row[Any]) -> Report:
    return Report(row.consumer, row.state, row.finished_at, row.counts, tuple(row.problems))
