"""What is wrong with a schedule, judged from its definition and its history alone.

The scheduler cannot report its own death: so nothing here trusts that it has done what it should.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.domain.alerts import IN_WORDS, Finding, Kind
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.schedules import Schedule

LATE: Final = timedelta(seconds=60)
"""So long after its instant a trigger is announced at the latest, beside the schedule's own grace."""

START: Final = timedelta(minutes=2)
"""So long a trigger may lie in a queue that nobody takes from."""

PATIENCE: Final = timedelta(minutes=30)
"""So long an outcome may take where the schedule sets no deadline."""

STREAK: Final = 3
"""So many failures in a row."""

SILENT_PERIODS: Final = 3
SILENT_AT_LEAST: Final = timedelta(days=1)
"""So long nothing may come of a schedule, whichever is more."""

RARE: Final = timedelta(hours=20)
"""What comes more often than this may well find nothing to do."""

SLOW_AT_LEAST: Final = timedelta(seconds=60)
SLOW_FACTOR: Final = 3
SLOW_SAMPLES: Final = 20
"""So many successes make a habit."""

FAILED: Final = frozenset({"failed", "partial"})
SUCCEEDED: Final = frozenset({"succeeded", "succeeded_late"})
NO_EFFECT: Final = frozenset({"examined", "skipped", "failed", "kept"})
"""Counts that say nothing of what was done."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A schedule, what came of it, and what its definition says should have."""

    schedule: Schedule
    since: datetime
    """When it was first written down."""
    history: Sequence[Occurrence]
    """Its last runs, newest first, without dry runs and what never was announced."""
    last_success_at: datetime | None
    due_at: datetime | None
    """The first instant that should have been announced since anything was; None where none is near."""
    period: timedelta | None
    """From one instant to the next."""
    fits: bool = True
    """Whether its next run is an instant of its definition."""


@dataclass(frozen=True, slots=True)
class Deaf:
    """A queue with nobody who takes from it."""

    consumer: str
    trigger: str


def judge(watched: Watched, now: datetime, deaf: Collection[Deaf] = ()) -> list[Finding]:
    """Everything that is wrong with a schedule; the cause, where one explains the other."""
    schedule = watched.schedule
    if schedule.state == "archived":
        return []
    found = [
        *_announcing(watched, now),
        *_answering(watched, now, deaf),
        *_outcomes(watched),
    ]
    if not found:
        found += _silence(watched, now)
    return [Finding(kind, schedule.key, f"{IN_WORDS[kind]}: {detail}") for kind, detail in found]


_Found = Iterator[tuple[Kind, str]]


def _announcing(watched: Watched, now: datetime) -> _Found:
    schedule = watched.schedule
    if schedule.state == "error":
        yield "held_back", schedule.last_error or "no reason is known"
    if schedule.state == "ended" and schedule.runs == 0:
        yield "never_fires", "its limits and days off leave no instant"
    if schedule.state != "active":
        return
    grace = LATE + schedule.rules.grace + schedule.delay
    if watched.due_at is not None and now - watched.due_at > grace:
        yield "not_published", f"since {watched.due_at:%Y-%m-%d %H:%M} UTC"
    if not watched.fits:
        yield "tzdata_changed", "edit it, or let it run once, to count anew"


def _answering(watched: Watched, now: datetime, deaf: Collection[Deaf]) -> _Found:
    waiting = [item for item in watched.history if item.state == "waiting"]
    if undelivered := next((item for item in waiting if item.undelivered), None):
        yield "unroutable", f"{undelivered.undelivered}, occurrence {undelivered.id}"
        return
    lost = [
        (item, sorted(_deaf_of(item, deaf)))
        for item in waiting
        if _age(item, now) > START and _deaf_of(item, deaf)
    ]
    if lost:
        item, consumers = lost[-1]
        yield "not_started", f"{', '.join(consumers)} takes nothing, occurrence {item.id}"
        return
    unstarted = [item for item in waiting if item.unstarted and item.started_at is None]
    if unstarted:
        item = unstarted[-1]
        yield "not_started", f"{', '.join(item.unanswered)} has not begun in time, occurrence {item.id}"
        return
    late = [item for item in waiting if item.expected and now > _deadline(item, now)]
    newest = watched.history[0] if watched.history else None
    if newest is not None and newest.state == "timed_out":
        late.append(newest)
    if late:
        yield "overdue", f"nothing from {', '.join(late[-1].unanswered)}, occurrence {late[-1].id}"


def _deaf_of(item: Occurrence, deaf: Collection[Deaf]) -> set[str]:
    return {consumer for consumer in item.unanswered if Deaf(consumer, item.trigger) in deaf}


def _age(item: Occurrence, now: datetime) -> timedelta:
    return now - item.since


def _deadline(item: Occurrence, now: datetime) -> datetime:
    return item.deadline_at or now - _age(item, now) + PATIENCE


def _outcomes(watched: Watched) -> _Found:
    ended = [item for item in watched.history if item.settled]
    if ended and ended[0].state in FAILED:
        problems = [problem for report in ended[0].reports for problem in report.problems]
        said = f": {problems[0]}" if problems else ""
        yield "failed", f"{ended[0].state}, occurrence {ended[0].id}{said}"
    streak = ended[:STREAK]
    if len(streak) == STREAK and all(item.state in FAILED | {"timed_out"} for item in streak):
        yield "failure_streak", f"the last {STREAK} runs"
    successes = [item for item in watched.history if item.state in SUCCEEDED]
    if ended and successes and ended[0] is successes[0]:
        yield from _unlike_the_others(watched.period, successes)


def _unlike_the_others(period: timedelta | None, successes: Sequence[Occurrence]) -> _Found:
    newest = successes[0]
    before = [item for item in successes[1:] if item.zone == newest.zone]  # each zone has its own habits
    rare = period is not None and period >= RARE
    habit = [_effect(item) for item in before[:3]]
    if rare and _effect(newest) == 0 and len(habit) == 3 and all(count > 0 for count in habit):
        yield "zero_effect", f"occurrence {newest.id}, after {', '.join(map(str, habit))} before"
    lengths = sorted(_length(item) for item in before)
    if len(lengths) >= SLOW_SAMPLES:
        usual = lengths[int(len(lengths) * 0.95)]
        length = _length(newest)
        if length > SLOW_AT_LEAST and length > SLOW_FACTOR * usual:
            yield "slow", f"{length.total_seconds():.0f} s instead of {usual.total_seconds():.0f} s"


def _effect(item: Occurrence) -> int:
    counts = [pair for report in item.reports for pair in report.counts.items()]
    return sum(count for name, count in counts if name not in NO_EFFECT)


def _length(item: Occurrence) -> timedelta:
    """For how long it was worked on. What lay in a queue, its consumer away, was not slow for that."""
    begun = item.started_at or item.since
    return (item.finished_at or begun) - begun


def _silence(watched: Watched, now: datetime) -> _Found:
    """Nothing else is wrong, and yet nothing comes of it: paused and forgotten, or always left out."""
    schedule = watched.schedule
    paused_for_long = schedule.state == "paused" and schedule.paused_until is None
    if not (schedule.state == "active" or paused_for_long) or not schedule.expected:
        return
    if watched.period is None:
        return
    since = watched.last_success_at or watched.since
    if now - since > max(SILENT_PERIODS * watched.period, SILENT_AT_LEAST) + PATIENCE:
        why = "it is paused" if paused_for_long else "it may always be left out: see its history"
        yield "silent", f"since {since:%Y-%m-%d %H:%M} UTC; {why}"
