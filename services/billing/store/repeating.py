"""What is read to say facts of the past again: fee lines, payments, and what returned payments had cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.fee_postings import KINDS
from services.billing.domain.periods import first_day, last_day
from services.billing.schema import invoice_lines, invoices, leases, payments
from services.billing.store.invoices import Selection
from services.billing.store.payments import Payment, PaymentReversal

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True, slots=True)
class PostedLine:
    """A line about lateness, as it stands on an invoice."""

    invoice_id: UUID
    position: int
    kind: str
    rule: str
    counts_on: date
    amount_cents: int
    formula: str
    reason: str | None


class RepeatStore:
    """Reads over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def fee_lines(self, invoice_ids: Sequence[UUID]) -> dict[UUID, list[PostedLine]]:
        """The lines about lateness of some invoices, in the order in which they were posted."""
        query = (
            sa.select(*(invoice_lines.c[name] for name in PostedLine.__dataclass_fields__))
            .where(invoice_lines.c.invoice_id == sa.any_(_IDS))
            .where(invoice_lines.c.bucket == "fee", invoice_lines.c.kind.in_(KINDS))
            .order_by(invoice_lines.c.invoice_id, invoice_lines.c.position)
        )
        found: defaultdict[UUID, list[PostedLine]] = defaultdict(list)
        for row in (await self._connection.execute(query, {"ids": list(invoice_ids)})).mappings():
            found[row["invoice_id"]].append(PostedLine(**row))
        return found

    async def payments(self, selection: Selection, after: UUID | None, limit: int) -> list[Payment]:
        """Some payments, in the order of their ids."""
        query = sa.select(payments).where(_meant(selection)).order_by(payments.c.payment_id).limit(limit)
        if after is not None:
            query = query.where(payments.c.payment_id > after)
        rows = (await self._connection.execute(query)).mappings()
        return [Payment(**{name: row[name] for name in Payment.__dataclass_fields__}) for row in rows]

    async def count_payments(self, selection: Selection) -> int:
        """How many payments there are."""
        query = sa.select(sa.func.count()).select_from(payments).where(_meant(selection))
        return int(await self._connection.scalar(query) or 0)

    async def nsf_fees(self, reversals: Sequence[PaymentReversal]) -> dict[UUID, int]:
        """What each of these reversals had cost its account: the line that was posted with it."""
        query = (
            sa.select(invoices.c.account_id, invoice_lines.c.posted_at, invoice_lines.c.amount_cents)
            .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
            .join(payments, payments.c.account_id == invoices.c.account_id)
            .where(payments.c.payment_id == sa.any_(_IDS), invoice_lines.c.kind == "nsf_fee")
            .add_columns(payments.c.payment_id)
        )
        rows = await self._connection.execute(query, {"ids": [item.payment_id for item in reversals]})
        posted: dict[tuple[UUID, Any], int] = {
            (row.payment_id, row.posted_at): row.amount_cents for row in rows
        }
        costs = {item.reversal_id: posted.get((item.payment_id, item.recorded_at), 0) for item in reversals}
        returned = {item.reversal_id for item in reversals if item.kind == "returned"}
        return {key: cents for key, cents in costs.items() if key in returned and cents}


def _meant(selection: Selection) -> sa.ColumnElement[bool]:
    """Of a month: received in it. Of a property: on the accounts of its leases."""
    chosen: list[sa.ColumnElement[bool]] = [sa.true()]
    if selection.period is not None:
        chosen.append(payments.c.received_on.between(first_day(selection.period), last_day(selection.period)))
    if selection.property_id is not None:
        there = sa.select(leases.c.account_id).where(leases.c.property_id == selection.property_id)
        chosen.append(payments.c.account_id.in_(there))
    return sa.and_(*chosen)
