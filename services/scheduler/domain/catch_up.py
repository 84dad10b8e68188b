"""Which of the instants that have passed are announced, and which are only written down as missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

ON_TIME: Final = timedelta(seconds=60)
"""Up to here a run is on time; above it, it is a catch-up and history says so."""

COUNT_LIMIT: Final = 1_000
"""Beyond so many missed instants the count is no longer worth computing: it then means "at least"."""


_FARTHEST: Final = timedelta(days=15_000)


class TimetableStuck(Exception):
    """A timetable whose next instant has already passed."""


class Timetable(Protocol):
    """When a schedule is due. Instants are aware, in UTC."""

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment."""


@dataclass(frozen=True, slots=True)
class Due:
    """One announcement for everything that has come due."""

    scheduled_for: datetime
    origin: Literal["schedule", "catch_up"]
    coalesced: int
    coalesced_from: datetime | None
    """The earliest instant it stands for, where that is another."""
    next_run_at: datetime


def latest_due(timetable: Timetable, *, first: datetime, now: datetime) -> Due:
    """The newest due instant speaks for those before it: catching up bills a month once, not ten times."""
    current, count = first, 1
    following = timetable.after(current)
    while following <= now and count < COUNT_LIMIT:
        current, count = following, count + 1
        following = timetable.after(current)
    if following <= now:
        current = newest(timetable, now) or current
        following = timetable.after(current)
    _require_progress(now, following)
    return Due(
        scheduled_for=current,
        origin="schedule" if count == 1 and now - current <= ON_TIME else "catch_up",
        coalesced=count,
        coalesced_from=first if count > 1 else None,
        next_run_at=following,
    )


def newest(timetable: Timetable, moment: datetime) -> datetime | None:
    """The last due instant at or before a moment, or None where none is found in forty years.

    Looked for forwards through growing windows: an engine that runs backwards would have to get the
    clock changes right a second time.
    """
    window = timedelta(hours=1)
    while window < _FARTHEST:
        found, following = None, timetable.after(moment - window)
        while following <= moment:
            found, following = following, timetable.after(following)
            _require_progress(found, following)
        if found is not None:
            return found
        window *= 24
    return None


def _require_progress(moment: datetime, following: datetime) -> None:
    """Engines have gone backwards across clock changes; a schedule would fire for ever."""
    if following <= moment:
        raise TimetableStuck(f"the next run, {following.isoformat()}, is not after {moment.isoformat()}")


Policy = Literal["latest", "all", "earliest", "skip"]
"""What is announced of instants that passed unannounced: the newest for all of them, each, the oldest
for all of them, or none."""


@dataclass(frozen=True, slots=True)
class CatchUpRules:
    """How a schedule catches up after downtime, or after a pause."""

    policy: Policy = "latest"
    window: timedelta = timedelta(days=31)
    """Instants that are older than this are missed, whatever the policy."""
    most: int = 100
    """How many `all` announces; the newest of them, and the rest is missed."""
    grace: timedelta = ON_TIME
    """So late is still on time."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An instant to announce, and for how many it stands."""

    scheduled_for: datetime
    coalesced: int = 1
    coalesced_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """An instant that is not announced, and why."""

    scheduled_for: datetime
    reason: Literal["window", "cap", "policy"]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What is to be announced, oldest first, and what was missed. No instant is in neither."""

    publish: tuple[Announced, ...]
    missed: tuple[Missed, ...]


def plan_catch_up(due: Sequence[datetime], *, now: datetime, rules: CatchUpRules) -> CatchUp:
    """Divide instants that have come due, oldest first, into what is announced and what was missed.

    What is on time is always announced; under `latest` it speaks for the late ones before it.
    """
    on_time = [moment for moment in due if now - moment <= rules.grace]
    late = due[: len(due) - len(on_time)]
    recent = [moment for moment in late if now - moment <= rules.window]
    missed = [Missed(moment, "window") for moment in late[: len(late) - len(recent)]]
    if rules.policy == "skip":
        missed += [Missed(moment, "policy") for moment in recent]
        publish = [Announced(moment) for moment in on_time]
    elif rules.policy == "latest":
        publish = _one_for_all([*recent, *on_time], -1)
    elif rules.policy == "earliest":
        publish = [*_one_for_all(recent, 0), *(Announced(moment) for moment in on_time)]
    else:
        every = [*recent, *on_time]
        kept = every[-rules.most :]
        missed += [Missed(moment, "cap") for moment in every[: len(every) - len(kept)]]
        publish = [Announced(moment) for moment in kept]
    return CatchUp(tuple(publish), tuple(missed))


def _one_for_all(moments: Sequence[datetime], chosen: Literal[0, -1]) -> list[Announced]:
    if not moments:
        return []
    several = len(moments) > 1
    return [Announced(moments[chosen], len(moments), moments[0] if several else None)]
