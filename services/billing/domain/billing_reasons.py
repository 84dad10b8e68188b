"""Why a period of a lease is billed, or is not, in words that say what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from services.billing.domain.due_periods import Tenure
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.periods import BillingPeriod, due_date, first_day, period_of
from services.billing.domain.policies import BillingPolicy

Verdict = Literal["billed", "not_in_force", "overlapped", "voided", "held_back", "over", "waits", "due"]


@dataclass(frozen=True, slots=True)
class Reason:
    """The standing of one period, and a sentence that says why."""

    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class Invoiced:
    """An invoice of a lease, as far as it decides what else is billed."""

    number: str
    starts_on: date
    ends_on: date
    is_void: bool = False

    def overlaps(self, period: BillingPeriod) -> bool:
        """Whether it shares a day with a period."""
        return self.starts_on <= period.ends_on and period.starts_on <= self.ends_on


def reason(
    tenure: Tenure,
    period: BillingPeriod,
    invoiced: Sequence[Invoiced],
    policy: BillingPolicy,
    today: date,
) -> Reason:
    """How a period stands, under the policy that holds today; in the order in which a run decides it."""
    if not tenure.covers(period):
        until = f"to {tenure.last_on}" if tenure.last_on else "on, without an end"
        return Reason("not_in_force", f"the lease is in force from {tenure.starts_on} {until}")
    overlapping = [item for item in invoiced if item.overlaps(period)]
    live = [item for item in overlapping if not item.is_void]
    for item in live:
        if item.starts_on == period.starts_on:
            return Reason("billed", f"it is billed already, by {item.number}")
    if live:
        names = ", ".join(item.number for item in live)
        return Reason("overlapped", f"it shares days with {names}, issued under other terms; void that first")
    return _open(period, [item for item in overlapping if item.is_void], policy, today)


def _open(period: BillingPeriod, voided: Sequence[Invoiced], policy: BillingPolicy, today: date) -> Reason:
    by_hand = f"`propman billing generate-monthly-invoices --month {period.label}` bills it"
    if voided:
        return Reason("voided", f"{voided[-1].number} for it was voided by a person; {by_hand}")
    if not policy.auto_generate:
        return Reason("held_back", f"the policy says that nothing is invoiced by itself; {by_hand}")
    if period.ends_on < first_day(period_of(today)):
        return Reason("over", f"the schedule bills no month that is over; {by_hand}")
    from_on = period.starts_on - timedelta(days=policy.lead_days)
    if from_on > today:
        ahead = f", {policy.lead_days} days ahead" if policy.lead_days else ""
        return Reason("waits", f"the schedule bills it from {from_on} on{ahead}")
    return Reason("due", "the next run of the schedule bills it")


def due_reason(terms: LeaseTerms, period: BillingPeriod, policy: BillingPolicy, due_on: date) -> str:
    """Which rule led to a due date."""
    if period.frequency != "monthly":
        after = f", {policy.due_after_days} days after that" if policy.due_after_days else ""
        return f"rent by the week is due as its period begins{after}"
    whose, day = ("the policy's", policy.due_day) if policy.due_day else ("the lease's", terms.due_day)
    clamped = due_date(period.label, day)
    if due_on == clamped:
        short = f", which in {period.label} is its last day" if clamped.day != day else ""
        return f"{whose} due day is {day}{short}"
    if due_on == terms.starts_on:
        return f"{whose} due day is {day}, and nothing is due before the lease's first day"
    return "as it was agreed when the invoice was issued"


def gaps(
    tenure: Tenure, periods: Sequence[BillingPeriod], invoiced: Sequence[Invoiced]
) -> list[BillingPeriod]:
    """The periods since the first one that was ever invoiced that have no invoice."""
    live = [item for item in invoiced if not item.is_void]
    first = min((item.starts_on for item in invoiced), default=None)
    return [
        period
        for period in periods
        if first is not None
        and period.starts_on >= first
        and tenure.covers(period)
        and not any(item.overlaps(period) for item in live)
    ]
