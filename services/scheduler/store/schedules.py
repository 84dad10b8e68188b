"""All SQL of the scheduler. `now` is always an argument: nothing here reads a clock."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.decisions import Slot
from services.scheduler.domain.occurrences import Occurrence, Report, State
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.schema import forgotten, occurrence_outcomes, occurrences, schedules
from services.scheduler.store.starts import NOT_BEGUN
from services.scheduler.store.zones import astray
from shared.messaging.tables import outbox

_RUNNING = schedules.c.state.in_(["active", "error"])
_FIRES_AT = schedules.c.next_run_at + schedules.c.delay
_RULES = tuple(item.name for item in fields(Rules))

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
_SAVE_SCHEDULE = sa.update(schedules).where(schedules.c.id == sa.bindparam("saved_id"))
_ADD_OCCURRENCE = insert(occurrences).on_conflict_do_nothing().returning(occurrences.c.id)


def _under_way(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        occurrences.c.state == "waiting",
        ~occurrences.c.dry_run,
        sa.or_(occurrences.c.deadline_at.is_(None), occurrences.c.deadline_at > now),
    )


class SchedulerStore:
    """Schedules, their occurrences and the outcomes of these, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def connection(self) -> AsyncConnection:
        """The open connection, for whoever has another store to ask."""
        return self._connection

    async def lock_next_due(self, now: datetime) -> Schedule | None:
        """The most overdue schedule that no other replica has in hand."""
        return _locked(await self._connection.execute(_NEXT_DUE, {"now": now}))

    async def lock_next_resuming(self, now: datetime) -> Schedule | None:
        """A schedule whose pause is over."""
        return await self._lock_one(
            sa.select(schedules).where(schedules.c.state == "paused", schedules.c.paused_until <= now), now
        )

    async def lock_next_freed(self, now: datetime) -> Schedule | None:
        """A schedule with a run that waits, and none any more that it waits for."""
        queued = occurrences.alias("queued")
        apart = sa.and_(
            schedules.c.spec["timezone"].astext == PROPERTY_ZONE, occurrences.c.zone != queued.c.zone
        )
        same = sa.and_(occurrences.c.schedule_id == schedules.c.id, ~apart)
        is_held = (
            sa.select(occurrences.c.id).where(same, *_under_way(now)).correlate(schedules, queued).exists()
        )
        waits = (
            sa.select(queued.c.id)
            .where(queued.c.schedule_id == schedules.c.id, queued.c.state == "queued", ~is_held)
            .correlate(schedules)
            .exists()
        )
        return await self._lock_one(sa.select(schedules).where(waits), now)

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

    async def save_schedule(self, schedule: Schedule, *, now: datetime) -> None:
        """Keep what is different about a schedule."""
        values = _values(schedule) | {"updated_at": now, "saved_id": schedule.id}
        await self._connection.execute(_SAVE_SCHEDULE, values)

    async def add_schedule(self, schedule: Schedule, *, now: datetime) -> bool:
        """Keep a new schedule; False where its key is taken."""
        values = _values(schedule) | {"created_at": now, "updated_at": now}
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
        values = _occurrence_values(occurrence, scheduled_local)
        return (await self._connection.execute(_ADD_OCCURRENCE, values)).one_or_none() is not None

    async def add_unannounced(self, items: Sequence[tuple[Occurrence, str]]) -> None:
        """Keep occurrences that are not announced, each with its local time; those that are there stay."""
        if items:
            values = [_occurrence_values(occurrence, local) for occurrence, local in items]
            await self._connection.execute(insert(occurrences).on_conflict_do_nothing(), values)

    async def slot(self, schedule_id: UUID, now: datetime, *, zone: str | None = None) -> Slot:
        """What is under way of a schedule, anywhere or in one zone."""
        mine = sa.select(occurrences.c.id).where(occurrences.c.schedule_id == schedule_id)
        if zone is not None:
            mine = mine.where(occurrences.c.zone == zone)
        is_open = mine.where(*_under_way(now)).exists()
        has_queued = mine.where(occurrences.c.state == "queued").exists()
        return Slot(*(await self._connection.execute(sa.select(is_open, has_queued))).one())

    async def queued(self, schedule_id: UUID) -> list[Occurrence]:
        """The runs of a schedule that wait for the end of another one, at most one in each zone."""
        query = sa.select(occurrences).where(
            occurrences.c.schedule_id == schedule_id, occurrences.c.state == "queued"
        )
        return await self._with_reports((await self._connection.execute(query)).all())

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
        """What waits of a schedule, anywhere or in one zone, will not run."""
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
            sa.select(occurrences)
            .order_by(occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc(), occurrences.c.id)
            .limit(limit)
        )
        if key is not None:
            query = query.where(occurrences.c.schedule_key == key)
        return await self._with_reports((await self._connection.execute(query)).all())

    async def states_between(
        self, schedule_id: UUID, after: datetime, until: datetime, *, zone: str | None = None
    ) -> dict[datetime, list[tuple[State, str | None]]]:
        """What came of a schedule's instants in (after, until], of each in the order it was tried."""
        query = (
            sa.select(occurrences.c.scheduled_for, occurrences.c.state, occurrences.c.reason)
            .where(
                occurrences.c.schedule_id == schedule_id,
                occurrences.c.scheduled_for > after,
                occurrences.c.scheduled_for <= until,
                occurrences.c.origin != "manual",
                ~occurrences.c.dry_run,
            )
            .order_by(occurrences.c.created_at)
        )
        if zone is not None:
            query = query.where(occurrences.c.zone == zone)
        found: dict[datetime, list[tuple[State, str | None]]] = {}
        for moment, state, reason in await self._connection.execute(query):
            found.setdefault(moment, []).append((state, reason))
        return found

    async def forgotten_until(self, schedule_id: UUID) -> datetime | None:
        """Up to which instant the schedule's history was cleaned up; None where all of it is there."""
        query = sa.select(forgotten.c.until).where(forgotten.c.schedule_id == schedule_id)
        moment: datetime | None = await self._connection.scalar(query)
        return moment

    async def last_occurrences(self) -> dict[str, Occurrence]:
        """The newest occurrence of each schedule, by its key."""
        query = (
            sa.select(occurrences)
            .ext(distinct_on(occurrences.c.schedule_key))
            .join(schedules, schedules.c.key == occurrences.c.schedule_key)
            .order_by(
                occurrences.c.schedule_key,
                occurrences.c.created_at.desc(),
                occurrences.c.scheduled_for.desc(),
            )
        )
        found = await self._with_reports((await self._connection.execute(query)).all())
        return {occurrence.schedule_key: occurrence for occurrence in found}

    async def recent_states(self, each: int) -> dict[str, list[State]]:
        """The states of each schedule's last occurrences, oldest first, by its key."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.schedule_key,
            order_by=[occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc()],
        )
        ranked = sa.select(occurrences.c.schedule_key, occurrences.c.state, place.label("place")).subquery()
        query = sa.select(ranked.c.schedule_key, ranked.c.state).where(ranked.c.place <= each)
        found: dict[str, list[State]] = {}
        for key, state in await self._connection.execute(query.order_by(ranked.c.place.desc())):
            found.setdefault(key, []).append(state)
        return found

    async def recent_runs(self, each: int) -> dict[str, list[Occurrence]]:
        """The last runs of each schedule that were announced for real, newest first, by its key."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.schedule_key,
            order_by=[occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc()],
        )
        announced = sa.select(occurrences.c.id, place.label("place")).where(
            occurrences.c.state.not_in(["missed", "skipped", "queued"]),
            ~occurrences.c.dry_run,
            occurrences.c.schedule_id.is_not(None),
        )
        ranked = announced.subquery()
        query = (
            sa.select(occurrences)
            .join(ranked, ranked.c.id == occurrences.c.id)
            .where(ranked.c.place <= each)
            .order_by(ranked.c.place)
        )
        found: dict[str, list[Occurrence]] = {}
        for occurrence in await self._with_reports((await self._connection.execute(query)).all()):
            found.setdefault(occurrence.schedule_key, []).append(occurrence)
        return found

    async def last_successes(self) -> dict[str, datetime]:
        """When each schedule last succeeded, by its key."""
        query = (
            sa.select(occurrences.c.schedule_key, sa.func.max(occurrences.c.finished_at))
            .where(occurrences.c.state.in_(["succeeded", "succeeded_late"]), ~occurrences.c.dry_run)
            .group_by(occurrences.c.schedule_key)
        )
        rows = await self._connection.execute(query)
        return {row.schedule_key: row[1] for row in rows}

    async def written(self) -> dict[str, tuple[datetime, datetime]]:
        """When each schedule was made and when it was last written, by its key."""
        query = sa.select(schedules.c.key, schedules.c.created_at, schedules.c.updated_at)
        return {key: (made, changed) for key, made, changed in await self._connection.execute(query)}

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
        undelivered = await self._undelivered([row.id for row in rows if row.state == "waiting"])
        return [
            replace(
                _occurrence(row), reports=tuple(reports.get(row.id, ())), undelivered=undelivered.get(row.id)
            )
            for row in rows
        ]

    async def _undelivered(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """Why the broker has not taken the triggers of occurrences; a trigger's id is its occurrence's."""
        if not ids:
            return {}
        query = sa.select(outbox.c.message_id, outbox.c.last_error).where(
            outbox.c.message_id.in_(ids), outbox.c.last_error.is_not(None)
        )
        return {row.message_id: row.last_error for row in await self._connection.execute(query)}


def _locked(found: sa.Result[Any]) -> Schedule | None:
    row = found.one_or_none()
    return _schedule(row) if row else None


def _values(schedule: Schedule) -> dict[str, Any]:
    values = asdict(schedule) | {"expected": list(schedule.expected)}
    rules: dict[str, Any] = values.pop("rules")
    return values | rules | {"excluded": list(schedule.rules.excluded)}


def _schedule(row: sa.Row[Any]) -> Schedule:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del values["created_at"], values["updated_at"]
    rules = {name: values.pop(name) for name in _RULES}
    rules["excluded"] = tuple(row.excluded)
    return Schedule(**values | {"expected": tuple(row.expected), "rules": Rules(**rules)})


def _occurrence_values(occurrence: Occurrence, scheduled_local: str) -> dict[str, Any]:
    values = asdict(occurrence) | {"expected": list(occurrence.expected), "scheduled_local": scheduled_local}
    del values["reports"], values["undelivered"]
    return values


def _occurrence(row: sa.Row[Any]) -> Occurrence:
    values = dict(row._mapping)  # noqa: SLF001 - as above
    del values["scheduled_local"]
    return Occurrence(**values | {"expected": tuple(row.expected)})


def _report(row: sa.Row[Any]) -> Report:
    return Report(row.consumer, row.state, row.finished_at, row.counts, tuple(row.problems), row.parts)
