"""Money that is gone again: returned, charged back, refunded, or entered in error."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.billing.domain.allocation import Replay
from services.billing.domain.ledgers import Ledger
from services.billing.domain.payments import (
    REWARD,
    ReversalKind,
    ReversalRefused,
    amount_to_reverse,
    check_known,
)
from services.billing.handlers.converging import converge
from services.billing.handlers.settling import (
    Settlement,
    announce,
    lock_accounts,
    read_accounts,
)
from services.billing.store import LedgerStore, PaymentStore
from services.billing.store.ledgers import Holder
from services.billing.store.payments import Payment, PaymentReversal
from shared.clock import local_date
from shared.contracts.billing import PaymentReversed
from shared.identity import new_id
from shared.messaging.transaction import Tx


class PaymentUnknown(LookupError):
    """There is no payment with that reference or id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReversal:
    """A reversal as somebody reports it."""

    payment: str
    """The payment's reference or id."""
    reference: str
    """The bank's, the gateway's or the landlord's own; booked once."""
    kind: ReversalKind
    reason: str
    amount_cents: int | None = None
    """Without it, all that is left of the payment."""
    known_on: date | None = None
    """Without it, the day it is now at the property."""
    recorded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Reversed:
    """What became of a reversal: booked now, or found booked before."""

    payment: Payment
    reversal: PaymentReversal
    reopened: tuple[str, ...] = ()
    """The numbers of invoices that had been paid and are not any more."""
    nsf_fee_cents: int = 0
    repeated: bool = False


async def reverse_payment(tx: Tx, new: NewReversal) -> Reversed:
    """Take a payment back from the day that became known; the same reference again changes nothing.

    Raises `PaymentUnknown`, and `ReversalRefused` for more than is left of the payment, for a day that cannot
    be, and for a reference that was used for another reversal.
    """
    payment, holder = await _find_payment(tx, new.payment)
    await lock_accounts(tx, [payment.account_id])
    store = PaymentStore(tx.connection)
    known = await store.find_reversal(new.reference)
    if known is not None:
        return _reversed_before(known, payment, new)
    earlier = await store.reversals_of([payment.payment_id])
    reversal = _reversal(tx, new, payment, holder, earlier)
    before = await read_accounts(tx.connection, [payment.account_id])
    if not await store.add_reversal(reversal):
        raise ReversalRefused(f"reference {new.reference!r} is already used for another reversal")
    owes_fee = not _was_returned(earlier)
    fee_cents = await _charge_nsf_fee(tx, reversal, payment.method, before) if owes_fee else 0
    settlement = await converge(tx, [payment.account_id], local_date(tx.at, holder.time_zone))
    tx.emit(reversal_fact(payment, holder, reversal, settlement.reopened, fee_cents))
    await announce(tx, settlement, "fee_reversal")
    reopened = tuple(settlement.invoice(key).number for key in settlement.reopened)
    return Reversed(payment, reversal, reopened, fee_cents)


async def _find_payment(tx: Tx, identity: str) -> tuple[Payment, Holder]:
    payment = await PaymentStore(tx.connection).find(identity)
    if payment is None:
        raise PaymentUnknown(f"no payment {identity!r}")
    holders = await LedgerStore(tx.connection).holders([payment.account_id])
    return payment, holders[payment.account_id]


def _reversal(
    tx: Tx, new: NewReversal, payment: Payment, holder: Holder, earlier: Sequence[PaymentReversal]
) -> PaymentReversal:
    today = local_date(tx.at, holder.time_zone)
    known_on = new.known_on or today
    check_known(known_on, received_on=payment.received_on, today=today)
    return PaymentReversal(
        reversal_id=new_id(),
        reference=new.reference,
        payment_id=payment.payment_id,
        kind=new.kind,
        amount_cents=amount_to_reverse(
            new.amount_cents,
            amount_cents=payment.amount_cents,
            reversed_cents=sum(item.amount_cents for item in earlier),
        ),
        known_on=known_on,
        reason=new.reason,
        recorded_at=tx.at,
        recorded_by=new.recorded_by,
    )


def _reversed_before(known: PaymentReversal, payment: Payment, new: NewReversal) -> Reversed:
    same_amount = new.amount_cents in {None, known.amount_cents}
    if (known.payment_id, known.kind) != (payment.payment_id, new.kind) or not same_amount:
        raise ReversalRefused(f"reference {new.reference!r} is already used for another reversal")
    return Reversed(payment, known, repeated=True)


def _was_returned(earlier: Sequence[PaymentReversal]) -> bool:
    return any(item.kind == "returned" for item in earlier)


async def _charge_nsf_fee(tx: Tx, reversal: PaymentReversal, method: str, before: Settlement) -> int:
    """Post the fee that the terms ask for a returned payment; what it came to."""
    if reversal.kind != "returned" or method == REWARD:  # no bank had to do with a reward
        return 0
    [ledger], [replay] = before.ledgers.values(), before.replays.values()
    invoice_id = _invoice_for_fee(ledger, replay, reversal.payment_id)
    if invoice_id is None:
        return 0
    store = PaymentStore(tx.connection)
    fee_cents = await store.nsf_fee_cents(invoice_id)
    if fee_cents:
        await store.post_nsf_fee(invoice_id, fee_cents, reversal)
    return fee_cents


def _invoice_for_fee(ledger: Ledger, replay: Replay, payment_id: UUID) -> UUID | None:
    """The invoice that the payment paid last or, where it paid none, the account's newest."""
    paid = [step.invoice_id for step in replay.steps if step.payment_id == payment_id]
    issued = [item for item in ledger.invoices.values() if item.kept.state != "void"]
    newest = max(issued, key=lambda item: (item.issued_on, item.number), default=None)
    return paid[-1] if paid else newest.invoice_id if newest else None


def reversal_fact(
    payment: Payment,
    holder: Holder,
    reversal: PaymentReversal,
    reopened: tuple[UUID, ...] = (),
    nsf_fee_cents: int = 0,
) -> PaymentReversed:
    """What is said of a reversal; `reopened` are the invoices that it opened again just now."""
    return PaymentReversed(
        payment_id=payment.payment_id,
        reversal_id=reversal.reversal_id,
        account_id=payment.account_id,
        lease_id=holder.lease_id,
        property_id=holder.property_id,
        tenant_ids=holder.tenant_ids,
        currency=payment.currency,
        reversal=reversal.kind,
        amount_cents=reversal.amount_cents,
        known_on=reversal.known_on,
        reopened_invoice_ids=reopened,
        nsf_fee_cents=nsf_fee_cents,
        method=payment.method,
    )
