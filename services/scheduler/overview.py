"""What an operator sees of the schedules at a glance; `propman info` and `monitor` show it."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.schedules import Schedule
from services.scheduler.reporting import local_time, next_run, outcome_words
from services.scheduler.store import HistoryStore, ScheduleStore
from services.scheduler.store.alerts import AlertStore

RECENT: Final = 20
MARKS: Final = {
    "succeeded": "#",
    "succeeded_late": "+",
    "partial": "!",
    "failed": "x",
    "timed_out": "t",
    "missed": ".",
    "skipped": "-",
    "queued": "~",
    "waiting": "?",
}
"""One letter per occurrence, told apart by shape and not by colour."""

LATE: Final = timedelta(minutes=1)
"""A schedule that is due for longer has nobody who announces it."""

PATIENCE: Final = timedelta(minutes=30)
"""A trigger that waits longer for an answer deserves a look."""


async def overview(connection: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
    """A row per schedule: when it runs next, what came of its last runs, and what is wrong with it."""
    history = HistoryStore(connection)
    last, recent = await history.last_occurrences(), await history.recent_states(RECENT)
    return [
        _row(
            schedule,
            last.get(schedule.key),
            "".join(MARKS[state] for state in recent.get(schedule.key, [])),
            now,
        )
        for schedule in await ScheduleStore(connection).schedules()
        if schedule.state != "archived"
    ]


async def open_alerts(connection: AsyncConnection) -> list[dict[str, Any]]:
    """What the watchdog found wrong and what is not over; `propman info` and `monitor` show it."""
    found = await AlertStore(connection).newest(also_resolved=False, limit=1_000)
    return [asdict(alert) for alert in found]


def _row(schedule: Schedule, last: Occurrence | None, recent: str, now: datetime) -> dict[str, Any]:
    return {
        "key": schedule.key,
        "state": schedule.state,
        "next_run_at": schedule.next_run_at,
        "next": next_run(schedule),
        "last_at": last.scheduled_for if last else None,
        "last": local_time(last.scheduled_for, last.zone) if last else None,
        "outcome": outcome_words(last),
        "recent": recent,
        "flag": flag_of(schedule, last, now),
    }


def flag_of(schedule: Schedule, last: Occurrence | None, now: datetime) -> str | None:
    """What is wrong with a schedule, in a few words; None on a good day."""
    if schedule.state == "error":
        return f"cannot be announced: {schedule.last_error}"
    due = schedule.next_run_at if schedule.state == "active" else None
    if due is not None and now - due - schedule.delay > LATE:
        return "is due and nobody announces it"
    if last is not None and last.state in {"failed", "partial", "timed_out"}:
        return outcome_words(last)
    if last is not None and (last.undelivered is not None or (last.state == "waiting" and last.unstarted)):
        return outcome_words(last)
    if last is not None and last.state == "waiting" and now - last.created_at > PATIENCE:
        return f"no answer from {', '.join(last.unanswered) or 'its consumers'}"
    return None
