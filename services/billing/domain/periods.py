"""Billing periods: calendar months, and weeks counted from a lease's first day.

Every date is computed from its anchor, never from the one before: a 31st is the 28th in February and the
31st again in March.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.billing.domain.leases import Frequency

_MONTHS_IN_YEAR: Final = 12
_DAYS: Final[dict[Frequency, int]] = {"weekly": 7, "four_weekly": 28}


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """What one invoice is for; both days belong to it."""

    starts_on: date
    ends_on: date
    label: str
    """The month it begins in, "2026-09"."""
    frequency: Frequency = "monthly"

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.ends_on - self.starts_on).days + 1

    def holds(self, day: date) -> bool:
        """Whether a day lies in it."""
        return self.starts_on <= day <= self.ends_on

    @property
    def text(self) -> str:
        """Its name for people: a month by its name, weeks by their days."""
        return self.label if self.frequency == "monthly" else f"{self.starts_on} to {self.ends_on}"


def month(label: str) -> BillingPeriod:
    """A whole calendar month."""
    return BillingPeriod(first_day(label), last_day(label), label)


def period_at(frequency: Frequency, anchor_on: date, day: date) -> BillingPeriod:
    """The one period that a day lies in; weeks are counted from the anchor, in both directions."""
    if frequency == "monthly":
        return month(period_of(day))
    length = _DAYS[frequency]
    starts_on = anchor_on + timedelta(days=(day - anchor_on).days // length * length)
    return BillingPeriod(starts_on, starts_on + timedelta(days=length - 1), period_of(starts_on), frequency)


def following_period(period: BillingPeriod) -> BillingPeriod:
    """The period that begins on the next day."""
    starts_on = period.ends_on + timedelta(days=1)
    return period_at(period.frequency, starts_on, starts_on)


def periods_between(
    frequency: Frequency, anchor_on: date, first_on: date, last_on: date
) -> list[BillingPeriod]:
    """Every period that has a day between two days, in order."""
    found: list[BillingPeriod] = []
    period = period_at(frequency, anchor_on, first_on)
    while period.starts_on <= last_on:
        found.append(period)
        period = following_period(period)
    return found


def period_of(day: date) -> str:
    """The month a date lies in, "2026-09"."""
    return f"{day.year:04d}-{day.month:02d}"


def first_day(period: str) -> date:
    """The first date of a month."""
    year, month_of_year = map(int, period.split("-"))
    return date(year, month_of_year, 1)


def last_day(period: str) -> date:
    """The last date of a month."""
    start = first_day(period)
    return start.replace(day=monthrange(start.year, start.month)[1])


def due_date(period: str, due_day: int) -> date:
    """The due day in a month, clamped to its length."""
    end = last_day(period)
    return end.replace(day=min(due_day, end.day))


def months_after(anchor_on: date, months: int) -> date:
    """The same day some months later, clamped to the length of that month.

    Twelve months after a February 29th is a 28th; forty-eight months after, a 29th again.
    """
    year, month_of_year = divmod(
        anchor_on.year * _MONTHS_IN_YEAR + anchor_on.month - 1 + months, _MONTHS_IN_YEAR
    )
    return due_date(f"{year:04d}-{month_of_year + 1:02d}", anchor_on.day)


def months_between(anchor_on: date, day: date) -> int:
    """How many months later a day's month is than the anchor's; negative where it is earlier."""
    return (day.year - anchor_on.year) * _MONTHS_IN_YEAR + day.month - anchor_on.month


def following(period: str) -> str:
    """The next month."""
    return period_of(months_after(first_day(period), 1))
