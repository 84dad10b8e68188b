"""Calendar months as billing periods, and the dates in them."""

from calendar import monthrange
from datetime import date
from typing import Final

_MONTHS_IN_YEAR: Final = 12


def period_of(day: date) -> str:
    """The month a date lies in, "2026-09"."""
    return f"{day.year:04d}-{day.month:02d}"


def first_day(period: str) -> date:
    """The first date of a period."""
    year, month = map(int, period.split("-"))
    return date(year, month, 1)


def last_day(period: str) -> date:
    """The last date of a period."""
    start = first_day(period)
    return start.replace(day=monthrange(start.year, start.month)[1])


def due_date(period: str, due_day: int) -> date:
    """The due day in a period, clamped to its length.

    Always from the anchor day, never from the month before: the 31st is the 28th in February and the
    31st again in March.
    """
    end = last_day(period)
    return end.replace(day=min(due_day, end.day))


def following(period: str) -> str:
    """The next month."""
    start = first_day(period)
    year, month = divmod(start.year * _MONTHS_IN_YEAR + start.month, _MONTHS_IN_YEAR)
    return f"{year:04d}-{month + 1:02d}"
