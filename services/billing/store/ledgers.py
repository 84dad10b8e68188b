"""The ledgers of accounts: locked, loaded and corrected, any number of them in a handful of statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.allocation import AllocationKey, Bucket, FeeLine, Received, TakenBack
from services.billing.domain.ledgers import Corrections, Divided, Kept, Ledger, LedgerInvoice
from services.billing.schema import (
    accounts,
    allocations,
    invoice_lines,
    invoices,
    leases,
    payment_reversals,
    payments,
    terms,
)
from shared.db import columnar, given, given_rows, insert_rows

_KEPT: Final = tuple(item.name for item in fields(Kept))
_INVOICE_FIELDS: Final = tuple(
    item.name for item in fields(LedgerInvoice) if item.name not in {"order", "kept"}
)
_ALLOCATION_KEY: Final = ("payment_id", "invoice_id", "bucket", "effective_on")
_ALLOCATION: Final = ("account_id", *_ALLOCATION_KEY, "amount_cents")
_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True, slots=True)
class Holder:
    """Who an account is of: its newest lease."""

    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: str


class LedgerStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, account_ids: Iterable[UUID]) -> dict[UUID, int]:
        """Take accounts for this transaction, in one order everywhere; the credit each then has."""
        query = (
            sa.select(accounts.c.account_id, accounts.c.credit_cents)
            .where(accounts.c.account_id == sa.any_(_IDS))
            .order_by(accounts.c.account_id)
            .with_for_update()
        )
        rows = await self._connection.execute(query, {"ids": list(set(account_ids))})
        return {row.account_id: row.credit_cents for row in rows}

    async def load(self, account_ids: Iterable[UUID]) -> list[Ledger]:
        """Every fact of these accounts, in six statements however many they are."""
        ids = {"ids": list(set(account_ids))}
        owed = await self._invoices(ids)
        fees = await self._fees(ids)
        received, divided = await self._payments(ids)
        reversals = await self._reversals(ids)
        kept = await self._allocations(ids)
        query = sa.select(accounts).where(accounts.c.account_id == sa.any_(_IDS))
        rows = await self._connection.execute(query.order_by(accounts.c.account_id), ids)
        return [
            Ledger(
                account_id=row.account_id,
                currency=row.currency,
                credit_cents=row.credit_cents,
                invoices=owed[row.account_id],
                fees=fees[row.account_id],
                payments=received[row.account_id],
                divided=divided[row.account_id],
                reversals=tuple(reversals[row.account_id]),
                allocations=kept[row.account_id],
            )
            for row in rows
        ]

    async def _invoices(self, ids: dict[str, Any]) -> defaultdict[UUID, dict[UUID, LedgerInvoice]]:
        order = sa.func.coalesce(terms.c.document["allocation"].astext, "oldest_first")
        query = (
            sa.select(*(invoices.c[name] for name in {*_INVOICE_FIELDS, *_KEPT}), order.label("order"))
            .join(terms, terms.c.terms_id == invoices.c.terms_id)
            .where(invoices.c.account_id == sa.any_(_IDS))
        )
        found: defaultdict[UUID, dict[UUID, LedgerInvoice]] = defaultdict(dict)
        for row in (await self._connection.execute(query, ids)).mappings():
            fixed = {name: row[name] for name in _INVOICE_FIELDS} | {"tenant_ids": tuple(row["tenant_ids"])}
            kept = Kept(**{name: row[name] for name in _KEPT})
            invoice = LedgerInvoice(**fixed, order=row["order"], kept=kept)
            found[invoice.account_id][invoice.invoice_id] = invoice
        return found

    async def _fees(self, ids: dict[str, Any]) -> defaultdict[UUID, dict[UUID, tuple[FeeLine, ...]]]:
        counts_on = sa.func.coalesce(invoice_lines.c.counts_on, invoices.c.issued_on)
        query = (
            sa.select(
                invoices.c.account_id,
                invoices.c.invoice_id,
                counts_on.label("counts_on"),
                invoice_lines.c.amount_cents,
            )
            .join(invoice_lines, invoice_lines.c.invoice_id == invoices.c.invoice_id)
            .where(invoices.c.account_id == sa.any_(_IDS), invoice_lines.c.bucket == "fee")
        )
        found: defaultdict[UUID, dict[UUID, tuple[FeeLine, ...]]] = defaultdict(dict)
        for row in await self._connection.execute(query, ids):
            lines = found[row.account_id]
            before = lines.get(row.invoice_id, ())
            lines[row.invoice_id] = (*before, FeeLine(row.counts_on, row.amount_cents))
        return found

    async def _payments(
        self, ids: dict[str, Any]
    ) -> tuple[defaultdict[UUID, dict[UUID, Received]], defaultdict[UUID, dict[UUID, Divided]]]:
        received: defaultdict[UUID, dict[UUID, Received]] = defaultdict(dict)
        divided: defaultdict[UUID, dict[UUID, Divided]] = defaultdict(dict)
        query = sa.select(payments).where(payments.c.account_id == sa.any_(_IDS))
        for row in await self._connection.execute(query, ids):
            received[row.account_id][row.payment_id] = Received(
                row.payment_id,
                row.reference,
                row.received_on,
                row.amount_cents,
                row.invoice_id,
                row.fees_only,
            )
            divided[row.account_id][row.payment_id] = Divided(row.applied_cents, row.reversed_cents)
        return received, divided

    async def _reversals(self, ids: dict[str, Any]) -> defaultdict[UUID, list[TakenBack]]:
        back = payment_reversals.c
        query = (
            sa.select(
                payments.c.account_id, back.payment_id, back.reference, back.known_on, back.amount_cents
            )
            .join(payment_reversals, back.payment_id == payments.c.payment_id)
            .where(payments.c.account_id == sa.any_(_IDS))
        )
        found: defaultdict[UUID, list[TakenBack]] = defaultdict(list)
        for row in await self._connection.execute(query, ids):
            taken = TakenBack(row.payment_id, row.reference, row.known_on, row.amount_cents)
            found[row.account_id].append(taken)
        return found

    async def _allocations(self, ids: dict[str, Any]) -> defaultdict[UUID, dict[AllocationKey, int]]:
        found: defaultdict[UUID, dict[AllocationKey, int]] = defaultdict(dict)
        query = sa.select(allocations).where(allocations.c.account_id == sa.any_(_IDS))
        for row in await self._connection.execute(query, ids):
            key = (row.payment_id, row.invoice_id, row.bucket, row.effective_on)
            found[row.account_id][key] = row.amount_cents
        return found

    async def correct(self, found: Sequence[Corrections]) -> None:
        """Write what differs, and only that."""
        await self._correct_allocations(found)
        await self._correct_payments(found)
        await self._correct_invoices(found)
        credit = [
            {"account_id": item.account_id, "credit_cents": item.credit_cents}
            for item in found
            if item.credit_cents != item.credit_before_cents
        ]
        if credit:
            await self._connection.execute(_SET_CREDIT, given(credit, ("account_id", "credit_cents")))

    async def _correct_allocations(self, found: Sequence[Corrections]) -> None:
        stale = [dict(zip(_ALLOCATION_KEY, key, strict=True)) for item in found for key in item.stale]
        if stale:
            await self._connection.execute(_DROP_ALLOCATIONS, given(stale, _ALLOCATION_KEY))
        fresh = [
            dict(zip(_ALLOCATION, (item.account_id, *key, cents), strict=True))
            for item in found
            for key, cents in item.allocations.items()
        ]
        if fresh:
            await self._connection.execute(_ADD_ALLOCATIONS, columnar(fresh, _ALLOCATION))

    async def _correct_payments(self, found: Sequence[Corrections]) -> None:
        rows = [
            {
                "payment_id": key,
                "applied_cents": value.applied_cents,
                "reversed_cents": value.reversed_cents,
            }
            for item in found
            for key, value in item.payments.items()
        ]
        if rows:
            await self._connection.execute(_DIVIDE_PAYMENTS, given(rows, tuple(rows[0])))

    async def _correct_invoices(self, found: Sequence[Corrections]) -> None:
        rows = [
            {"invoice_id": change.invoice.invoice_id} | {name: getattr(change.after, name) for name in _KEPT}
            for item in found
            for change in item.invoices
        ]
        if rows:
            await self._connection.execute(_SET_INVOICES, given(rows, ("invoice_id", *_KEPT)))

    async def next_revisions(self, account_ids: Iterable[UUID]) -> dict[UUID, int]:
        """The number of what is said next about the rent of each of these accounts, which are locked."""
        statement = (
            sa.update(accounts)
            .where(accounts.c.account_id == sa.any_(_IDS))
            .values(revision=accounts.c.revision + 1)
            .returning(accounts.c.account_id, accounts.c.revision)
        )
        rows = await self._connection.execute(statement, {"ids": list(set(account_ids))})
        return {row.account_id: row.revision for row in rows}

    async def holders(self, account_ids: Iterable[UUID]) -> dict[UUID, Holder]:
        """The newest lease of each account."""
        columns = (leases.c[item.name] for item in fields(Holder))
        query = (
            sa.select(*columns)
            .ext(distinct_on(leases.c.account_id))
            .where(leases.c.account_id == sa.any_(_IDS))
            .order_by(leases.c.account_id, leases.c.starts_on.desc(), leases.c.lease_id.desc())
        )
        rows = (await self._connection.execute(query, {"ids": list(set(account_ids))})).mappings()
        found = (Holder(**{**row, "tenant_ids": tuple(row["tenant_ids"])}) for row in rows)
        return {holder.account_id: holder for holder in found}

    async def line_sums(self, account_ids: Iterable[UUID]) -> dict[UUID, dict[Bucket, int]]:
        """What the lines of each invoice of these accounts come to, by bucket."""
        query = (
            sa.select(
                invoice_lines.c.invoice_id,
                invoice_lines.c.bucket,
                sa.cast(sa.func.sum(invoice_lines.c.amount_cents), sa.BigInteger).label("cents"),
            )
            .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
            .where(invoices.c.account_id == sa.any_(_IDS))
            .group_by(invoice_lines.c.invoice_id, invoice_lines.c.bucket)
        )
        found: defaultdict[UUID, dict[Bucket, int]] = defaultdict(dict)
        for row in await self._connection.execute(query, {"ids": list(set(account_ids))}):
            found[row.invoice_id][row.bucket] = row.cents
        return found

    async def touched_since(self, dates: Mapping[UUID, date]) -> list[UUID]:
        """The accounts that have credit, or on which something happened on their date or later."""
        if not dates:
            return []
        rows = [{"account_id": key, "issued_on": on} for key, on in dates.items()]
        return list(await self._connection.scalars(_TOUCHED, given(rows, ("account_id", "issued_on"))))

    async def chunk(self, after: UUID | None, size: int) -> list[UUID]:
        """The next accounts in id order, to look at all of them piece by piece."""
        query = sa.select(accounts.c.account_id).order_by(accounts.c.account_id).limit(size)
        if after is not None:
            query = query.where(accounts.c.account_id > after)
        return list(await self._connection.scalars(query))

    async def count(self) -> int:
        """How many accounts there are."""
        return int(await self._connection.scalar(sa.select(sa.func.count()).select_from(accounts)) or 0)


def _touched() -> sa.Select[tuple[UUID]]:
    """Each question is answered by an index on the account."""
    asked = given_rows(invoices, ("account_id", "issued_on"))
    since, back, line = asked.c.issued_on, payment_reversals.c, invoice_lines.c
    paid = sa.select(payments.c.payment_id).where(payments.c.account_id == asked.c.account_id)
    owed = sa.select(invoices.c.invoice_id).where(invoices.c.account_id == asked.c.account_id)
    taken_back = paid.join(payment_reversals, back.payment_id == payments.c.payment_id)
    fees = owed.join(invoice_lines, line.invoice_id == invoices.c.invoice_id).where(line.bucket == "fee")
    return (
        sa.select(asked.c.account_id)
        .join(accounts, accounts.c.account_id == asked.c.account_id)
        .where(
            sa.or_(
                accounts.c.credit_cents > 0,
                paid.where(payments.c.received_on >= since).exists(),
                taken_back.where(back.known_on >= since).exists(),
                fees.where(line.counts_on >= since).exists(),
                owed.where(invoices.c.issued_on >= since, invoices.c.paid_cents > 0).exists(),
            )
        )
    )


def _set_invoices() -> sa.Update:
    """What is paid need not be looked at again; what is open again has to be."""
    rows = given_rows(invoices, ("invoice_id", *_KEPT))
    reopened = sa.and_(invoices.c.state == "paid", rows.c.state == "open")

    def looked_at(column: sa.Column[Any], again: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.case((rows.c.state != "open", None), (reopened, again), else_=column)

    return (
        sa.update(invoices)
        .where(invoices.c.invoice_id == rows.c.invoice_id)
        .values(
            {name: rows.c[name] for name in _KEPT}
            | {
                "next_check_on": looked_at(invoices.c.next_check_on, invoices.c.due_on + sa.literal(1)),
                "next_reminder_on": looked_at(invoices.c.next_reminder_on, invoices.c.issued_on),
            }
        )
    )


def _update(table: sa.Table, key: str, *columns: str) -> sa.Update:
    rows = given_rows(table, (key, *columns))
    return (
        sa.update(table).where(table.c[key] == rows.c[key]).values({name: rows.c[name] for name in columns})
    )


def _drop_allocations() -> sa.Delete:
    rows = given_rows(allocations, _ALLOCATION_KEY)
    return sa.delete(allocations).where(*(allocations.c[name] == rows.c[name] for name in _ALLOCATION_KEY))


_TOUCHED: Final = _touched()
_SET_INVOICES: Final = _set_invoices()
_DIVIDE_PAYMENTS: Final = _update(payments, "payment_id", "applied_cents", "reversed_cents")
_SET_CREDIT: Final = _update(accounts, "account_id", "credit_cents")
_DROP_ALLOCATIONS: Final = _drop_allocations()
_ADD_ALLOCATIONS: Final = insert_rows(allocations, _ALLOCATION)
