"""Late fees in the ledger: what they are judged by, the lines of it, and when to look again.

A number of accounts is read in a fixed number of statements, and nothing but what is due is read to find
out what is due.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.fee_calendar import Hold
from services.billing.domain.fee_postings import KINDS, FeeLine
from services.billing.domain.late_terms import Receipt, Waiver
from services.billing.schema import allocations, holds, invoice_lines, invoices, properties, waivers
from shared.db import columnar, given, given_rows, insert_rows
from shared.identity import new_id

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
_LINE_COLUMNS: Final = (
    *("invoice_id", "position", "kind", "bucket", "description", "amount_cents"),
    *("formula", "rule", "counts_on", "reason", "posted_by", "posted_at"),
)
_INSERT_LINES: Final = insert_rows(invoice_lines, _LINE_COLUMNS)
_MARKS: Final = ("invoice_id", "next_check_on", "overdue_on")
_OF_LATENESS: Final = sa.and_(invoice_lines.c.bucket == "fee", invoice_lines.c.kind.in_(KINDS))
_DESCRIPTIONS: Final = {"late_fee": "Late fee", "interest": "Interest on late rent", "waiver": "Waived"}


@dataclass(frozen=True, slots=True)
class DueInvoice:
    """An invoice that is to be looked at, and the date it is at its property."""

    invoice_id: UUID
    account_id: UUID
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LateInvoice:
    """An invoice with everything its late fees depend on."""

    invoice_id: UUID
    number: str
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    period: str
    period_starts_on: date
    period_ends_on: date
    issued_on: date
    due_on: date
    currency: str
    terms_id: UUID
    rent_cents: int
    charge_cents: int
    fee_cents: int
    total_cents: int
    paid_cents: int
    state: str
    overdue_on: date | None
    next_check_on: date | None
    last_position: int = 0
    rent_receipts: Sequence[Receipt] = field(default_factory=list)
    charge_receipts: Sequence[Receipt] = field(default_factory=list)
    lines: Sequence[FeeLine] = field(default_factory=list)
    waivers: Sequence[Waiver] = field(default_factory=list)
    holds: Sequence[Hold] = field(default_factory=list)

    @property
    def payable_on(self) -> date:
        """From when on it can be late: nobody is late with an invoice that did not exist."""
        return max(self.due_on, self.issued_on)

    @property
    def balance_cents(self) -> int:
        """What is still to be paid."""
        return 0 if self.state == "void" else self.total_cents - self.paid_cents

    def reason_of(self, line: FeeLine) -> str | None:
        """Why a person had a line posted; None where a rule did."""
        if line.kind != "waiver":
            return None
        given = [waiver.reason for waiver in self.waivers if waiver.on <= line.counts_on]
        return given[-1] if given else None


_FIELDS: Final = tuple(item.name for item in fields(LateInvoice) if item.name in invoices.c)


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to add to an invoice."""

    invoice: LateInvoice
    position: int
    line: FeeLine


@dataclass(frozen=True, slots=True)
class NewWaiver:
    """Fees that a person lets go."""

    waiver_id: UUID
    invoice_id: UUID
    amount_cents: int | None
    waived_on: date
    reason: str
    waived_by: str
    waived_at: datetime


def due_query(today: Mapping[str, date], property_id: UUID | None) -> sa.Select[tuple[UUID, UUID, date]]:
    """Which invoices are due for a look; a query of its own so that its plan can be tested."""
    dates = sa.func.unnest(
        sa.bindparam("zones", list(today), type_=ARRAY(sa.Text)),
        sa.bindparam("dates", list(today.values()), type_=ARRAY(sa.Date)),
    )
    columns = (sa.column("zone", sa.Text), sa.column("today", sa.Date))
    zones = dates.table_valued(*columns).render_derived("zones")
    query = (
        sa.select(invoices.c.invoice_id, invoices.c.account_id, zones.c.today)
        .join(properties, properties.c.property_id == invoices.c.property_id)
        .join(zones, zones.c.zone == properties.c.time_zone)
        .where(
            invoices.c.next_check_on.is_not(None),
            invoices.c.next_check_on <= sa.bindparam("latest", max(today.values()), type_=sa.Date),
            invoices.c.next_check_on <= zones.c.today,
        )
        .order_by(invoices.c.account_id, invoices.c.invoice_id)
    )
    return query if property_id is None else query.where(invoices.c.property_id == property_id)


class FeeStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def time_zones(self) -> list[str]:
        """The zones there are properties in."""
        return list(await self._connection.scalars(sa.select(properties.c.time_zone).distinct()))

    async def due(self, today: Mapping[str, date], property_id: UUID | None) -> list[DueInvoice]:
        """Invoices whose next check is today or before, at the date in their property's zone.

        The partial index on `next_check_on` finds them; invoices that need no look are not read.
        """
        if not today:
            return []
        rows = await self._connection.execute(due_query(today, property_id))
        return [DueInvoice(row.invoice_id, row.account_id, row.today) for row in rows]

    async def accounts_of(self, invoice_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The account of each of these invoices."""
        query = sa.select(invoices.c.invoice_id, invoices.c.account_id)
        query = query.where(invoices.c.invoice_id == sa.any_(_IDS))
        rows = await self._connection.execute(query, {"ids": list(invoice_ids)})
        return {row.invoice_id: row.account_id for row in rows}

    async def load(self, account_ids: Iterable[UUID]) -> list[LateInvoice]:
        """The invoices of these accounts that owe, or could owe, something for being late.

        Left out are voided ones, and those that were paid in time and never had a fee.
        """
        in_time = sa.and_(invoices.c.state == "paid", invoices.c.paid_on <= invoices.c.due_on)
        query = (
            sa.select(*(invoices.c[name] for name in _FIELDS))
            .where(invoices.c.account_id == sa.any_(_IDS), invoices.c.state != "void")
            .where(sa.or_(~in_time, invoices.c.fee_cents != 0))
            .order_by(invoices.c.account_id, invoices.c.due_on, invoices.c.number)
        )
        rows = (await self._connection.execute(query, {"ids": list(set(account_ids))})).mappings().all()
        return await self._with_facts(rows)

    async def one(self, invoice_id: UUID) -> LateInvoice | None:
        """One invoice, whatever its state."""
        query = sa.select(*(invoices.c[name] for name in _FIELDS)).where(invoices.c.invoice_id == invoice_id)
        rows = (await self._connection.execute(query)).mappings().all()
        found = await self._with_facts(rows)
        return found[0] if found else None

    async def _with_facts(self, rows: Sequence[sa.RowMapping]) -> list[LateInvoice]:
        ids = [row["invoice_id"] for row in rows]
        if not ids:
            return []
        lines, positions = await self._lines(ids)
        receipts = await self._receipts(ids)
        waived = await self._waivers(ids)
        held = await self._holds(rows)
        return [
            LateInvoice(
                **dict(row) | {"tenant_ids": tuple(row["tenant_ids"])},
                last_position=positions[row["invoice_id"]],
                lines=lines[row["invoice_id"]],
                rent_receipts=receipts[row["invoice_id"], "rent"],
                charge_receipts=receipts[row["invoice_id"], "charge"],
                waivers=waived[row["invoice_id"]],
                holds=[
                    hold
                    for key in ("invoice_id", "lease_id", "property_id")
                    for hold in held[key.removesuffix("_id"), row[key]]
                ],
            )
            for row in rows
        ]

    async def _lines(self, ids: list[UUID]) -> tuple[defaultdict[UUID, list[FeeLine]], dict[UUID, int]]:
        of_these = invoice_lines.c.invoice_id == sa.any_(_IDS)
        columns = ("invoice_id", "kind", "rule", "counts_on", "amount_cents", "formula")
        query = sa.select(*(invoice_lines.c[name] for name in columns)).where(of_these, _OF_LATENESS)
        found: defaultdict[UUID, list[FeeLine]] = defaultdict(list)
        for row in await self._connection.execute(query.order_by(invoice_lines.c.position), {"ids": ids}):
            found[row.invoice_id].append(
                FeeLine(row.kind, row.rule, row.counts_on, row.amount_cents, row.formula)
            )
        last = sa.select(invoice_lines.c.invoice_id, sa.func.max(invoice_lines.c.position)).where(of_these)
        rows = await self._connection.execute(last.group_by(invoice_lines.c.invoice_id), {"ids": ids})
        return found, defaultdict(int, {row[0]: row[1] for row in rows})

    async def _receipts(self, ids: list[UUID]) -> defaultdict[tuple[UUID, str], list[Receipt]]:
        query = sa.select(allocations).where(
            allocations.c.invoice_id == sa.any_(_IDS), allocations.c.bucket.in_(("rent", "charge"))
        )
        found: defaultdict[tuple[UUID, str], list[Receipt]] = defaultdict(list)
        for row in await self._connection.execute(query, {"ids": ids}):
            receipt = Receipt(received_on=row.effective_on, amount_cents=row.amount_cents)
            found[row.invoice_id, row.bucket].append(receipt)
        return found

    async def _waivers(self, ids: list[UUID]) -> defaultdict[UUID, list[Waiver]]:
        query = sa.select(waivers).where(waivers.c.invoice_id == sa.any_(_IDS))
        found: defaultdict[UUID, list[Waiver]] = defaultdict(list)
        order = (waivers.c.waived_on, waivers.c.waived_at, waivers.c.waiver_id)
        for row in await self._connection.execute(query.order_by(*order), {"ids": ids}):
            fee = Waiver(on=row.waived_on, amount_cents=row.amount_cents, reason=row.reason)
            found[row.invoice_id].append(fee)
            if row.amount_cents is None:
                found[row.invoice_id].append(Waiver(on=row.waived_on, of="interest", reason=row.reason))
        return found

    async def _holds(self, rows: Sequence[sa.RowMapping]) -> defaultdict[tuple[str, UUID], list[Hold]]:
        ids = {row[key] for row in rows for key in ("invoice_id", "lease_id", "property_id")}
        query = sa.select(holds).where(holds.c.scope_id == sa.any_(_IDS)).order_by(holds.c.starts_on)
        found: defaultdict[tuple[str, UUID], list[Hold]] = defaultdict(list)
        for row in await self._connection.execute(query, {"ids": list(ids)}):
            hold = Hold(from_on=row.starts_on, to_on=row.ends_on, kind=row.kind)
            found[row.scope, row.scope_id].append(hold)
        return found

    async def add(self, lines: Sequence[NewLine], *, by: str, at: datetime) -> None:
        """Add lines; the invoice's derived amounts are for whoever settles the account.

        A position that somebody took meanwhile is an error: the primary key is the second lock.
        """
        rows: list[dict[str, Any]] = [
            {
                "invoice_id": new.invoice.invoice_id,
                "position": new.position,
                "kind": new.line.kind,
                "bucket": "fee",
                "description": _description(new.line),
                "amount_cents": new.line.amount_cents,
                "formula": new.line.formula,
                "rule": new.line.rule,
                "counts_on": new.line.counts_on,
                "reason": new.invoice.reason_of(new.line),
                "posted_by": by,
                "posted_at": at,
            }
            for new in lines
        ]
        if rows:
            await self._connection.execute(_INSERT_LINES, columnar(rows, _LINE_COLUMNS))

    async def add_waiver(self, waiver: NewWaiver) -> None:
        """Keep that fees were let go."""
        await self._connection.execute(sa.insert(waivers).values(asdict(waiver)))

    async def carry_waivers(self, from_id: UUID, to_id: UUID) -> None:
        """Let what was waived on a voided invoice be waived on the one that takes its place."""
        query = sa.select(waivers).where(waivers.c.invoice_id == from_id)
        carried = [
            dict(row) | {"waiver_id": new_id(), "invoice_id": to_id}
            for row in (await self._connection.execute(query)).mappings()
        ]
        if carried:
            await self._connection.execute(sa.insert(waivers), carried)

    async def mark(self, marks: Sequence[Mapping[str, Any]]) -> None:
        """Keep when each invoice is to be looked at again, and since when it is overdue."""
        if marks:
            await self._connection.execute(_MARK, given(marks, _MARKS))


def _description(line: FeeLine) -> str:
    taken_back = line.kind != "waiver" and line.amount_cents < 0
    name = _DESCRIPTIONS[line.kind]
    return f"{name} of {line.counts_on} taken back" if taken_back else f"{name} {line.counts_on}"


def _mark() -> sa.Update:
    rows = given_rows(invoices, _MARKS)
    return (
        sa.update(invoices)
        .where(invoices.c.invoice_id == rows.c.invoice_id)
        .values(next_check_on=rows.c.next_check_on, overdue_on=rows.c.overdue_on)
    )


_MARK: Final = _mark()
