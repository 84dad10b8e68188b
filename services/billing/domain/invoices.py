"""What one lease owes for one period."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from services.billing.domain.charges import ChargeDue, charges_due
from services.billing.domain.leases import LeaseTerms, RentTerms
from services.billing.domain.periods import BillingPeriod, due_date
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.proration import Piece, Proration, Share, prorate
from shared.money import plain_cents

Bucket = Literal["rent", "charge"]
"""What a line counts as when money is applied and fees are computed."""


class LeaseNotInForce(Exception):
    """The lease does not cover a single day of the period."""

    code = "lease_not_in_force"

    def __init__(self, lease_id: UUID, period: str) -> None:
        super().__init__(f"lease {lease_id} is not in force in {period}")
        self.lease_id = lease_id
        self.period = period


class InvoiceRefused(Exception):
    """What the terms amount to cannot be an invoice, with the reason in words."""

    code = "invoice_refused"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice."""

    kind: str
    """rent, concession, or the code of a charge."""
    description: str
    amount_cents: int
    formula: str | None = None
    bucket: Bucket = "charge"
    occurs_on: date | None = None
    """Of a charge: the day that, with its code, identifies the occurrence that is billed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice before it has an identity and a number."""

    terms: LeaseTerms
    period: BillingPeriod
    policy: BillingPolicy
    """What it is issued under, and keeps."""
    issued_on: date
    due_on: date
    lines: tuple[Line, ...]
    first_fee_on: date | None = None
    """The first day on which a late fee is possible; None where none ever is."""

    @property
    def total_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_cents for line in self.lines)

    @property
    def rent_cents(self) -> int:
        """What of the total is rent, after concessions."""
        return sum(line.amount_cents for line in self.lines if line.bucket == "rent")


@dataclass(frozen=True, slots=True)
class Billed:
    """What a lease's earlier invoices are known to hold, so that nothing is billed twice or left out."""

    charges: Container[tuple[str, date]] = frozenset()
    """The occurrences that are on an invoice, as `ChargeDue.key`."""
    periods: Sequence[BillingPeriod] = ()
    """Those that have their invoice; a charge of theirs that is not on it comes on the next one."""


def draft_invoice(
    terms: LeaseTerms,
    period: BillingPeriod,
    policy: BillingPolicy,
    *,
    issued_on: date,
    billed: Billed | None = None,
) -> Draft:
    """The invoice of one lease for one period: its rent and its charges.

    Raises `LeaseNotInForce` where the lease has no day in that period, and `InvoiceRefused` for less than
    nothing.
    """
    if terms.in_force(period.starts_on, period.ends_on) is None:
        raise LeaseNotInForce(terms.lease_id, period.text)
    lines = invoice_lines(terms, period, policy.proration, billed=billed or Billed())
    draft = Draft(terms, period, policy, issued_on, due_on(terms, period, policy), lines)
    if draft.total_cents < 0:
        message = f"its lines for {period.text} sum to {plain_cents(draft.total_cents)}, less than nothing"
        raise InvoiceRefused(message)
    return draft


def invoice_lines(
    terms: RentTerms, period: BillingPeriod, method: Proration, *, billed: Billed
) -> tuple[Line, ...]:
    """Rent, concession and charges; none where the lease has no day in the period."""
    if terms.in_force(period.starts_on, period.ends_on) is None:
        return ()
    rent = _rent_lines(terms, period, method)
    earlier = [due for past in billed.periods for due in charges_due(terms, past, method)]
    wanted = (*earlier, *charges_due(terms, period, method))
    charges = [_charge_line(due, period) for due in wanted if due.key not in billed.charges]
    return (*rent, *_concession(terms, period, rent), *charges)


def due_on(terms: RentTerms, period: BillingPeriod, policy: BillingPolicy) -> date:
    """When an invoice is to be paid; never before the lease's first day.

    Monthly: the policy's due day, or else the lease's, clamped to the month. Weekly and four-weekly: the
    first day of the period, or so many days later as the policy says.
    """
    if period.frequency == "monthly":
        day = due_date(period.label, policy.due_day or terms.due_day)
    else:
        day = period.starts_on + timedelta(days=policy.due_after_days)
    return max(day, terms.starts_on) if period.holds(terms.starts_on) else day


def invoice_number(year: int, serial: int) -> str:
    """The number people use: "INV-2026-000123"."""
    return f"INV-{year}-{serial:06d}"


def rent_pieces(terms: RentTerms, period: BillingPeriod) -> list[Piece]:
    """The days of a period on which rent is owed, divided where the rent changes."""
    days = terms.in_force(period.starts_on, period.ends_on)
    if days is None:
        return []
    first, last = days
    changes = {change.effective_on for change in terms.rent_changes if first < change.effective_on <= last}
    begins = [first]
    for day in sorted(changes):
        if terms.rent_on(day) != terms.rent_on(begins[-1]):
            begins.append(day)
    ends = [*(day - timedelta(days=1) for day in begins[1:]), last]
    return [Piece(start, end, terms.rent_on(start)) for start, end in zip(begins, ends, strict=True)]


def _rent_lines(terms: RentTerms, period: BillingPeriod, method: Proration) -> list[Line]:
    shares = prorate(period, rent_pieces(terms, period), method)
    return [
        Line("rent", f"Rent {_days(share, period)}", share.amount_cents, share.formula, bucket="rent")
        for share in shares
    ]


def _days(share: Share, period: BillingPeriod) -> str:
    whole = (share.piece.starts_on, share.piece.ends_on) == (period.starts_on, period.ends_on)
    return period.text if whole else f"{share.piece.starts_on} to {share.piece.ends_on}"


def _concession(terms: RentTerms, period: BillingPeriod, rent: Sequence[Line]) -> list[Line]:
    """In a free month the rent is shown, and taken off."""
    owed = sum(line.amount_cents for line in rent)
    if period.label not in terms.free_periods or not owed:
        return []
    words = f"{period.label} is agreed to be free of rent"
    return [Line("concession", f"Free of rent {period.text}", -owed, words, bucket="rent")]


def _charge_line(due: ChargeDue, period: BillingPeriod) -> Line:
    late = "" if due.period == period else f" ({due.period.text})"
    charge = due.charge
    return Line(
        charge.code,
        f"{charge.description}{late}",
        due.amount_cents,
        due.formula,
        occurs_on=due.occurs_on,
    )
