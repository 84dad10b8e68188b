"""Finding where what is kept of an account is not what its lines, payments and reversals come to."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from services.billing.domain.allocation import AllocationKey, Bucket
from services.billing.domain.ledgers import Corrections, Divided, Kept, Ledger, corrections


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is kept and should be something else."""

    account_id: UUID
    subject: str
    """What it is about: an invoice's number, a payment's reference, or the account."""
    what: str
    kept: Any
    should_be: Any
    repairable: bool = True
    """Whether settling puts it right. Nobody can tell which of an invoice and its lines is wrong."""


LineSums = Mapping[UUID, Mapping[Bucket, int]]
"""What the lines of each invoice come to, by bucket."""


def drifts(ledger: Ledger, lines: LineSums) -> list[Drift]:
    """Every drift of an account: from a fresh replay, and of sums that must agree without it."""
    found = corrections(ledger, ledger.replay())
    return [
        *_of_lines(ledger, lines),
        *_of_sums(ledger),
        *_of_invoices(found),
        *_of_payments(ledger, found),
        *_of_allocations(ledger, found),
    ]


def _of_lines(ledger: Ledger, lines: LineSums) -> Iterator[Drift]:
    for invoice in ledger.invoices.values():
        sums = lines.get(invoice.invoice_id, {})
        rent, charge = sums.get("rent", 0), sums.get("charge", 0)
        for what, kept, found in (
            ("rent_cents", invoice.rent_cents, rent),
            ("charge_cents", invoice.charge_cents, charge),
        ):
            if kept != found:
                yield Drift(ledger.account_id, invoice.number, what, kept, found, repairable=False)


def _of_sums(ledger: Ledger) -> Iterator[Drift]:
    """Received is applied, reversed or credit; and an invoice's payments are its allocations."""
    received = sum(item.amount_cents for item in ledger.payments.values())
    gone = sum(item.amount_cents for item in ledger.reversals)
    applied = sum(ledger.allocations.values())
    if ledger.credit_cents != received - gone - applied:
        credit = received - gone - applied
        yield Drift(
            ledger.account_id, "account", "received - applied - reversed", ledger.credit_cents, credit
        )
    on_invoices: Counter[UUID] = Counter()
    for (_, invoice_id, _, _), cents in ledger.allocations.items():
        on_invoices[invoice_id] += cents
    for invoice in ledger.invoices.values():
        kept, allocated = invoice.kept.paid_cents, on_invoices[invoice.invoice_id]
        if kept != allocated:
            yield Drift(ledger.account_id, invoice.number, "allocated", kept, allocated)


def _of_invoices(found: Corrections) -> Iterator[Drift]:
    for change in found.invoices:
        for name in (item.name for item in fields(Kept)):
            before, after = getattr(change.before, name), getattr(change.after, name)
            if before != after:
                yield Drift(found.account_id, change.invoice.number, name, before, after)


def _of_payments(ledger: Ledger, found: Corrections) -> Iterator[Drift]:
    for payment_id, after in found.payments.items():
        reference, before = ledger.payments[payment_id].reference, ledger.divided[payment_id]
        for name in (item.name for item in fields(Divided)):
            if getattr(before, name) != getattr(after, name):
                yield Drift(found.account_id, reference, name, getattr(before, name), getattr(after, name))
    if found.credit_before_cents != found.credit_cents:
        yield Drift(
            found.account_id, "account", "credit_cents", found.credit_before_cents, found.credit_cents
        )


def _of_allocations(ledger: Ledger, found: Corrections) -> Iterator[Drift]:
    keys = dict.fromkeys((*found.stale, *found.allocations))
    for key in keys:
        subject, what = _named(ledger, key)
        kept, wanted = ledger.allocations.get(key, 0), found.allocations.get(key, 0)
        yield Drift(found.account_id, subject, what, kept, wanted)


def _named(ledger: Ledger, key: AllocationKey) -> tuple[str, str]:
    payment_id, invoice_id, bucket, effective_on = key
    payment, invoice = ledger.payments.get(payment_id), ledger.invoices.get(invoice_id)
    reference = payment.reference if payment else str(payment_id)
    number = invoice.number if invoice else str(invoice_id)
    return reference, f"on {bucket} of {number} since {effective_on}"
