"""A gateway that moves no money: for demonstrations and tests, and only where it was asked for by name.

What it answers is decided by the name of the payment method, so that a demonstration can show every
outcome. It remembers what it made for as long as the process lives.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from typing_extensions import override

from services.billing.domain.autopay import Answer, Failure, Result
from services.billing.gateways.payment_gateway import ChargeOrder, PaymentGateway, RefundOrder
from shared.clock import Clock

GOOD_CARD: Final = "sim_card"
SLOW_BANK: Final = "sim_bank_account"
"""Takes its time, like a bank: the first answer is `processing`, a look-up later says it succeeded."""
DOWN: Final = "sim_down"
DECLINING: Final = {f"sim_{failure}": failure for failure in Failure}
"""sim_insufficient_funds, sim_declined and so on: a method for each way to be declined."""
METHODS: Final = (GOOD_CARD, SLOW_BANK, DOWN, *DECLINING)


class SimulatedGateway(PaymentGateway):
    """Says what a gateway would say."""

    def __init__(self, clock: Clock) -> None:
        self.name = "simulated"
        self._clock = clock
        self._made: dict[UUID, Answer] = {}
        self._refunded: dict[UUID, tuple[str, int]] = {}

    @override
    async def charge(self, order: ChargeOrder) -> Answer:
        if order.charge_id not in self._made:
            answer = _answer(order, self._clock.now())
            if answer.result is Result.NOT_MADE:
                return answer
            self._made[order.charge_id] = answer
        return self._made[order.charge_id]

    @override
    async def look_up(self, order: ChargeOrder, reference: str | None) -> Answer | None:
        answer = self._made.get(order.charge_id)
        if answer is not None and answer.result is Result.PROCESSING:
            answer = _made(Result.SUCCEEDED, order, answer.made_at)
            self._made[order.charge_id] = answer
        return answer

    @override
    async def refund(self, order: RefundOrder) -> Answer:
        taken = next((item for item in self._made.values() if item.reference == order.reference), None)
        others = (
            cents
            for refund_id, (of, cents) in self._refunded.items()
            if of == order.reference and refund_id != order.refund_id
        )
        left = (taken.amount_cents or 0 if taken else 0) - sum(others)
        if order.amount_cents > left:
            return Answer(Result.DECLINED, failure=Failure.REJECTED, detail="more than is left")
        self._refunded[order.refund_id] = (order.reference, order.amount_cents)
        return Answer(
            Result.SUCCEEDED,
            reference=f"simre_{order.refund_id.hex}",
            amount_cents=order.amount_cents,
            made_at=self._clock.now(),
        )

    @override
    async def close(self) -> None:
        """There is nothing to let go of."""


def _answer(order: ChargeOrder, at: datetime) -> Answer:
    if order.method_ref == GOOD_CARD:
        return _made(Result.SUCCEEDED, order, at)
    if order.method_ref == SLOW_BANK:
        return _made(Result.PROCESSING, order, at)
    if order.method_ref == DOWN:
        return Answer(Result.NOT_MADE, detail="simulated outage")
    failure = DECLINING.get(order.method_ref, Failure.METHOD_INVALID)
    return Answer(Result.DECLINED, reference=_reference(order), made_at=at, failure=failure, detail=failure)


def _made(result: Result, order: ChargeOrder, at: datetime | None) -> Answer:
    return Answer(result, reference=_reference(order), amount_cents=order.amount_cents, made_at=at)


def _reference(order: ChargeOrder) -> str:
    """Told from the charge, and not from its id: the same story has the same references."""
    return f"sim_{order.invoice_number}_{order.first_asked_at:%Y%m%dT%H%M%S%f}"
