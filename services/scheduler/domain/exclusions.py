"""Timetables within limits: from a moment on, up to a moment, and without certain days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from services.scheduler.domain.catch_up import NeverAgain, Timetable
from services.scheduler.domain.local_times import FIXED_TIME, instants_of
from services.scheduler.domain.rules import OnExcluded

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5
_TICK: Final = timedelta(microseconds=1)
_FARTHEST: Final = timedelta(days=3_660)
"""A timetable whose days are all excluded is found out within ten years of it."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A timetable from a moment on and up to another, both included."""

    inner: Timetable
    start: datetime | None
    end: datetime | None

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment; raises `NeverAgain` after the end."""
        if self.start is not None:
            moment = max(moment, self.start - _TICK)
        found = self.inner.after(moment)
        if self.end is not None and found > self.end:
            raise NeverAgain
        return found


@dataclass(frozen=True, slots=True)
class DaysOff:
    """The local dates on which nothing runs."""

    dates: frozenset[date]
    weekends: bool

    def __contains__(self, day: date) -> bool:
        """Whether nothing runs on a day."""
        return day in self.dates or (self.weekends and day.weekday() >= _SATURDAY)

    def next_business_day(self, day: date) -> date:
        """The first later day that is neither excluded nor of a weekend."""
        day += _DAY
        while day in self.dates or day.weekday() >= _SATURDAY:
            day += _DAY
        return day

    def stretch_before(self, day: date) -> date:
        """The first of the days without business right before a day, or the day itself."""
        while (day - _DAY) in self.dates or (day - _DAY).weekday() >= _SATURDAY:
            day -= _DAY
        return day


@dataclass(frozen=True, slots=True)
class Excluding:
    """A timetable without certain local dates; what falls on them is left out or moved."""

    inner: Timetable
    zone: tzinfo
    off: DaysOff
    action: OnExcluded

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment."""
        return self._kept_after(moment) if self.action == "skip" else self._moved_after(moment)

    def _kept_after(self, moment: datetime) -> datetime:
        limit = moment + _FARTHEST
        found = self.inner.after(moment)
        while self._day(found) in self.off:
            if found > limit:
                raise NeverAgain
            found = self.inner.after(self._end_of_day(found))
        return found

    def _moved_after(self, moment: datetime) -> datetime:
        # What is moved to a later day than `moment` comes from it, or from the days off right before it.
        earliest = self.off.stretch_before(self._day(moment))
        best: datetime | None = None
        cursor = self._midnight(earliest) - _TICK
        while True:
            try:
                cursor = self.inner.after(cursor)
            except NeverAgain:
                if best is None:
                    raise
                return best
            if best is not None and cursor >= best:
                return best
            target = self._moved(cursor)
            if target > moment and (best is None or target < best):
                best = target

    def _moved(self, moment: datetime) -> datetime:
        local = moment.astimezone(self.zone)
        if local.date() not in self.off:
            return moment
        day = self.off.next_business_day(local.date())
        return instants_of(datetime.combine(day, local.time()), self.zone, FIXED_TIME)[0]

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def _midnight(self, day: date) -> datetime:
        return instants_of(datetime.combine(day, time()), self.zone, FIXED_TIME)[0].astimezone(UTC)

    def _end_of_day(self, moment: datetime) -> datetime:
        """The last instant of a moment's local date, so that a dense timetable is crossed in one step."""
        return max(moment, self._midnight(self._day(moment) + _DAY) - _TICK)
