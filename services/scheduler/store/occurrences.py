"""Occurrences one by one: kept when their time comes, and what each consumer reports of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.occurrences import Occurrence, Report, State
from services.scheduler.schema import occurrence_outcomes, occurrences
from shared.db import array_text, columnar, insert_rows
from shared.messaging.tables import outbox

# Written once, because each due instant needs it: to put a statement together takes as long as to run it.
_COLUMNS: Final = tuple(column.name for column in occurrences.c)
_ADD = insert_rows(occurrences, _COLUMNS).on_conflict_do_nothing().returning(occurrences.c.id)


QUEUED: Final = sa.literal_column("'queued'", sa.Text)
WAITING: Final = sa.literal_column("'waiting'", sa.Text)
BACKFILL: Final = sa.literal_column("'backfill'", sa.Text)
"""Written out and not bound: only then can a plan that PostgreSQL keeps use an index of some states."""

NOW: Final = sa.bindparam("now", type_=sa.DateTime(timezone=True))
"""The moment of a look, to bind when its statement is run."""


def is_under_way(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a run, of the table or of an alias of it, has no outcome and its deadline is after `NOW`."""
    in_time = sa.or_(table.c.deadline_at.is_(None), table.c.deadline_at > NOW)
    return sa.and_(table.c.state == WAITING, in_time)


def holds_the_slot(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether it is a run under way of the schedule's own, which others may have to give way to.

    A backfill goes beside them: none of them is left out, or waits, because of it.
    """
    return sa.and_(table.c.origin != BACKFILL, is_under_way(table), ~table.c.dry_run)


class OccurrenceStore:
    """Occurrences and their outcomes, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_occurrences(self, items: Sequence[tuple[Occurrence, str]]) -> set[UUID]:
        """Keep occurrences, each with its local time; gives the ids of those that were not there already."""
        if not items:
            return set()
        rows = [_occurrence_values(occurrence, local) for occurrence, local in items]
        return set(await self._connection.scalars(_ADD, columnar(rows, _COLUMNS)))

    async def occurrence(self, occurrence_id: UUID, *, lock: bool = False) -> Occurrence | None:
        """One occurrence with what was reported; locked, so that reports settle it one after the other."""
        query = sa.select(occurrences).where(occurrences.c.id == occurrence_id)
        rows = (await self._connection.execute(query.with_for_update() if lock else query)).all()
        return next(iter(await with_reports(self._connection, rows)), None)

    async def occurrence_asked(self, schedule_key: str, seq: str) -> Occurrence | None:
        """The occurrence somebody asked for under an idempotency key."""
        query = sa.select(occurrences).where(
            occurrences.c.schedule_key == schedule_key,
            occurrences.c.seq == seq,
            occurrences.c.origin == "manual",
        )
        return next(
            iter(await with_reports(self._connection, (await self._connection.execute(query)).all())), None
        )

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


async def with_reports(connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> list[Occurrence]:
    """Rows as the rules know them, with what was reported, and why the broker has not taken them."""
    query = (
        sa.select(occurrence_outcomes)
        .where(occurrence_outcomes.c.occurrence_id.in_([row.id for row in rows]))
        .order_by(occurrence_outcomes.c.consumer)
    )
    reports: dict[UUID, list[Report]] = {}
    for row in await connection.execute(query):
        reports.setdefault(row.occurrence_id, []).append(_report(row))
    undelivered = await _undelivered(connection, [row.id for row in rows if row.state == "waiting"])
    return [
        replace(_occurrence(row), reports=tuple(reports.get(row.id, ())), undelivered=undelivered.get(row.id))
        for row in rows
    ]


async def _undelivered(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Why the broker has not taken the triggers of occurrences; a trigger's id is its occurrence's."""
    if not ids:
        return {}
    query = sa.select(outbox.c.message_id, outbox.c.last_error).where(
        outbox.c.message_id.in_(ids), outbox.c.last_error.is_not(None)
    )
    return {row.message_id: row.last_error for row in await connection.execute(query)}


def _occurrence_values(occurrence: Occurrence, scheduled_local: str) -> dict[str, Any]:
    values = asdict(occurrence) | {"scheduled_local": scheduled_local}
    values |= {"payload": json.dumps(occurrence.payload), "expected": array_text(occurrence.expected)}
    del values["reports"], values["undelivered"]
    return values


def _occurrence(row: sa.Row[Any]) -> Occurrence:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del values["scheduled_local"]
    return Occurrence(**values | {"expected": tuple(row.expected)})


def _report(row: sa.Row[Any]) -> Report:
    return Report(row.consumer, row.state, row.finished_at, row.counts, tuple(row.problems), row.parts)
