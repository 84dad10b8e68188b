"""Invoices: issued once per lease and month, numbered without gaps, found again."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.invoices import Draft, Line, invoice_number
from services.billing.domain.policies import terms_id
from services.billing.schema import accounts, allocations, invoice_lines, invoice_numbers, invoices
from shared.db import array_text, columnar, insert_rows
from shared.identity import new_id

_COLUMNS: Final = (
    "invoice_id",
    "number",
    "account_id",
    "lease_id",
    "property_id",
    "unit_id",
    "unit_label",
    "tenant_ids",
    "period",
    "period_starts_on",
    "period_ends_on",
    "issued_on",
    "due_on",
    "currency",
    "terms_id",
    "total_cents",
    "rent_cents",
    "charge_cents",
    "paid_on",
    "state",
    "next_check_on",
    "next_reminder_on",
    "created_at",
)
_INSERT: Final = insert_rows(invoices, _COLUMNS)
_LINE_COLUMNS: Final = (
    *("invoice_id", "position", "kind", "bucket", "description", "amount_cents", "formula"),
)
_INSERT_LINES: Final = insert_rows(invoice_lines, _LINE_COLUMNS)


class Standing(NamedTuple):
    """An invoice that stands, as a plan would have it."""

    lease_id: UUID
    period_starts_on: date
    period_ends_on: date
    due_on: date
    currency: str
    terms_id: UUID
    rent_cents: int
    charge_cents: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A draft that became an invoice."""

    invoice_id: UUID
    number: str
    draft: Draft


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it stands."""

    invoice_id: UUID
    number: str
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    unit_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    period: str
    period_starts_on: date
    period_ends_on: date
    issued_on: date
    due_on: date
    currency: str
    terms_id: UUID
    total_cents: int
    paid_cents: int
    state: str
    voided_on: date | None
    void_reason: str | None

    @property
    def balance_cents(self) -> int:
        """What is still to be paid."""
        return 0 if self.state == "void" else self.total_cents - self.paid_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Invoice):
    """An invoice with the lines it was issued with, fees apart, and since when it is covered."""

    rent_cents: int
    charge_cents: int
    paid_on: date | None
    rent_paid_on: date | None
    lines: tuple[Line, ...] = ()
    revision: int = 0
    """Of what was last said about the rent of its account."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which invoices and payments somebody means; none chosen, all of them."""

    period: str | None = None
    property_id: UUID | None = None


_KEPT_FIELDS: Final = tuple(name for name in Kept.__dataclass_fields__ if name not in {"lines", "revision"})
_INVOICE_FIELDS: Final = tuple(Invoice.__dataclass_fields__)
_LINE_FIELDS: Final = ("kind", "bucket", "description", "amount_cents", "formula")


class InvoiceStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, drafts: Sequence[Draft], at: datetime) -> list[Issued]:
        """Number and write the invoices of periods that have none, whose accounts the caller has locked.

        The number counters are locked until the end of the transaction, so that numbers have no gaps.
        The unique index on lease, period and kind is the second lock against doubles.
        """
        if not drafts:
            return []
        last = await self._lock_counters({draft.issued_on.year for draft in drafts})
        issued: list[Issued] = []
        for draft in drafts:
            year = draft.issued_on.year
            last[year] += 1
            issued.append(Issued(new_id(), invoice_number(year, last[year]), draft))
        await self._write(issued, at)
        await self._set_counters(last)
        return issued

    async def _lock_counters(self, years: set[int]) -> Counter[int]:
        found: Counter[int] = Counter()
        for year in sorted(years):
            statement = insert(invoice_numbers).values(year=year, last=0)
            locked = statement.on_conflict_do_update(
                index_elements=["year"], set_={"last": invoice_numbers.c.last}
            ).returning(invoice_numbers.c.last)
            found[year] = int(await self._connection.scalar(locked) or 0)
        return found

    async def _set_counters(self, last: Counter[int]) -> None:
        for year, value in last.items():
            await self._connection.execute(
                sa.update(invoice_numbers).where(invoice_numbers.c.year == year).values(last=value)
            )

    async def _write(self, issued: Sequence[Issued], at: datetime) -> None:
        rows = [_row(item, at) for item in issued]
        await self._connection.execute(_INSERT, columnar(rows, _COLUMNS))
        lines = [
            {
                "invoice_id": item.invoice_id,
                "position": position,
                "kind": line.kind,
                "bucket": line.bucket,
                "description": line.description,
                "amount_cents": line.amount_cents,
                "formula": line.formula,
            }
            for item in issued
            for position, line in enumerate(item.draft.lines, start=1)
        ]
        await self._connection.execute(_INSERT_LINES, columnar(lines, _LINE_COLUMNS))

    async def find(self, identity: str, *, lock: bool = False) -> Invoice | None:
        """One invoice by its id or its number."""
        query = sa.select(*(invoices.c[name] for name in _INVOICE_FIELDS))
        try:
            query = query.where(invoices.c.invoice_id == UUID(identity))
        except ValueError:
            query = query.where(invoices.c.number == identity.upper())
        if lock:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).one_or_none()
        return _invoice(row) if row else None

    async def standing(self, lease_ids: Collection[UUID]) -> list[Standing]:
        """The invoices of some leases that are not void, by what identifies and sums them."""
        query = sa.select(*(invoices.c[name] for name in Standing._fields))
        query = query.where(invoices.c.lease_id.in_(lease_ids), invoices.c.state != "void")
        return [Standing(*row) for row in await self._connection.execute(query)]

    async def open_on(self, invoice_id: UUID, on: date) -> int:
        """What was to be paid on an invoice at the end of a day, by what is known now."""
        fees = sa.and_(invoice_lines.c.bucket == "fee", invoice_lines.c.counts_on > on)
        owed = sa.select(sa.func.coalesce(sa.func.sum(invoice_lines.c.amount_cents), 0)).where(
            invoice_lines.c.invoice_id == invoice_id, sa.not_(sa.func.coalesce(fees, sa.false()))
        )
        paid = sa.select(sa.func.coalesce(sa.func.sum(allocations.c.amount_cents), 0)).where(
            allocations.c.invoice_id == invoice_id, allocations.c.effective_on <= on
        )
        query = sa.select(owed.scalar_subquery() - paid.scalar_subquery())
        return int(await self._connection.scalar(query) or 0)

    async def void(self, invoice_id: UUID, *, on: date, reason: str, by: str) -> Invoice | None:
        """Make an invoice void, whose account the caller has locked; as it was, or None where it was void."""
        before = await self.find(str(invoice_id))
        if before is None or before.state == "void":
            return None
        await self._connection.execute(
            sa.update(invoices)
            .where(invoices.c.invoice_id == invoice_id)
            .values(
                state="void",
                voided_on=on,
                void_reason=reason,
                voided_by=by,
                next_check_on=None,
                next_reminder_on=None,
            )
        )
        return before

    async def lines(self, invoice_id: UUID) -> list[Line]:
        """The lines of an invoice, in order."""
        query = (
            sa.select(*(invoice_lines.c[name] for name in _LINE_FIELDS))
            .where(invoice_lines.c.invoice_id == invoice_id)
            .order_by(invoice_lines.c.position)
        )
        return [Line(**row) for row in (await self._connection.execute(query)).mappings()]

    async def page(self, selection: Selection, after: UUID | None, limit: int) -> list[Kept]:
        """Some invoices with their lines, in the order of their ids."""
        query = (
            sa.select(*(invoices.c[name] for name in _KEPT_FIELDS), accounts.c.revision)
            .select_from(invoices)
            .join(accounts, accounts.c.account_id == invoices.c.account_id)
            .where(_meant(selection))
        )
        if after is not None:
            query = query.where(invoices.c.invoice_id > after)
        rows = (await self._connection.execute(query.order_by("invoice_id").limit(limit))).mappings().all()
        lines = await self._issued_lines([row["invoice_id"] for row in rows])
        return [
            Kept(
                **dict(row)
                | {"tenant_ids": tuple(row["tenant_ids"]), "lines": tuple(lines[row["invoice_id"]])}
            )
            for row in rows
        ]

    async def count(self, selection: Selection) -> int:
        """How many invoices there are."""
        query = sa.select(sa.func.count()).select_from(invoices).where(_meant(selection))
        return int(await self._connection.scalar(query) or 0)

    async def _issued_lines(self, invoice_ids: Sequence[UUID]) -> defaultdict[UUID, list[Line]]:
        found: defaultdict[UUID, list[Line]] = defaultdict(list)
        query = (
            sa.select(invoice_lines.c.invoice_id, *(invoice_lines.c[name] for name in _LINE_FIELDS))
            .where(invoice_lines.c.invoice_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))))
            .where(invoice_lines.c.bucket != "fee")
            .order_by(invoice_lines.c.invoice_id, invoice_lines.c.position)
        )
        for row in (await self._connection.execute(query, {"ids": list(invoice_ids)})).mappings():
            found[row["invoice_id"]].append(Line(**{name: row[name] for name in _LINE_FIELDS}))
        return found

    async def search(
        self, *, period: str | None, property_id: UUID | None, state: str | None, limit: int
    ) -> list[Invoice]:
        """The newest invoices that fit."""
        query = sa.select(*(invoices.c[name] for name in _INVOICE_FIELDS)).limit(limit)
        for column, value in (("period", period), ("property_id", property_id), ("state", state)):
            if value is not None:
                query = query.where(invoices.c[column] == value)
        rows = await self._connection.execute(query.order_by(invoices.c.number.desc()))
        return [_invoice(row) for row in rows]

    async def pay(self, invoice: Invoice, applied_cents: int, on: date) -> None:
        """Book a payment's part on an invoice that was found with `lock`."""
        paid = invoice.paid_cents + applied_cents
        values: dict[str, Any] = {"paid_cents": paid}
        if paid >= invoice.total_cents:
            values |= {"state": "paid", "paid_on": on, "next_check_on": None, "next_reminder_on": None}
        await self._connection.execute(
            sa.update(invoices).where(invoices.c.invoice_id == invoice.invoice_id).values(values)
        )


