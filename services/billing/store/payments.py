"""Payments, each booked once per reference of the outside world."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.schema import payments


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received, and what of it went to its invoice; the rest is credit."""

    payment_id: UUID
    reference: str
    account_id: UUID
    invoice_id: UUID
    amount_cents: int
    applied_cents: int
    currency: str
    method: str
    received_on: date
    recorded_at: datetime


class PaymentStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, payment: Payment) -> bool:
        """Book a payment; False where its reference is booked already."""
        statement = (
            insert(payments).values(asdict(payment)).on_conflict_do_nothing().returning(payments.c.payment_id)
        )
        return await self._connection.scalar(statement) is not None

    async def find(self, reference: str) -> Payment | None:
        """The payment with a reference."""
        row = (
            await self._connection.execute(sa.select(payments).where(payments.c.reference == reference))
        ).first()
        return _payment(row) if row else None

    async def of_invoice(self, invoice_id: UUID) -> list[Payment]:
        """What was paid on an invoice, oldest first."""
        query = sa.select(payments).where(payments.c.invoice_id == invoice_id)
        rows = await self._connection.execute(query.order_by(payments.c.received_on, payments.c.recorded_at))
        return [_payment(row) for row in rows]


def _payment(row: Any) -> Payment:
    return Payment(**{name: getattr(row, name) for name in Payment.__dataclass_fields__})
