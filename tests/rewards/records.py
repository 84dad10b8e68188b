"""A tenant's rent for the rules: invoices of 1,000.00 due on the first of each month of 2026."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.rewards.domain.earning import Record, record_of
from services.rewards.domain.facts import Facts, Fee, Receipt, RentInvoice, Today
from services.rewards.domain.policies import PolicyBook, PolicyVersion, PrepaymentTier, StreakTier
from shared.identity import derived_id

SALLY, PETE = sorted((derived_id("tenant", "Sally"), derived_id("tenant", "Pete")))
ELM = derived_id("property", "Elm Street")
LATER = Today(otherwise=date(2028, 1, 1))
EVERY_THREE = StreakTier(3, 3_000)


def day(text: str) -> date:
    """A day of 2026, as `03-01`."""
    return date.fromisoformat(f"2026-{text}")


def an_invoice(period: str = "03", **changes: Any) -> RentInvoice:
    """Rent due on the first; covered on that day unless something else is said."""
    due_on = day(f"{period}-01")
    values: dict[str, Any] = {
        "invoice_id": derived_id("invoice", period, changes.get("lease_id", "")),
        "number": f"INV-2026-{period}",
        "lease_id": derived_id("lease", "1A"),
        "account_id": changes.get("lease_id", derived_id("lease", "1A")),
        "property_id": ELM,
        "tenant_ids": (SALLY,),
        "period": f"2026-{period}",
        "issued_on": due_on,
        "due_on": due_on,
        "currency": "USD",
        "total_cents": 100_000,
        "rent_cents": 100_000,
        "starts_on": due_on,
        "covered_on": due_on,
    }
    return RentInvoice(**values | changes)


def year(**by_month: str | None) -> list[RentInvoice]:
    """Twelve months on time; `m06="06-20"` was covered on that day, `m06=None` is open."""
    found = []
    for number in range(1, 13):
        invoice = an_invoice(f"{number:02}")
        key = f"m{number:02}"
        if key in by_month:
            covered = by_month[key]
            invoice = replace(invoice, covered_on=None if covered is None else day(covered))
        found.append(invoice)
    return found


def a_receipt(on: str, cents: int, **changes: Any) -> Receipt:
    """Money that came in on a day of 2026."""
    lease = derived_id("lease", "1A")
    receipt = Receipt(derived_id("payment", on, cents), lease, lease, ELM, (SALLY,), day(on), cents, "USD")
    return replace(receipt, **changes)


def a_book(**terms: Any) -> PolicyBook:
    """A policy for everything, from the beginning; thirty for every three months unless it is said."""
    found = {"streaks": (EVERY_THREE,)} | terms
    return PolicyBook((PolicyVersion(None, 1, date(2020, 1, 1), found),))


def a_record(
    invoices: Iterable[RentInvoice] = (),
    receipts: Iterable[Receipt] = (),
    fees: Iterable[Fee] = (),
    *,
    tenant_id: UUID = SALLY,
    today: Today = LATER,
    book: PolicyBook | None = None,
    **terms: Any,
) -> Record:
    """What a tenant's facts amount to."""
    facts = Facts(tuple(invoices), tuple(receipts), tuple(fees)).by_tenant().get(tenant_id, Facts())
    return record_of(tenant_id, facts, book or a_book(**terms), today)


def granted(record: Record) -> list[tuple[str, str, int]]:
    """Month, rule and amount of what was earned."""
    return [(item.period, item.rule, item.amount_cents) for item in record.earned]


def months_granted(record: Record) -> list[str]:
    """The months that earned something, as `03`."""
    return [item.period[5:] for item in record.earned]


def prepaid(ahead_cents: int = 50_000, amount_cents: int = 1_000, **fields: Any) -> dict[str, Any]:
    """A policy that grants ten for each five hundred that is paid ahead, and nothing for streaks."""
    return {"streaks": (), "prepayments": (PrepaymentTier(ahead_cents, amount_cents, **fields),)}
