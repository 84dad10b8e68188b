"""What one lease owes for one month."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.billing.domain.periods import due_date, first_day, last_day


class LeaseNotInForce(Exception):
    """The lease does not cover a single day of the month."""

    code = "lease_not_in_force"

    def __init__(self, lease_id: UUID, period: str) -> None:
        super().__init__(f"lease {lease_id} is not in force in {period}")
        self.lease_id = lease_id
        self.period = period


@dataclass(frozen=True, slots=True)
class Charge:
    """A monthly charge beside the rent."""

    code: str
    description: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """What billing knows of a lease: enough to issue its invoices."""

    lease_id: UUID
    property_id: UUID
    unit_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: str
    rent_cents: int
    charges: tuple[Charge, ...]
    starts_on: date
    ends_on: date | None
    due_day: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice."""

    kind: str
    description: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice before it has an identity and a number."""

    terms: LeaseTerms
    period: str
    issued_on: date
    due_on: date
    lines: tuple[Line, ...]

    @property
    def total_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_cents for line in self.lines)


def monthly_invoice(terms: LeaseTerms, period: str, issued_on: date) -> Draft:
    """The invoice of one lease for one month: its rent and its recurring charges.

    Raises `LeaseNotInForce` where the lease has no day in that month.
    """
    starts_after = terms.starts_on > last_day(period)
    ended_before = terms.ends_on is not None and terms.ends_on < first_day(period)
    if starts_after or ended_before:
        raise LeaseNotInForce(terms.lease_id, period)
    rent = Line("rent", f"Rent {period}", terms.rent_cents)
    charges = tuple(Line("charge", item.description, item.amount_cents) for item in terms.charges)
    return Draft(terms, period, issued_on, due_date(period, terms.due_day), (rent, *charges))


def invoice_number(year: int, serial: int) -> str:
    """The number people use: "INV-2026-000123"."""
    return f"INV-{year}-{serial:06d}"
