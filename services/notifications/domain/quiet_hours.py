"""Hours in which a person is left in peace, by the wall clock where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_MINUTE: Final = timedelta(minutes=1)
_ROUNDS: Final = 16


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """From `starts` until just before `ends`, over midnight where it starts later than it ends.

    Equal ends mean no quiet hours at all.
    """

    starts: time
    ends: time

    def holds(self, wall: time) -> bool:
        """Whether this time of day is quiet."""
        if self.starts == self.ends:
            return False
        if self.starts < self.ends:
            return self.starts <= wall < self.ends
        return wall >= self.starts or wall < self.ends


DEFAULTS: Final[Mapping[str, QuietWindow]] = {"sms": QuietWindow(time(21), time(8))}
"""47 CFR 64.1200(c)(1): nobody is called before 8 or after 21 o'clock at their own place."""


def is_quiet(window: QuietWindow, zone: tzinfo, at: datetime) -> bool:
    """Whether it is quiet at a place at a moment."""
    return window.holds(at.astimezone(zone).time())


def opens_at(window: QuietWindow, zone: tzinfo, at: datetime) -> datetime:
    """The first moment from `at` on that is not quiet at this place, in UTC."""
    moment = at.astimezone(UTC)
    if not is_quiet(window, zone, moment):
        return moment
    today = moment.astimezone(zone).date()
    ends = (_end_on(today + timedelta(days=days), window, zone) for days in range(-1, 3))
    return min(end for end in ends if end > moment)


def opens_everywhere(window: QuietWindow, zones: Sequence[tzinfo], at: datetime) -> datetime:
    """The first moment that is quiet in none of these zones; where there is none, the first zone decides."""
    moment = at
    for _ in range(_ROUNDS):
        later = max(opens_at(window, zone, moment) for zone in zones)
        if later == moment:
            return moment
        moment = later
    return opens_at(window, zones[0], at)


def _end_on(day: date, window: QuietWindow, zone: tzinfo) -> datetime:
    """The moment a window ends on a day; one that falls into a leap of the clocks ends with the leap.

    Where the clocks go back, the same time of day comes twice, and the first is the end.
    """
    wall = datetime.combine(day, window.ends)
    end = wall.replace(tzinfo=zone).astimezone(UTC)
    if end.astimezone(zone).replace(tzinfo=None) == wall:
        return end
    moment = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += _MINUTE
    return moment
