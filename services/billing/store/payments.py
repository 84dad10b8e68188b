"""Payments and their reversals, each booked once per reference of the outside world."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.payments import ReversalKind
from services.billing.schema import (
    allocations,
    invoice_lines,
    invoices,
    payment_reversals,
    payments,
    reward_bookings,
    terms,
)


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received; what of it is applied or reversed is derived by settling."""

    payment_id: UUID
    reference: str
    account_id: UUID
    invoice_id: UUID | None
    """The invoice that the payer named."""
    amount_cents: int
    applied_cents: int
    reversed_cents: int
    currency: str
    method: str
    received_on: date
    recorded_at: datetime
    recorded_by: str | None
    note: str | None
    fees_only: bool = False

    @property
    def credit_cents(self) -> int:
        """What of it is on no invoice."""
        return self.amount_cents - self.applied_cents - self.reversed_cents


@dataclass(frozen=True, slots=True)
class PaymentReversal:
    """What of a payment bounced, was charged back, was refunded, or never was."""

    reversal_id: UUID
    reference: str
    payment_id: UUID
    kind: ReversalKind
    amount_cents: int
    known_on: date
    reason: str
    recorded_at: datetime
    recorded_by: str | None


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

    async def add_reward(
        self, redemption_id: UUID, account_id: UUID, booked_cents: int, refused_cents: int, *, at: datetime
    ) -> bool:
        """Keep what became of a redeemed reward; False where that is known already."""
        row = {
            "redemption_id": redemption_id,
            "account_id": account_id,
            "booked_cents": booked_cents,
            "refused_cents": refused_cents,
            "booked_at": at,
        }
        statement = insert(reward_bookings).values(row).on_conflict_do_nothing()
        added = statement.returning(reward_bookings.c.redemption_id)
        return await self._connection.scalar(added) is not None

    async def find(self, identity: str) -> Payment | None:
        """The payment with a reference, or else an id."""
        known = sa.select(payments).where(payments.c.reference == identity)
        row = (await self._connection.execute(known)).one_or_none()
        if row is None and (payment_id := _id_in(identity)):
            known = sa.select(payments).where(payments.c.payment_id == payment_id)
            row = (await self._connection.execute(known)).one_or_none()
        return _payment(row) if row else None

    async def of_invoice(self, invoice_id: UUID) -> list[Payment]:
        """The payments that named an invoice or are on it, oldest first."""
        on_it = sa.select(allocations.c.payment_id).where(allocations.c.invoice_id == invoice_id)
        query = sa.select(payments).where(
            sa.or_(payments.c.invoice_id == invoice_id, payments.c.payment_id.in_(on_it))
        )
        rows = await self._connection.execute(query.order_by(payments.c.received_on, payments.c.recorded_at))
        return [_payment(row) for row in rows]

    async def search(
        self, *, account_ids: Sequence[UUID] | None, since: date | None, until: date | None, limit: int
    ) -> list[Payment]:
        """The payments that were received last and fit."""
        query = sa.select(payments).order_by(payments.c.received_on.desc(), payments.c.payment_id.desc())
        if account_ids is not None:
            query = query.where(payments.c.account_id.in_(account_ids))
        if since is not None:
            query = query.where(payments.c.received_on >= since)
        if until is not None:
            query = query.where(payments.c.received_on <= until)
        return [_payment(row) for row in await self._connection.execute(query.limit(limit))]

    async def add_reversal(self, reversal: PaymentReversal) -> bool:
        """Book a reversal; False where its reference is booked already."""
        statement = (
            insert(payment_reversals)
            .values(asdict(reversal))
            .on_conflict_do_nothing()
            .returning(payment_reversals.c.reversal_id)
        )
        return await self._connection.scalar(statement) is not None

    async def find_reversal(self, reference: str) -> PaymentReversal | None:
        """The reversal with a reference."""
        query = sa.select(payment_reversals).where(payment_reversals.c.reference == reference)
        row = (await self._connection.execute(query)).one_or_none()
        return _reversal(row) if row else None

    async def reversals_of(self, payment_ids: Sequence[UUID]) -> list[PaymentReversal]:
        """What was taken back of payments, in the order it became known."""
        query = sa.select(payment_reversals).where(payment_reversals.c.payment_id.in_(payment_ids))
        order = (payment_reversals.c.known_on, payment_reversals.c.recorded_at)
        return [_reversal(row) for row in await self._connection.execute(query.order_by(*order))]

    async def nsf_fee_cents(self, invoice_id: UUID) -> int:
        """What the terms of an invoice say that a returned payment costs."""
        fee = sa.cast(terms.c.document["nsf_fee_cents"].astext, sa.BigInteger)
        query = (
            sa.select(sa.func.coalesce(fee, 0))
            .select_from(invoices.join(terms, terms.c.terms_id == invoices.c.terms_id))
            .where(invoices.c.invoice_id == invoice_id)
        )
        return int(await self._connection.scalar(query) or 0)

    async def post_nsf_fee(self, invoice_id: UUID, fee_cents: int, reversal: PaymentReversal) -> None:
        """Put the fee for a returned payment on an invoice as its next line; settling adds it up."""
        position = sa.select(sa.func.coalesce(sa.func.max(invoice_lines.c.position), 0) + 1).where(
            invoice_lines.c.invoice_id == invoice_id
        )
        await self._connection.execute(
            sa.insert(invoice_lines).values(
                invoice_id=invoice_id,
                position=position.scalar_subquery(),
                kind="nsf_fee",
                bucket="fee",
                description="Fee for a returned payment",
                amount_cents=fee_cents,
                rule="nsf",
                counts_on=reversal.known_on,
                reason=reversal.reason,
                posted_by=reversal.recorded_by,
                posted_at=reversal.recorded_at,
            )
        )


def _id_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _payment(row: Any) -> Payment:
    return Payment(**{name: getattr(row, name) for name in Payment.__dataclass_fields__})


def _reversal(row: Any) -> PaymentReversal:
    return PaymentReversal(**{name: getattr(row, name) for name in PaymentReversal.__dataclass_fields__})
