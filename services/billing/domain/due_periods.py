"""Which periods of a lease are to be billed: by the schedule, or for a month somebody names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from services.billing.domain.leases import Frequency
from services.billing.domain.periods import (
    BillingPeriod,
    first_day,
    last_day,
    period_at,
    period_of,
    periods_between,
)

LONGEST_LEAD_DAYS: Final = 62
"""Nobody bills further ahead; it bounds what a run has to look at."""

LONGEST_PERIOD_DAYS: Final = 31

Standing = Literal["free", "billed", "overlapped"]


@dataclass(frozen=True, slots=True)
class Tenure:
    """When a lease is in force, and how its time is divided."""

    frequency: Frequency
    starts_on: date
    last_on: date | None

    def covers(self, period: BillingPeriod) -> bool:
        """Whether the lease has a day in a period."""
        return self.starts_on <= period.ends_on and (self.last_on is None or period.starts_on <= self.last_on)

    def begins(self, starts_on: date) -> BillingPeriod | None:
        """The lease's period that begins on a day, or None where none does."""
        period = period_at(self.frequency, self.starts_on, starts_on)
        return period if period.starts_on == starts_on else None


def periods_due(tenure: Tenure, today: date, lead_days: int) -> list[BillingPeriod]:
    """What the schedule bills today: this month's periods, and later ones that begin within the lead.

    Of the past it takes this month only: a landlord who begins with Propman in September has billed
    August elsewhere.
    """
    until = today + timedelta(days=min(lead_days, LONGEST_LEAD_DAYS))
    found = periods_between(tenure.frequency, tenure.starts_on, first_day(period_of(today)), until)
    return [period for period in found if tenure.covers(period)]


def periods_of_month(tenure: Tenure, label: str) -> list[BillingPeriod]:
    """The periods that begin in a month: what somebody means who bills that month."""
    found = periods_between(tenure.frequency, tenure.starts_on, first_day(label), last_day(label))
    return [period for period in found if period.label == label and tenure.covers(period)]


def standing(period: BillingPeriod, issued: Iterable[tuple[date, date]]) -> Standing:
    """How a period stands to the periods of a lease's invoices that are not void.

    Where the start or the rhythm of a lease was changed after an invoice was issued, a period may share
    days with it: billing that would bill those days twice.
    """
    overlapping = [days for days in issued if days[0] <= period.ends_on and period.starts_on <= days[1]]
    if any(days[0] == period.starts_on for days in overlapping):
        return "billed"
    return "overlapped" if overlapping else "free"
