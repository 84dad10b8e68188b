"""Which of the instants that have passed are announced, and which are only written down as missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

ON_TIME: Final = timedelta(seconds=60)
"""Up to here a run is on time; above it, it is a catch-up and history says so."""

COUNT_LIMIT: Final = 1_000
"""Beyond so many missed instants not each is listed any more, and the count means "at least"."""


_FARTHEST: Final = timedelta(days=15_000)


class NeverAgain(Exception):
    """A timetable that has no further instant."""


class TimetableStuck(Exception):
    """A timetable whose next instant has already passed."""


class Timetable(Protocol):
    """When a schedule is due. Instants are aware, in UTC."""

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment; raises `NeverAgain` where there is none."""


@dataclass(frozen=True, slots=True)
class Arrears:
    """What has come due, oldest first: every instant or, of very many, the first and the newest."""

    instants: tuple[datetime, ...]
    between: int
    """How many were not listed between the first and the second; at least so many."""
    between_from: datetime | None
    """The earliest of those."""
    following: datetime | None
    """The first instant that is not yet due; None where there is none any more."""


def arrears(timetable: Timetable, *, first: datetime, now: datetime) -> Arrears:
    """What came due from `first`, itself an instant of the timetable, up to now."""
    listed: list[datetime] = []
    moment: datetime | None = first
    while moment is not None and moment <= now and len(listed) <= COUNT_LIMIT:
        listed.append(moment)
        moment = next_after(timetable, moment)
    if moment is None or moment > now:
        return Arrears(tuple(listed), 0, None, moment)
    recent = _recent(timetable, now)
    between = [other for other in listed[1:] if other < recent[0]]
    return Arrears(
        (first, *recent),
        len(between),
        between[0] if between else None,
        next_after(timetable, now),
    )


def next_after(timetable: Timetable, moment: datetime) -> datetime | None:
    """The first due instant strictly after a moment, or None where there is none any more."""
    try:
        found = timetable.after(moment)
    except NeverAgain:
        return None
    _require_progress(moment, found)
    return found


def _recent(timetable: Timetable, now: datetime) -> list[datetime]:
    """The newest instants, at most `COUNT_LIMIT` less one, of a timetable that has more; oldest first."""
    window = timedelta(minutes=1)
    while True:
        found: list[datetime] = []
        moment = next_after(timetable, now - window)
        while moment is not None and moment <= now:
            found.append(moment)
            moment = next_after(timetable, moment)
        if len(found) >= COUNT_LIMIT or window > _FARTHEST:
            return found[-COUNT_LIMIT + 1 :]
        window *= 8


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
