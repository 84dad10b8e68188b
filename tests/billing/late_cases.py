"""Late invoices for tests: rent of 1,000.00, due on March 1st 2025, five days of grace."""

from datetime import date
from typing import Any

from services.billing.domain.jurisdictions import chosen
from services.billing.domain.late_fees import Assessment, assess
from services.billing.domain.late_terms import Case, take_case
from services.billing.jurisdictions import profiles
from shared.documents import read_document

DUE = "2025-03-01"

FLAT = {"kind": "flat", "amount_cents": 5_000}
TEN_A_DAY = {"kind": "daily", "amount_cents": 1_000}
TEN_PERCENT_MONTHLY = {"kind": "recurring_monthly", "percent": "10"}


def a_case(*rules: dict[str, Any], **terms: Any) -> Case:
    """A case from a document, as the command reads it."""
    document = {"due_on": DUE, "grace_days": 5, "rent_cents": 100_000, "rules": list(rules)} | terms
    return read_document(document, take_case)


def late(case: Case, on: str) -> Assessment:
    """What is owed at the end of a day, under the profile the case names."""
    name = case.terms.policy.profile
    return assess(case, date.fromisoformat(on), chosen(profiles(), name) if name else None)


def fees(case: Case, on: str) -> list[tuple[str, int]]:
    """Dates and amounts."""
    return [(entry.on.isoformat(), entry.amount_cents) for entry in late(case, on).entries]


def total(case: Case, on: str) -> int:
    """All late fees, without interest."""
    return late(case, on).total_fee_cents


def paid(on: str, cents: int) -> dict[str, Any]:
    """A payment, or what of one came back."""
    return {"received_on": on, "amount_cents": cents}
