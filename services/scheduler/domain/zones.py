"""Schedules that follow the properties: one definition, and a place of its own in time for each zone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.scheduler.domain.schedules import Schedule, State


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a schedule has come in one zone."""

    zone: str
    next_run_at: datetime | None
    """The next instant there; None where there is none any more."""
    delay: timedelta = timedelta()
    runs: int = 0
    last_run_at: datetime | None = None


def in_zone(schedule: Schedule, cursor: Cursor) -> Schedule:
    """The schedule as it is in one zone: like any other, and for the properties there."""
    return replace(
        schedule,
        spec=spec_in_zone(schedule, cursor.zone),
        payload={**schedule.payload, "only_zone": cursor.zone},
        next_run_at=cursor.next_run_at,
        delay=cursor.delay,
        runs=cursor.runs,
        last_run_at=cursor.last_run_at,
        next_zone=cursor.zone,
    )


def spec_in_zone(schedule: Schedule, zone: str) -> dict[str, object]:
    """When a schedule is due at the places in a zone."""
    return {**schedule.spec, "timezone": zone}


def cursor_of(local: Schedule) -> Cursor:
    """How far the schedule of one zone has come."""
    return Cursor(local.time_zone, local.next_run_at, local.delay, local.runs, local.last_run_at)


def gathered(schedule: Schedule, cursors: Sequence[Cursor]) -> Schedule:
    """The schedule with the first of what comes next in its zones.

    Without a zone it waits for one; where nothing is left in any of them it has ended.
    """
    coming = [(cursor.next_run_at + cursor.delay, cursor) for cursor in cursors if cursor.next_run_at]
    runs = [cursor.last_run_at for cursor in cursors if cursor.last_run_at]
    schedule = replace(schedule, last_run_at=max(runs, default=schedule.last_run_at))
    if not coming:
        state: State = "ended" if cursors else "active"
        return replace(schedule, state=state, next_run_at=None, next_zone=None, delay=timedelta())
    _, first = min(coming, key=lambda item: (item[0], item[1].zone))
    return replace(
        schedule,
        state="active",
        next_run_at=first.next_run_at,
        next_zone=first.zone,
        delay=first.delay,
    )
