"""What every payment gateway can do, whoever it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.billing.domain.autopay import Answer


class GatewayDown(Exception):
    """A question could not be asked, or got no answer; nothing was changed by it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """Money to be taken from a method that its owner left with the gateway."""

    charge_id: UUID
    """Also the idempotency key: the same order again is the same charge."""
    account_id: UUID
    amount_cents: int
    currency: str
    customer_ref: str
    method_ref: str
    invoice_number: str
    first_asked_at: datetime
    """Nothing under this id can have been made before."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to be given back from what a charge took."""

    refund_id: UUID
    """Also the idempotency key."""
    reference: str
    """The gateway's id of the charge."""
    amount_cents: int


class PaymentGateway(Protocol):
    """Takes and returns money. Everything it can answer is an `Answer`; it raises for no refusal."""

    name: str
    """How enrolments and the references of payments call it."""

    async def charge(self, order: ChargeOrder) -> Answer:
        """Take money, at most once per order, without its owner being there."""

    async def look_up(self, order: ChargeOrder, reference: str | None) -> Answer | None:
        """What became of an order; None where the gateway knows of none. Raises `GatewayDown`."""

    async def refund(self, order: RefundOrder) -> Answer:
        """Give money back, at most once per order."""

    async def close(self) -> None:
        """Let go of connections."""
