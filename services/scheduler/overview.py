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

MANY: Final = 3
"""So many runs in a row that were left out for one deserve a look; a single one is what the rule is for."""

HeldUp = tuple[Occurrence, int]
"""A run under way, and how many were left out for it."""


async def overview(connection: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
    """A row per schedule: when it runs next, what came of its last runs, and what is wrong with it."""
    history = HistoryStore(connection)
    last, recent = await history.last_occurrences(), await history.recent_states(RECENT)
    held_up = await history.held_up(now)
    return [
        _row(schedule, last.get(schedule.key), held_up.get(schedule.key), now)
        | {"recent": "".join(MARKS[state] for state in recent.get(schedule.key, []))}
        for schedule in await ScheduleStore(connection).schedules()
        if schedule.state != "archived"
    ]


async def open_alerts(connection: AsyncConnection) -> list[dict[str, Any]]:
    """What the watchdog found wrong and what is not over; `propman info` and `monitor` show it."""
    found = await AlertStore(connection).newest(also_resolved=False, limit=1_000)
    return [asdict(alert) for alert in found]


def _row(
    schedule: Schedule, last: Occurrence | None, held_up: HeldUp | None, now: datetime
) -> dict[str, Any]:
    return {
        "key": schedule.key,
        "state": schedule.state,
        "next_run_at": schedule.next_run_at,
        "next": next_run(schedule),
        "last_at": last.scheduled_for if last else None,
        "last": local_time(last.scheduled_for, last.zone) if last else None,
        "outcome": _held_up_words(held_up, now) if held_up else outcome_words(last),
        "flag": flag_of(schedule, last, held_up, now),
    }


def _held_up_words(held_up: HeldUp, now: datetime) -> str:
    """What the run that others gave way to waits for: of these there is nothing else to say."""
    run, left_out = held_up
    day = "" if run.since.date() == now.date() else f"{run.since:%Y-%m-%d} "
    return f"{outcome_words(run)} (since {day}{run.since:%H:%M} UTC); {left_out} skipped"


def flag_of(schedule: Schedule, last: Occurrence | None, held_up: HeldUp | None, now: datetime) -> str | None:
    """What is wrong with a schedule, in a few words; None on a good day."""
    if schedule.state == "error":
        return f"cannot be announced: {schedule.last_error}"
    due = schedule.next_run_at if schedule.state == "active" else None
    if due is not None and now - due - schedule.delay > LATE:
        return "is due and nobody announces it"
    if held_up is not None:
        run, left_out = held_up
        is_wrong = left_out >= MANY or _needs_a_look(run, now) is not None
        return _held_up_words(held_up, now) if is_wrong else None
    return _needs_a_look(last, now) if last is not None else None


def _needs_a_look(run: Occurrence, now: datetime) -> str | None:
    if run.state in {"failed", "partial", "timed_out"}:
        return outcome_words(run)
    if run.undelivered is not None or (run.state == "waiting" and run.unstarted):
        return outcome_words(run)
    if run.state == "waiting" and now - run.created_at > PATIENCE:
        return f"no answer from {', '.join(run.unanswered) or 'its consumers'}"
    return None
