"""Which days are simulated, and at which moments of a day the clock stands still."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from services.billing.domain.periods import first_day, following, period_of

EARLY: Final = time(10, 30)
"""In UTC. In each of the portfolio's zones, from New York to Honolulu, the new day has begun."""

NOON: Final = time(19, 30)
"""In UTC. In each of them the day has got on: between half past nine in Honolulu and half past three."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are simulated."""

    starts_on: date
    until_on: date

    @classmethod
    def of(cls, months: int, until: date) -> "Span":
        """So many months, the one of `until` included, each from its first day."""
        first = until.replace(day=1)
        for _ in range(months - 1):
            first = (first - timedelta(days=1)).replace(day=1)
        return cls(first, until)

    @property
    def eve(self) -> datetime:
        """When everything is set up: before the first moment, and after its day's last."""
        return datetime.combine(self.starts_on - timedelta(days=1), NOON, UTC) + timedelta(hours=1)

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.until_on - self.starts_on).days + 1

    @property
    def months(self) -> tuple[str, ...]:
        """The periods it touches, such as `2026-09`."""
        found = [period_of(self.starts_on)]
        while found[-1] < period_of(self.until_on):
            found.append(following(found[-1]))
        return tuple(found)

    def month(self, number: int) -> str:
        """The period of its so-manyeth month, from 1; of the last one where it has fewer."""
        return self.months[min(max(number, 1), len(self.months)) - 1]

    def first_of(self, number: int) -> date:
        """The first day of a month, as `month` counts."""
        return first_day(self.month(number))


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A moment at which the clock stands until nothing is left to do."""

    at: datetime
    people_act: bool
    """Whether it is one at which tenants and the landlord do something."""

    @property
    def on(self) -> date:
        """The day it is, in UTC and at `NOON` also in each of the portfolio's zones."""
        return self.at.date()


def moments(span: Span, *, after: datetime, now: datetime) -> Iterator[Moment]:
    """The moments of a span from one on, that one included, as far as they have passed by now.

    One a day is enough: what a schedule would have announced in between is one run that stands for all of
    them, as after a downtime. On the first of a month, when most is issued, there is one at night as well, so
    that what is said then waits for the morning.
    """
    for number in range(span.days):
        day = span.starts_on + timedelta(days=number)
        early, noon = (datetime.combine(day, hour, UTC) for hour in (EARLY, NOON))
        if day.day == 1 and after <= early <= now:
            yield Moment(early, people_act=False)
        if after <= noon <= now:
            yield Moment(noon, people_act=True)
