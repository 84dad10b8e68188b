"""Which days count towards a late fee: grace, business days, holds, and months from an anchor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

GraceConvention = Literal["full_days", "nth_day"]

_ONE_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """The days after the due date on which rent may still come without a fee.

    Products mean different days by the same number. "full_days": all of them are free, and the first fee
    comes the day after (due + days + 1). "nth_day": the fee comes on that day itself (due + days).
    """

    days: int = 0
    convention: GraceConvention = "full_days"
    business_days: bool = False
    """Weekends and holidays are not counted; the due date itself stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A window, both ends included, in which no fee comes about; it ends by itself."""

    from_on: date
    to_on: date | None = None
    kind: str = "hold"

    def covers(self, day: date) -> bool:
        """Whether a day lies inside."""
        return self.from_on <= day and (self.to_on is None or day <= self.to_on)


@dataclass(frozen=True, slots=True)
class FeeCalendar:
    """Days as late fees count them.

    A day inside a hold has no fee. By default it does not count afterwards either: grace, days and months
    go on where they stood when the hold began. Where hold days do count, only a fee that falls inside
    waits for the end.
    """

    holds: Sequence[Hold] = ()
    hold_days_count: bool = False
    holidays: frozenset[date] = frozenset()

    def held(self, day: date) -> bool:
        """Whether a hold covers the day."""
        return any(hold.covers(day) for hold in self.holds)

    def released(self, day: date) -> date | None:
        """The first day from this one on that no hold covers; None where a hold has no end."""
        found = day
        while covering := [hold.to_on for hold in self.holds if hold.covers(found)]:
            ends = [end for end in covering if end is not None]
            if len(ends) < len(covering):
                return None
            found = max(ends) + _ONE_DAY
        return found

    def after(self, start: date, days: int, *, business: bool = False) -> date | None:
        """The day that is so many counting days later; None where a hold without an end intervenes."""
        if self.hold_days_count:
            return self.released(
                self._business_days_after(start, days) if business else start + days * _ONE_DAY
            )
        found: date | None = start if days else self.released(start)
        for _ in range(days):
            found = self._next_counting(found, business=business) if found else None
        return found

    def _next_counting(self, day: date, *, business: bool) -> date | None:
        found = self.released(day + _ONE_DAY)
        while found and business and not self._is_business_day(found):
            found = self.released(found + _ONE_DAY)
        return found

    def _business_days_after(self, start: date, days: int) -> date:
        found = start
        for _ in range(days):
            found += _ONE_DAY
            while not self._is_business_day(found):
                found += _ONE_DAY
        return found

    def _is_business_day(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and day not in self.holidays

    def first_fee_on(self, due_on: date, grace: Grace) -> date | None:
        """The first day on which a fee is possible: never the due date itself."""
        if grace.convention == "nth_day":
            return self.after(due_on, max(grace.days, 1), business=grace.business_days)
        if not grace.business_days:
            return self.after(due_on, grace.days + 1)
        last_free = self.after(due_on, grace.days, business=True) if grace.days else due_on
        return self.after(last_free, 1) if last_free else None

    def month_after(self, fee_on: date, nominal: date) -> date | None:
        """The day a monthly fee that is nominally due on a day falls on, counted from the fee before it."""
        return self.after(fee_on, (nominal - fee_on).days)
