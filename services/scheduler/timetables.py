"""The timetable of a schedule: what its document says, within its limits and without its days off."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.scheduler.domain.catch_up import Timetable, next_after
from services.scheduler.domain.exclusions import Bounded, DaysOff, Excluding
from services.scheduler.domain.rules import Rules, jitter_of
from services.scheduler.domain.schedules import Schedule
from services.scheduler.specs import read_spec


def timetable_of(spec: dict[str, Any], rules: Rules) -> Timetable:
    """When a schedule is due; raises `InvalidSpec`."""
    read = read_spec(spec)
    found: Timetable = read.timetable
    if rules.excluded or rules.exclude_weekends:
        off = DaysOff(frozenset(rules.excluded), rules.exclude_weekends)
        found = Excluding(found, read.zone, off, rules.on_excluded)
    if rules.start_at or rules.end_at:
        found = Bounded(found, rules.start_at, rules.end_at)
    return found


def upcoming(schedule: Schedule, moment: datetime, count: int) -> list[datetime]:
    """The next instants after a moment, fewer where there are no more; jitter is not in them."""
    timetable = timetable_of(schedule.spec, schedule.rules)
    if schedule.rules.max_runs is not None:
        count = min(count, max(schedule.rules.max_runs - schedule.runs, 0))
    found: list[datetime] = []
    following = next_after(timetable, moment)
    while following is not None and len(found) < count:
        found.append(following)
        following = next_after(timetable, following)
    return found


def coming(parts: Sequence[Schedule], moment: datetime, count: int) -> list[tuple[datetime, str]]:
    """The next instants of a schedule's parts after a moment, each with its zone, in order."""
    found = [(instant, part.time_zone) for part in parts for instant in upcoming(part, moment, count)]
    return sorted(found)[:count]


def jitter(schedule: Schedule, timetable: Timetable, moment: datetime | None) -> timedelta:
    """By how much the announcement of one of its instants is put off."""
    most = schedule.rules.jitter
    if moment is None or not most:
        return timedelta()
    return jitter_of(schedule.id, moment, next_after(timetable, moment), most)


def runs_next_at(schedule: Schedule, moment: datetime | None) -> Schedule:
    """The schedule with its next instant; it has ended where there is none, or none is left to run."""
    most = schedule.rules.max_runs
    if moment is None or (most is not None and schedule.runs >= most):
        return replace(schedule, state="ended", next_run_at=None, delay=timedelta())
    delay = jitter(schedule, timetable_of(schedule.spec, schedule.rules), moment)
    return replace(schedule, state="active", next_run_at=moment, delay=delay)
