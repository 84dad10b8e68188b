"""Where each cent of a payment went, and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from services.billing.domain.allocation import BUCKETS, Bucket, Replay, Step, Why
from services.billing.domain.ledgers import Ledger

_WORDS: Final[dict[Why, str]] = {
    "named": "the payer named this invoice",
    "oldest_first": "the oldest that was open, by the policy oldest_first",
    "rent_first": "next in the order of the policy rent_first: all rent, then charges, then fees",
    "credit": "it had waited as credit for something to pay",
    "reversed": "taken back: the payment was reversed",
    "freed": "free again: this is not owed any more",
}
_BUCKET_WORDS: Final[dict[Bucket, str]] = dict(zip(BUCKETS, ("rent", "charges", "fees"), strict=True))


@dataclass(frozen=True, slots=True)
class Moved:
    """One movement of a payment's money."""

    on: date
    where: str
    """The invoice and what of it; or credit."""
    amount_cents: int
    counts_from: date
    why: str


def explain_payment(ledger: Ledger, found: Replay, payment_id: UUID) -> list[Moved]:
    """Every movement of a payment's money in the order of the replay, and what waits at the end."""
    steps = (step for step in found.steps if step.payment_id == payment_id)
    return [
        *_moved(ledger, steps),
        *_gone(ledger, found, payment_id),
        *_waiting(ledger, found, payment_id),
    ]


def _moved(ledger: Ledger, steps: Iterable[Step]) -> Iterator[Moved]:
    for step in steps:
        where = f"{_BUCKET_WORDS[step.bucket]} of {ledger.invoices[step.invoice_id].number}"
        yield Moved(step.on, where, step.amount_cents, step.effective_on, _WORDS[step.why])


def _gone(ledger: Ledger, found: Replay, payment_id: UUID) -> Iterator[Moved]:
    """What was taken back while it was credit; what was on an invoice is among the steps."""
    from_invoices = -sum(
        step.amount_cents for step in found.steps if step.payment_id == payment_id and step.why == "reversed"
    )
    cents = found.reversed_cents.get(payment_id, 0) - from_invoices
    if cents:
        known_on = max(item.known_on for item in ledger.reversals if item.payment_id == payment_id)
        yield Moved(known_on, "paid back", cents, known_on, "taken back while it was credit")


def _waiting(ledger: Ledger, found: Replay, payment_id: UUID) -> Iterator[Moved]:
    named = ledger.payments[payment_id].invoice_id
    invoice = ledger.invoices.get(named) if named else None
    why = "nothing is open; it pays the next invoice"
    if invoice and invoice.kept.state == "void":
        why = f"{invoice.number}, which the payer named, is void; {why}"
    for item in found.waiting:
        if item.payment_id == payment_id:
            yield Moved(item.since, "credit", item.amount_cents, item.since, why)
