"""A tenant's record: what each month counts as, and why. A pure function of billing's facts and the date."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from services.rewards.domain.facts import RentInvoice, Today, first_day, last_day
from services.rewards.domain.policies import PolicyBook, RewardPolicy


class Verdict(StrEnum):
    """What a month, or one invoice of it, counts as."""

    ON_TIME = "on_time"
    LATE = "late"
    NOT_COUNTED = "not_counted"
    PENDING = "pending"


class Why(StrEnum):
    """The reason of a verdict."""

    COVERED = "covered"
    IN_GRACE = "covered_in_grace"
    CAME_LATE = "came_late"
    UNPAID = "unpaid"
    NO_RENT = "no_rent"
    VOID = "void"
    FIRST_PARTIAL = "first_partial_month"
    NOT_DUE_YET = "not_due_yet"
    MONTH_RUNS = "month_not_over"


@dataclass(frozen=True, slots=True)
class Judged:
    """One invoice, and what it counts as."""

    invoice: RentInvoice
    verdict: Verdict
    why: Why
    deadline_on: date
    """The last day on which the rent came on time."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of one tenant, over all of their leases."""

    period: str
    verdict: Verdict
    why: Why
    judged: tuple[Judged, ...]
    home: RentInvoice
    """The invoice with the most rent: the policy of its property is that of the month."""
    streak: int = 0
    """How many months on time in a row there are with this one; a month that does not count keeps it."""


def judge(invoice: RentInvoice, policy: RewardPolicy, today: date) -> Judged:
    """What an invoice counts as. It is on time where its *rent* was covered in time, whatever else is open.

    Money counts from the day it was received, and credit from the day it has waited since: so rent that was
    paid before it was billed, or by a reward, is on time. Nothing is judged before the due date is over.
    """
    deadline_on = _deadline(invoice, policy)
    left_out = _why_not_counted(invoice, policy)
    if left_out is not None:
        return Judged(invoice, Verdict.NOT_COUNTED, left_out, deadline_on)
    verdict, why = _weigh(invoice, deadline_on, today)
    return Judged(invoice, verdict, why, deadline_on)


def months_of(
    tenant_id: UUID, invoices: Iterable[RentInvoice], policies: PolicyBook, today: Today
) -> list[Month]:
    """The record of a tenant, month by month, with the streak as it grows and breaks.

    A month counts once, however many leases a tenant has: it is on time where each of their rents was. One
    without rent neither breaks a streak nor adds to it. What comes after a month that is not settled waits.
    """
    by_period: defaultdict[str, list[Judged]] = defaultdict(list)
    for invoice in invoices:
        if tenant_id in invoice.tenant_ids:
            policy = policies.policy(invoice.property_id, first_day(invoice.period))
            judged = judge(invoice, policy, today.at(invoice.property_id))
            by_period[invoice.period].append(judged)
    found, streak, settled = [], 0, True
    for period in sorted(by_period):
        judged_ones = tuple(sorted(by_period[period], key=_by_rent))
        verdict, why = _verdict_of(period, judged_ones, today)
        if settled and verdict is Verdict.ON_TIME:
            streak += 1
        elif settled and verdict is Verdict.LATE:
            streak = 0
        elif verdict is Verdict.PENDING:
            settled = False
        if not settled and verdict is not Verdict.NOT_COUNTED:
            verdict, why = Verdict.PENDING, why if verdict is Verdict.PENDING else Why.NOT_DUE_YET
        found.append(Month(period, verdict, why, judged_ones, judged_ones[0].invoice, streak))
    return found


def _verdict_of(period: str, judged: Sequence[Judged], today: Today) -> tuple[Verdict, Why]:
    counted = [item for item in judged if item.verdict is not Verdict.NOT_COUNTED]
    if not counted:
        return Verdict.NOT_COUNTED, min(judged, key=lambda item: item.why is Why.VOID).why
    for wanted in (Verdict.LATE, Verdict.PENDING):
        for item in counted:
            if item.verdict is wanted:
                return wanted, item.why
    if any(_runs(item.invoice, period, today) for item in counted):
        return Verdict.PENDING, Why.MONTH_RUNS
    return Verdict.ON_TIME, max(counted, key=lambda item: item.why is Why.IN_GRACE).why


def _runs(invoice: RentInvoice, period: str, today: Today) -> bool:
    """Whether more rent of the month may come: where it is paid by weeks, until the month is over."""
    return invoice.frequency != "monthly" and today.at(invoice.property_id) <= last_day(period)


def _why_not_counted(invoice: RentInvoice, policy: RewardPolicy) -> Why | None:
    if invoice.is_void:
        return Why.VOID
    if invoice.rent_cents <= 0:
        return Why.NO_RENT
    if invoice.is_first_partial and not policy.first_partial_month:
        return Why.FIRST_PARTIAL
    return None


def _weigh(invoice: RentInvoice, deadline_on: date, today: date) -> tuple[Verdict, Why]:
    if invoice.covered_on is None and today > deadline_on:
        return Verdict.LATE, Why.UNPAID
    if invoice.covered_on is not None and invoice.covered_on > deadline_on:
        return Verdict.LATE, Why.CAME_LATE
    if invoice.covered_on is None or today <= invoice.due_on:
        return Verdict.PENDING, Why.NOT_DUE_YET
    return Verdict.ON_TIME, Why.IN_GRACE if invoice.covered_on > invoice.due_on else Why.COVERED


def _deadline(invoice: RentInvoice, policy: RewardPolicy) -> date:
    if policy.grace_counts and invoice.first_fee_on is not None:
        return max(invoice.due_on, invoice.first_fee_on - timedelta(days=1))
    return invoice.due_on


def _by_rent(judged: Judged) -> tuple[bool, int, str, date, str]:
    """The one with the most rent first; in one order, whatever order the facts came in."""
    invoice = judged.invoice
    ids = str(invoice.lease_id), invoice.due_on, str(invoice.invoice_id)
    return invoice.is_void, -invoice.rent_cents, *ids
