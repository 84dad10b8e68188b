"""A lease's terms with defaults, so that a test states only what matters to it."""

from datetime import date
from typing import Any
from uuid import UUID

from services.billing.domain.invoices import Billed, Line, invoice_lines
from services.billing.domain.leases import LeaseTerms, RentTerms
from services.billing.domain.periods import BillingPeriod, month
from services.billing.domain.proration import Proration

SOME_ID = UUID(int=1)


def rent_terms(**changes: Any) -> RentTerms:
    """$1,000.00 a month since the beginning of 2024, without an end."""
    values: dict[str, Any] = {"rent_cents": 100_000, "starts_on": date(2024, 1, 1)}
    return RentTerms(**values | changes)


def lease_terms(**changes: Any) -> LeaseTerms:
    """The same, as a lease in New York."""
    values: dict[str, Any] = {
        "rent_cents": 100_000,
        "starts_on": date(2024, 1, 1),
        "lease_id": SOME_ID,
        "account_id": SOME_ID,
        "property_id": SOME_ID,
        "unit_id": SOME_ID,
        "unit_label": "1",
        "tenant_ids": (SOME_ID,),
        "time_zone": "America/New_York",
        "currency": "USD",
    }
    return LeaseTerms(**values | changes)


def lines_of(
    terms: RentTerms, period: str | BillingPeriod, method: Proration = "actual", billed: Billed | None = None
) -> tuple[Line, ...]:
    """The lines of one invoice."""
    chosen = month(period) if isinstance(period, str) else period
    return invoice_lines(terms, chosen, method, billed=billed or Billed())


def amounts(lines: tuple[Line, ...]) -> list[int]:
    """Their amounts, in order."""
    return [line.amount_cents for line in lines]
