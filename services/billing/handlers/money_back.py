"""Money of autopay that a gateway says is gone again: refunded, disputed, and perhaps won back.

A gateway tells of it in any order and more than once. What is told of a payment that is not booked yet waits
for it; a refund is told as the sum of all, so that one that got lost is caught up with by the next.
"""

from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any, Final, Literal

from services.billing.gateways.stripe_webhooks import Disputed, DisputeWon, Refunded
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.reversals import NewReversal, reverse_payment
from services.billing.handlers.settling import lock_accounts
from services.billing.store import LedgerStore, PaymentStore, WebhookStore
from services.billing.store.payments import Payment
from shared.clock import local_date
from shared.messaging.transaction import Tx

METHOD: Final = "autopay"
"""How a payment by autopay is called among the methods of payment."""

MoneyBack = Refunded | Disputed | DisputeWon
Outcome = Literal["done", "waiting"]

_KINDS: Final = {kind.__name__: kind for kind in (Refunded, Disputed, DisputeWon)}

_RETURNED: Final = frozenset({"insufficient_funds", "incorrect_account_details", "bank_cannot_process"})
"""Reasons for which a bank returns a debit; Stripe tells of it as a dispute, and nobody disputes anything."""


def reference_of(gateway: str, reference: str) -> str:
    """What a payment by autopay is booked under: once per thing that the gateway made."""
    return f"{gateway}:{reference}"


def document_of(news: MoneyBack) -> dict[str, Any]:
    """The news as it waits for its payment."""
    return {"kind": type(news).__name__} | asdict(news)


async def take_money_back(tx: Tx, gateway: str, news: MoneyBack, told_at: datetime) -> Outcome:
    """Book what is gone, or has come back, of a payment; `waiting` where that is not booked yet."""
    await WebhookStore(tx.connection).lock(gateway, news.reference)
    payment = await PaymentStore(tx.connection).find(reference_of(gateway, news.reference))
    if payment is None:
        return "waiting"
    await lock_accounts(tx, [payment.account_id])
    known_on = await _known_on(tx, payment, told_at)
    match news:
        case Refunded():
            await _refund(tx, payment, news, known_on)
        case Disputed():
            await _dispute(tx, gateway, payment, news, known_on)
        case DisputeWon():
            await _win(tx, gateway, payment, news, known_on)
    return "done"


async def before_booking(tx: Tx, gateway: str, reference: str) -> None:
    """Called before a payment is booked: news of it that comes at this moment waits, or is waited for."""
    await WebhookStore(tx.connection).lock(gateway, reference)


async def take_what_waited(tx: Tx, gateway: str, reference: str) -> None:
    """A payment is booked now: take what was told of it before."""
    store = WebhookStore(tx.connection)
    for event in await store.waiting(gateway, reference):
        told = dict(event.news or {})
        news = _KINDS[told.pop("kind")](**told)
        outcome = await take_money_back(tx, gateway, news, event.created_at)
        await store.conclude(replace(event, news=None), outcome)


async def _known_on(tx: Tx, payment: Payment, told_at: datetime) -> date:
    """The property's date when it was told, and no day that cannot be: clocks differ by a little."""
    holders = await LedgerStore(tx.connection).holders([payment.account_id])
    zone = holders[payment.account_id].time_zone
    return max(payment.received_on, min(local_date(told_at, zone), local_date(tx.at, zone)))


async def _refund(tx: Tx, payment: Payment, news: Refunded, known_on: date) -> None:
    earlier = await PaymentStore(tx.connection).reversals_of([payment.payment_id])
    refunded = sum(item.amount_cents for item in earlier if item.kind == "refunded")
    missing = min(news.total_cents - refunded, await _left(tx, payment))
    if missing > 0:
        new = NewReversal(
            payment=payment.reference,
            reference=f"{payment.reference}:refunded:{news.total_cents}",
            kind="refunded",
            reason="refunded at the gateway",
            amount_cents=missing,
            known_on=known_on,
        )
        await reverse_payment(tx, new)


async def _dispute(
    tx: Tx, gateway: str, payment: Payment, news: Disputed | DisputeWon, known_on: date
) -> None:
    reference = reference_of(gateway, news.dispute)
    amount_cents = min(news.amount_cents, await _left(tx, payment))
    if amount_cents <= 0 or await PaymentStore(tx.connection).find_reversal(reference) is not None:
        return
    new = NewReversal(
        payment=payment.reference,
        reference=reference,
        kind="returned" if news.reason in _RETURNED else "charged_back",
        reason=news.reason,
        amount_cents=amount_cents,
        known_on=known_on,
    )
    await reverse_payment(tx, new)


async def _win(tx: Tx, gateway: str, payment: Payment, news: DisputeWon, known_on: date) -> None:
    """Both are facts: that the money was gone, and that it came back. Whichever is told first."""
    await _dispute(tx, gateway, payment, news, known_on)
    reference = reference_of(gateway, news.dispute)
    gone = await PaymentStore(tx.connection).find_reversal(reference)
    if gone is None:
        return
    invoice = None if payment.invoice_id is None else str(payment.invoice_id)
    await record_payment(
        tx,
        NewPayment(
            reference=f"{reference}:won",
            amount_cents=gone.amount_cents,
            invoice=invoice,
            account_id=payment.account_id if invoice is None else None,
            received_on=await _first_booked(tx, f"{reference}:won") or known_on,
            method=METHOD,
            note="dispute won",
        ),
    )


async def _first_booked(tx: Tx, reference: str) -> date | None:
    """Two kinds of event tell of it, perhaps on two days; the first counts."""
    known = await PaymentStore(tx.connection).find(reference)
    return known.received_on if known else None


async def _left(tx: Tx, payment: Payment) -> int:
    earlier = await PaymentStore(tx.connection).reversals_of([payment.payment_id])
    return payment.amount_cents - sum(item.amount_cents for item in earlier)
