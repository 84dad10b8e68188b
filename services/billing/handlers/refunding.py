"""Giving money of autopay back through its gateway: asked for outside, booked as if Stripe had told."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.autopay import Answer
from services.billing.domain.payments import amount_to_reverse
from services.billing.gateways.payment_gateway import RefundOrder
from services.billing.gateways.stripe_webhooks import Refunded
from services.billing.handlers.money_back import reference_of, take_money_back
from services.billing.store import ChargeStore, PaymentStore
from services.billing.store.charges import Charge
from shared.identity import derived_id
from shared.messaging.transaction import Tx


class NothingToRefund(LookupError):
    """There is no charge with that id that has taken money."""


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """What is to be given back, and what will have been after it."""

    charge: Charge
    order: RefundOrder
    total_cents: int


async def plan_refund(connection: AsyncConnection, charge_id: UUID, amount_cents: int | None) -> RefundPlan:
    """A refund of a charge, of all that is left of it unless less is said.

    Its id is derived from what was refunded before it: a refund that is asked for again because nobody knows
    what came of it is the same refund, and one that is asked for after it was booked is another.
    Raises `NothingToRefund`, and `ReversalRefused` for more than is left.
    """
    charge = await ChargeStore(connection).find(charge_id)
    if charge is None or charge.gateway_ref is None:
        raise NothingToRefund(charge_id)
    store = PaymentStore(connection)
    payment = await store.find(reference_of(charge.gateway, charge.gateway_ref))
    if payment is None:
        raise NothingToRefund(charge_id)
    earlier = await store.reversals_of([payment.payment_id])
    wanted = amount_to_reverse(
        amount_cents,
        amount_cents=payment.amount_cents,
        reversed_cents=sum(item.amount_cents for item in earlier),
    )
    refunded = sum(item.amount_cents for item in earlier if item.kind == "refunded")
    identity = derived_id("autopay refund", charge_id, refunded, wanted)
    return RefundPlan(charge, RefundOrder(identity, charge.gateway_ref, wanted), refunded + wanted)


async def book_refund(tx: Tx, plan: RefundPlan, answer: Answer) -> None:
    """Book what a gateway has given back; its webhook, before or after, changes nothing."""
    news = Refunded(plan.order.reference, plan.total_cents)
    await take_money_back(tx, plan.charge.gateway, news, answer.made_at or tx.at)
