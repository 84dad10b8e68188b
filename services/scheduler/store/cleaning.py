"""What of the scheduler is only history, and what it must never forget."""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.occurrences import UNNAMED
from services.scheduler.schema import alerts, backfills, forgotten, occurrences
from shared.cleaning import HORIZON
from shared.sweeping import Sweep, key_of

_later: Final = occurrences.alias("later")
_SUCCESS: Final = ("succeeded", "succeeded_late")


def _has_later(*more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        _later.c.schedule_key == occurrences.c.schedule_key,
        _later.c.zone == occurrences.c.zone,
        _later.c.created_at > occurrences.c.created_at,
        *more,
    )


_NEWEST: Final = ~_has_later()
_NEWEST_SUCCESS: Final = sa.and_(occurrences.c.state.in_(_SUCCESS), ~_has_later(_later.c.state.in_(_SUCCESS)))
# Whoever asks again under a key of their own gets what they asked for the first time, however late.
_ASKED_UNDER_A_KEY: Final = sa.and_(
    occurrences.c.origin == "manual", ~occurrences.c.seq.startswith(UNNAMED, autoescape=True)
)


_HAS_RUNS: Final = sa.exists().where(
    occurrences.c.origin == "backfill", occurrences.c.seq == sa.cast(backfills.c.id, sa.Text)
)


def _needed(_before: datetime) -> sa.ColumnElement[bool]:
    under_way = occurrences.c.state.in_(["queued", "waiting"])
    return sa.or_(under_way, _NEWEST, _NEWEST_SUCCESS, _ASKED_UNDER_A_KEY)


async def _forget(connection: AsyncConnection, table: sa.Table, chosen: sa.Select[Any]) -> int:
    """Delete occurrences, and remember of each schedule up to which instant: a backfill asks.

    The due loop needs no row of the past: it only ever looks ahead of `next_run_at`.
    """
    gone = sa.delete(table).where(key_of(table).in_(chosen))
    rows = (
        await connection.execute(
            gone.returning(occurrences.c.schedule_id, occurrences.c.scheduled_for, occurrences.c.origin)
        )
    ).all()
    until: dict[Any, datetime] = {}
    for schedule_id, moment, origin in rows:
        if schedule_id is not None and origin != "manual":
            until[schedule_id] = max(moment, until.get(schedule_id, moment))
    if until:
        values = [{"schedule_id": key, "until": until[key]} for key in sorted(until)]
        statement = insert(forgotten)
        newest = sa.func.greatest(forgotten.c.until, statement.excluded.until)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["schedule_id"], set_={"until": newest}), values
        )
    return len(rows)


SWEEPS: Final = (
    Sweep(
        kind="occurrences",
        table=occurrences,
        old=lambda before: occurrences.c.created_at < before,
        needed=_needed,
        failure=occurrences.c.state.in_(["failed", "partial", "timed_out", "missed"]),
        floor=HORIZON,
        remove=_forget,
    ),
    Sweep(
        kind="backfills",
        table=backfills,
        old=lambda before: backfills.c.created_at < before,
        needed=lambda _before: _HAS_RUNS,
    ),
    Sweep(
        kind="alerts",
        table=alerts,
        old=lambda before: alerts.c.raised_at < before,
        needed=lambda before: sa.func.coalesce(alerts.c.resolved_at >= before, sa.true()),
        failure=sa.true(),
    ),
)