def _meant(selection: Selection) -> sa.ColumnElement[bool]:
    chosen: list[sa.ColumnElement[bool]] = [sa.true()]
    if selection.period is not None:
        chosen.append(invoices.c.period == selection.period)
    if selection.property_id is not None:
        chosen.append(invoices.c.property_id == selection.property_id)
    return sa.and_(*chosen)


def _row(item: Issued, at: datetime) -> dict[str, Any]:
    draft, lease = item.draft, item.draft.terms
    is_open = draft.total_cents > 0  # an invoice of nothing (a free month) is born paid
    return {
        "invoice_id": item.invoice_id,
        "number": item.number,
        "account_id": lease.account_id,
        "lease_id": lease.lease_id,
        "property_id": lease.property_id,
        "unit_id": lease.unit_id,
        "unit_label": lease.unit_label,
        "tenant_ids": array_text(lease.tenant_ids),
        "period": draft.period.label,
        "period_starts_on": draft.period.starts_on,
        "period_ends_on": draft.period.ends_on,
        "issued_on": draft.issued_on,
        "due_on": draft.due_on,
        "currency": lease.currency,
        "terms_id": terms_id(draft.policy),
        "total_cents": draft.total_cents,
        "rent_cents": draft.rent_cents,
        "charge_cents": draft.total_cents - draft.rent_cents,
        "paid_on": None if is_open else draft.issued_on,
        "state": "open" if is_open else "paid",
        "next_check_on": draft.due_on + timedelta(days=1) if is_open else None,
        "next_reminder_on": draft.issued_on if is_open else None,
        "created_at": at,
    }


def _invoice(row: Any) -> Invoice:
    values = {name: getattr(row, name) for name in _INVOICE_FIELDS}
    return Invoice(**values | {"tenant_ids": tuple(values["tenant_ids"])})
