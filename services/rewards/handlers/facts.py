"""What billing says is kept, and nothing is decided yet: the next evaluation replays all of it.

So facts may come in any order, twice, and in a storm; nobody is told of a reward that is gone at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from services.rewards.handlers.redeeming import restore_reversed
from services.rewards.store import FactStore
from shared.contracts.billing import (
    FeeFact,
    InvoiceCreated,
    InvoiceVoided,
    LateFeeApplied,
    LateFeeWaived,
    PaymentRecorded,
    PaymentReversed,
    RentStandingChanged,
)
from shared.messaging.envelope import Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("rewards")


@router.on_batch(InvoiceCreated)
async def keep_invoices(facts: Sequence[Received[InvoiceCreated]], tx: Tx) -> None:
    """Keep invoices as they were issued."""
    await FactStore(tx.connection).keep_invoices(_invoice(fact.body) for fact in facts)


@router.on_batch(RentStandingChanged)
async def keep_standings(facts: Sequence[Received[RentStandingChanged]], tx: Tx) -> None:
    """Keep since when rent is covered, or that it is not any more; an older revision changes nothing."""
    names = {"invoice_id", "revision", "covered_on"}
    await FactStore(tx.connection).keep_standings(fact.body.model_dump(include=names) for fact in facts)


@router.on_batch(InvoiceVoided)
async def keep_voids(facts: Sequence[Received[InvoiceVoided]], tx: Tx) -> None:
    """Keep that invoices do not count."""
    names = {"invoice_id", "voided_on"}
    await FactStore(tx.connection).keep_voids(fact.body.model_dump(include=names) for fact in facts)


@router.on_batch(PaymentRecorded)
async def keep_payments(facts: Sequence[Received[PaymentRecorded]], tx: Tx) -> None:
    """Keep what was received, and when."""
    await FactStore(tx.connection).keep_payments(_payment(fact.body) for fact in facts)


@router.on_batch(PaymentReversed)
async def keep_reversals(facts: Sequence[Received[PaymentReversed]], tx: Tx) -> None:
    """Keep what was taken back of payments; what of it were rewards goes back to their tenants' balances."""
    names = {"reversal_id", "payment_id", "account_id", "known_on", "amount_cents", "nsf_fee_cents"}
    found = {fact.body.reversal_id: fact.body for fact in facts}
    fresh = await FactStore(tx.connection).keep_reversals(
        body.model_dump(include=names) for body in found.values()
    )
    await restore_reversed(tx, [found[key] for key in sorted(fresh)])


@router.on_batch(LateFeeApplied, LateFeeWaived)
async def keep_fees(facts: Sequence[Received[FeeFact]], tx: Tx) -> None:
    """Keep fees and waivers: what is owed is not paid ahead."""
    await FactStore(tx.connection).keep_fees(_fees(facts))


def _invoice(fact: InvoiceCreated) -> dict[str, Any]:
    names = {"invoice_id", "number", "lease_id", "property_id", "tenant_ids", "period", "issued_on"}
    names |= {"due_on", "currency", "total_cents", "first_fee_on"}
    return fact.model_dump(include=names) | {
        "account_id": fact.account_id or fact.lease_id,
        "starts_on": fact.period_starts_on,
        "rent_cents": _rent_cents(fact),
    }


def _rent_cents(fact: InvoiceCreated) -> int:
    """What of an invoice is rent; of those from before this was said, what their lines add up to."""
    if fact.rent_cents is not None:
        return fact.rent_cents
    rent = [line.amount_cents for line in fact.lines if line.kind in {"rent", "concession"}]
    return sum(rent) if rent else fact.total_cents


def _payment(fact: PaymentRecorded) -> dict[str, Any]:
    names = {"payment_id", "lease_id", "property_id", "tenant_ids", "received_on", "amount_cents"}
    names |= {"currency", "method"}
    return fact.model_dump(include=names) | {"account_id": fact.account_id or fact.lease_id}


def _fees(facts: Sequence[Received[FeeFact]]) -> Iterator[dict[str, Any]]:
    for fact in facts:
        body = fact.body
        waived = isinstance(body, LateFeeWaived)
        yield body.model_dump(include={"fee_id", "account_id", "invoice_id"}) | {
            "counts_on": body.on,
            "amount_cents": -body.amount_cents if waived else body.amount_cents,
        }
