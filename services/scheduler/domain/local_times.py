"""From the clock on a wall to instants: what is skipped in spring, and what comes twice in autumn."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

Gap = Literal["transition", "shift", "skip"]
"""A local time that the clock skips: at the jump, as much later as the clock jumps, or not at all."""

Overlap = Literal["first", "last", "both"]
"""A local time that comes twice: the first, the second, or both."""

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClockChanges:
    """What is meant by local times that do not exist, and by those that come twice."""

    gap: Gap = "transition"
    overlap: Overlap = "first"


FIXED_TIME: Final = ClockChanges("transition", "first")
"""Debian's rule for jobs at a fixed time: once, whatever the clock does (man 8 cron)."""

WILDCARD: Final = ClockChanges("skip", "both")
"""Debian's rule for jobs with * in minute or hour: every real minute that matches."""


def instants_of(local: datetime, zone: tzinfo, changes: ClockChanges) -> list[datetime]:
    """The instants in UTC, in order, that a naive local time stands for."""
    before, after = _both(local, zone)
    if not _exists(local, zone):
        options = {"transition": [_jump(after, before, zone)], "shift": [before], "skip": []}
        return options[changes.gap]
    if before == after:
        return [before]
    return {"first": [before], "last": [after], "both": [before, after]}[changes.overlap]


def in_order(locals_: Iterable[datetime], zone: tzinfo, changes: ClockChanges) -> Iterator[datetime]:
    """The instants of increasing local times, strictly increasing: what falls together is one."""
    waiting: list[datetime] = []
    last: datetime | None = None
    for local in locals_:
        floor = _earliest(local, zone)  # nothing that is still to come lies before it
        while waiting and waiting[0] < floor:
            moment = heapq.heappop(waiting)
            if moment != last:
                last = moment
                yield moment
        for moment in instants_of(local, zone, changes):
            heapq.heappush(waiting, moment)
    for moment in sorted(set(waiting) - {last}):
        yield moment


def local_start(moment: datetime, zone: tzinfo) -> datetime:
    """A naive local time before which no local time stands for an instant after `moment`.

    It is the local time of the moment, less what the clock is moved around it.
    """
    here = moment.astimezone(zone)
    offsets = [
        (moment + step).astimezone(zone).utcoffset() or timedelta() for step in (-_DAY, timedelta(), _DAY)
    ]
    moved = abs(offsets[0] - offsets[1]) + abs(offsets[1] - offsets[2])
    return here.replace(tzinfo=None, fold=0) - moved


def _both(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """By the offset before a change of the clock, and by that after it (PEP 495)."""
    return (
        local.replace(tzinfo=zone, fold=0).astimezone(UTC),
        local.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _exists(local: datetime, zone: tzinfo) -> bool:
    there = local.replace(tzinfo=zone, fold=0).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None, fold=0) == local


def _earliest(local: datetime, zone: tzinfo) -> datetime:
    before, after = _both(local, zone)
    return before if _exists(local, zone) else _jump(after, before, zone)


def _jump(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The first instant after the clock was put forward, which lies in (low, high]."""
    new = high.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == new:
            high = middle
        else:
            low = middle
    return high
