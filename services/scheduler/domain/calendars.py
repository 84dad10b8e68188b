"""Timetables that are not cron: every so often, every so many days or months, once.

Each instant is computed from the anchor and never from the one before it: so the 31st returns after
February, 02:30 returns after the night without it, and a restart moves no phase.
"""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Final, Literal

from services.scheduler.domain.catch_up import NeverAgain
from services.scheduler.domain.local_times import FIXED_TIME, in_order, local_start

_MONTHS: Final = 12
_LAST_YEAR: Final = 9_000
"""Beyond it calendars of the standard library end."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so much elapsed time from an anchor on, whatever the clocks on walls do."""

    anchor: datetime
    every: timedelta

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment, in UTC."""
        anchor = self.anchor.astimezone(UTC)
        passed = (moment - anchor) // self.every + 1
        return anchor + max(passed, 0) * self.every


@dataclass(frozen=True, slots=True)
class CalendarDays:
    """Every so many days at a local time, from a first date on."""

    start: date
    every_days: int
    at: time
    zone: tzinfo

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment, in UTC."""
        return _first_after(moment, self.zone, self._locals)

    def _locals(self, from_: datetime) -> Iterator[datetime]:
        first = max((from_.date() - self.start).days // self.every_days, 0)
        for number in count(first):
            yield datetime.combine(self.start + timedelta(days=number * self.every_days), self.at)


@dataclass(frozen=True, slots=True)
class Monthly:
    """Every so many months on a day of the month at a local time, from a first month on."""

    start_year: int
    start_month: int
    every_months: int
    day: int | Literal["last"]
    at: time
    zone: tzinfo
    overflow: Literal["clamp", "skip"] = "clamp"
    """What a month does that has no such day: its last day, or nothing."""

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment, in UTC."""
        return _first_after(moment, self.zone, self._locals)

    def _locals(self, from_: datetime) -> Iterator[datetime]:
        start = self.start_year * _MONTHS + self.start_month - 1
        first = max((from_.year * _MONTHS + from_.month - 1 - start) // self.every_months, 0)
        for number in count(first):
            year, month = divmod(start + number * self.every_months, _MONTHS)
            if year > _LAST_YEAR:
                return
            if (day := self._day_in(year, month + 1)) is not None:
                yield datetime.combine(day, self.at)

    def _day_in(self, year: int, month: int) -> date | None:
        length = monthrange(year, month)[1]
        wanted = length if self.day == "last" else self.day
        if wanted > length and self.overflow == "skip":
            return None
        return date(year, month, min(wanted, length))


@dataclass(frozen=True, slots=True)
class Once:
    """A single instant."""

    at: datetime

    def after(self, moment: datetime) -> datetime:
        """The instant; raises `NeverAgain` where it has passed."""
        if moment >= self.at:
            raise NeverAgain
        return self.at.astimezone(UTC)


def _first_after(
    moment: datetime, zone: tzinfo, locals_from: Callable[[datetime], Iterator[datetime]]
) -> datetime:
    for due in in_order(locals_from(local_start(moment, zone)), zone, FIXED_TIME):
        if due > moment:
            return due
    raise NeverAgain
