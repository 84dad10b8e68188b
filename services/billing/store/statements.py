"""What the running ledgers of accounts are made of."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.payments import GOODWILL
from services.billing.domain.statements import Entry, Kind
from services.billing.schema import (
    accounts,
    invoice_lines,
    invoices,
    leases,
    payment_reversals,
    payments,
    properties,
)

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose ledger it is: the account, its newest lease, and where that is."""

    account_id: UUID
    lease_id: UUID
    unit_label: str
    property_name: str | None
    currency: str


class StatementStore:
    """Reads over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def headings(self, *, lease_id: UUID | None = None, tenant_id: UUID | None = None) -> list[Heading]:
        """The account of a lease, or every account on which a tenant has, or had, a lease."""
        wanted = sa.select(leases.c.account_id)
        if lease_id is not None:
            wanted = wanted.where(leases.c.lease_id == lease_id)
        if tenant_id is not None:
            wanted = wanted.where(leases.c.tenant_ids.contains([tenant_id]))
        query = (
            sa.select(
                leases.c.account_id,
                leases.c.lease_id,
                leases.c.unit_label,
                properties.c.name.label("property_name"),
                accounts.c.currency,
            )
            .ext(distinct_on(leases.c.account_id))
            .join(accounts, accounts.c.account_id == leases.c.account_id)
            .outerjoin(properties, properties.c.property_id == leases.c.property_id)
            .where(leases.c.account_id.in_(wanted))
            .order_by(leases.c.account_id, leases.c.starts_on.desc(), leases.c.lease_id.desc())
        )
        return [Heading(**row) for row in (await self._connection.execute(query)).mappings()]

    async def entries(self, account_ids: Sequence[UUID]) -> dict[UUID, list[Entry]]:
        """Everything that changed what is owed on these accounts, in no order."""
        found: defaultdict[UUID, list[Entry]] = defaultdict(list)
        ids = {"ids": list(account_ids)}
        for read in (self._lines, self._voids, self._payments, self._reversals):
            async for account_id, entry in read(ids):
                found[account_id].append(entry)
        return found

    async def totals(self, account_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
        """What was charged on these accounts in all, by bucket; void invoices do not count."""
        query = (
            sa.select(
                invoices.c.account_id,
                invoice_lines.c.bucket,
                sa.cast(sa.func.sum(invoice_lines.c.amount_cents), sa.BigInteger).label("cents"),
            )
            .join(invoice_lines, invoice_lines.c.invoice_id == invoices.c.invoice_id)
            .where(invoices.c.account_id == sa.any_(_IDS), invoices.c.state != "void")
            .group_by(invoices.c.account_id, invoice_lines.c.bucket)
        )
        found: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
        for row in await self._connection.execute(query, {"ids": list(account_ids)}):
            found[row.account_id][row.bucket] = row.cents
        return found

    async def _lines(self, ids: dict[str, Any]) -> AsyncIterator[tuple[UUID, Entry]]:
        query = (
            sa.select(
                invoices.c.account_id,
                invoices.c.number,
                sa.func.coalesce(invoice_lines.c.counts_on, invoices.c.issued_on).label("on"),
                invoice_lines.c.description,
                invoice_lines.c.amount_cents,
            )
            .join(invoice_lines, invoice_lines.c.invoice_id == invoices.c.invoice_id)
            .where(invoices.c.account_id == sa.any_(_IDS))
            .order_by(invoices.c.number, invoice_lines.c.position)
        )
        for row in await self._connection.execute(query, ids):
            entry = Entry(row.on, Kind.CHARGE, row.number, row.description, charge_cents=row.amount_cents)
            yield row.account_id, entry

    async def _voids(self, ids: dict[str, Any]) -> AsyncIterator[tuple[UUID, Entry]]:
        query = (
            sa.select(
                invoices.c.account_id,
                invoices.c.number,
                sa.func.coalesce(invoices.c.voided_on, invoices.c.issued_on).label("on"),
                invoices.c.void_reason,
                sa.cast(sa.func.sum(invoice_lines.c.amount_cents), sa.BigInteger).label("cents"),
            )
            .join(invoice_lines, invoice_lines.c.invoice_id == invoices.c.invoice_id)
            .where(invoices.c.account_id == sa.any_(_IDS), invoices.c.state == "void")
            .group_by(invoices.c.invoice_id)
        )
        for row in await self._connection.execute(query, ids):
            what = f"Voided: {row.void_reason}" if row.void_reason else "Voided"
            yield row.account_id, Entry(row.on, Kind.VOID, row.number, what, charge_cents=-row.cents)

    async def _payments(self, ids: dict[str, Any]) -> AsyncIterator[tuple[UUID, Entry]]:
        query = sa.select(payments).where(payments.c.account_id == sa.any_(_IDS))
        for row in await self._connection.execute(query, ids):
            what = "Goodwill credit" if row.method == GOODWILL else f"Payment ({row.method})"
            entry = Entry(row.received_on, Kind.PAYMENT, row.reference, what, payment_cents=row.amount_cents)
            yield row.account_id, entry

    async def _reversals(self, ids: dict[str, Any]) -> AsyncIterator[tuple[UUID, Entry]]:
        back = payment_reversals.c
        query = (
            sa.select(
                payments.c.account_id, payments.c.reference, back.kind, back.known_on, back.amount_cents
            )
            .join(payment_reversals, back.payment_id == payments.c.payment_id)
            .where(payments.c.account_id == sa.any_(_IDS))
        )
        for row in await self._connection.execute(query, ids):
            what = f"Payment {row.kind.replace('_', ' ')}"
            entry = Entry(row.known_on, Kind.REVERSAL, row.reference, what, payment_cents=-row.amount_cents)
            yield row.account_id, entry
