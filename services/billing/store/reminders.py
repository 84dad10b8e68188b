"""Reminders: which invoices are to be looked at, what was decided, and who was told on which day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.fee_calendar import Hold
from services.billing.domain.policy_book import Place
from services.billing.domain.reminder_groups import MessageKey
from services.billing.domain.reminders import Outcome, Stage
from services.billing.schema import (
    allocations,
    holds,
    invoices,
    properties,
    reminder_messages,
    reminders,
)
from shared.db import columnar, given, given_rows, insert_rows

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
_REMINDER_COLUMNS: Final = ("invoice_id", "due_on", "stage", "state", "reason", "decided_on", "decided_at")
_MESSAGE_COLUMNS: Final = ("reminder_id", "tenant_id", "said_on")
_KEEP: Final = (
    insert_rows(reminders, _REMINDER_COLUMNS).on_conflict_do_nothing().returning(reminders.c.invoice_id)
)
_CLAIM: Final = (
    insert_rows(reminder_messages, _MESSAGE_COLUMNS)
    .on_conflict_do_nothing()
    .returning(reminder_messages.c.reminder_id)
)


@dataclass(frozen=True, slots=True)
class DueReminder:
    """An invoice that may have to be reminded of, and the date it is at its property."""

    invoice_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderInvoice:
    """An invoice with everything its reminders depend on, but for policy and autopay."""

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
    total_cents: int
    paid_cents: int
    fee_cents: int
    state: str
    next_reminder_on: date | None
    fees_paid_cents: int = 0
    decided: Mapping[int, Outcome] = field(default_factory=dict)
    holds: Sequence[Hold] = ()

    @property
    def balance_cents(self) -> int:
        """What is still to be paid."""
        return 0 if self.state == "void" else self.total_cents - self.paid_cents


_FIELDS: Final = tuple(item.name for item in fields(ReminderInvoice) if item.name in invoices.c)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stage that was decided, for people to look at."""

    due_on: date
    stage: int
    state: Outcome
    reason: str | None
    decided_on: date
    decided_at: datetime


def due_query(
    today: Mapping[str, date], property_id: UUID | None, *, days_before: int | None
) -> sa.Select[tuple[Any, ...]]:
    """Which invoices are to be looked at; a query of its own so that its plan can be tested."""
    unnested = sa.func.unnest(
        sa.bindparam("zones", list(today), type_=ARRAY(sa.Text)),
        sa.bindparam("dates", list(today.values()), type_=ARRAY(sa.Date)),
    )
    columns = (sa.column("zone", sa.Text), sa.column("today", sa.Date))
    zones = unnested.table_valued(*columns).render_derived("zones")
    if days_before is None:
        latest = sa.bindparam("latest", max(today.values()), type_=sa.Date)
        # The constant lets the partial index bound its range; the zone's own date then decides.
        wanted = [invoices.c.next_reminder_on <= latest, invoices.c.next_reminder_on <= zones.c.today]
    else:
        wanted = [invoices.c.state == "open", invoices.c.due_on <= zones.c.today + days_before]
    chosen = (invoices.c[name] for name in ("invoice_id", "lease_id", "property_id", "tenant_ids"))
    query = (
        sa.select(*chosen, properties.c.time_zone, zones.c.today.label("on"))
        .join(properties, properties.c.property_id == invoices.c.property_id)
        .join(zones, zones.c.zone == properties.c.time_zone)
        .where(*wanted)
        .order_by(invoices.c.property_id, invoices.c.invoice_id)
    )
    return query if property_id is None else query.where(invoices.c.property_id == property_id)


class ReminderStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def due(
        self, today: Mapping[str, date], property_id: UUID | None, *, days_before: int | None = None
    ) -> list[DueReminder]:
        """Invoices that may have to be reminded of, at the date in their property's zone.

        The partial index on `next_reminder_on` finds them. With `days_before`, somebody asks for stages of
        their own: then every open invoice that is due by so many days from now is looked at.
        """
        if not today:
            return []
        rows = await self._connection.execute(due_query(today, property_id, days_before=days_before))
        return [DueReminder(**row._asdict() | {"tenant_ids": tuple(row.tenant_ids)}) for row in rows]

    async def load(self, invoice_ids: Iterable[UUID]) -> list[ReminderInvoice]:
        """These invoices, in a fixed number of statements."""
        ids = {"ids": list(invoice_ids)}
        query = sa.select(*(invoices.c[name] for name in _FIELDS)).where(
            invoices.c.invoice_id == sa.any_(_IDS)
        )
        rows = (await self._connection.execute(query.order_by(invoices.c.number), ids)).mappings().all()
        if not rows:
            return []
        decided = await self._decided(ids)
        fees = await self._fees_paid(ids)
        held = await self._holds(rows)
        return [
            ReminderInvoice(
                **dict(row) | {"tenant_ids": tuple(row["tenant_ids"])},
                decided=decided[row["invoice_id"]],
                fees_paid_cents=fees.get(row["invoice_id"], 0),
                holds=[
                    hold
                    for scope in ("invoice", "lease", "property")
                    for hold in held[scope, row[f"{scope}_id"]]
                ],
            )
            for row in rows
        ]

    async def _decided(self, ids: Mapping[str, Any]) -> defaultdict[UUID, dict[int, Outcome]]:
        """Of the present due date: what was decided for another one does not count."""
        query = (
            sa.select(reminders.c.invoice_id, reminders.c.stage, reminders.c.state)
            .join(invoices, invoices.c.invoice_id == reminders.c.invoice_id)
            .where(reminders.c.invoice_id == sa.any_(_IDS), reminders.c.due_on == invoices.c.due_on)
        )
        found: defaultdict[UUID, dict[int, Outcome]] = defaultdict(dict)
        for row in await self._connection.execute(query, ids):
            found[row.invoice_id][row.stage] = row.state
        return found

    async def _fees_paid(self, ids: Mapping[str, Any]) -> dict[UUID, int]:
        query = (
            sa.select(allocations.c.invoice_id, sa.func.sum(allocations.c.amount_cents))
            .where(allocations.c.invoice_id == sa.any_(_IDS), allocations.c.bucket == "fee")
            .group_by(allocations.c.invoice_id)
        )
        return {row[0]: int(row[1]) for row in await self._connection.execute(query, ids)}

    async def _holds(self, rows: Sequence[sa.RowMapping]) -> defaultdict[tuple[str, UUID], list[Hold]]:
        ids = {row[key] for row in rows for key in ("invoice_id", "lease_id", "property_id")}
        query = sa.select(holds).where(holds.c.scope_id == sa.any_(_IDS)).order_by(holds.c.starts_on)
        found: defaultdict[tuple[str, UUID], list[Hold]] = defaultdict(list)
        for row in await self._connection.execute(query, {"ids": list(ids)}):
            hold = Hold(from_on=row.starts_on, to_on=row.ends_on, kind=row.kind)
            found[row.scope, row.scope_id].append(hold)
        return found

    async def told(self, keys: Iterable[MessageKey]) -> set[MessageKey]:
        """Those of these reminders that were said already."""
        wanted = {key.reminder_id: key for key in keys}
        query = sa.select(reminder_messages.c.reminder_id).where(
            reminder_messages.c.reminder_id == sa.any_(_IDS)
        )
        return {wanted[found] for found in await self._connection.scalars(query, {"ids": list(wanted)})}

    async def claim(self, keys: Iterable[MessageKey]) -> set[MessageKey]:
        """Have it on record that these reminders are said; those that nobody had said before."""
        wanted = {key.reminder_id: key for key in keys}
        # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
        rows = [
            {"reminder_id": identity, "tenant_id": wanted[identity].tenant_id, "said_on": wanted[identity].on}
            for identity in sorted(wanted)
        ]
        if not rows:
            return set()
        return {
            wanted[found]
            for found in await self._connection.scalars(_CLAIM, columnar(rows, _MESSAGE_COLUMNS))
        }

    async def keep(
        self, decided: Sequence[tuple[ReminderInvoice, date, Sequence[Stage]]], at: datetime
    ) -> None:
        """Keep what was decided for good; a stage that is decided stays as it is."""
        rows = [
            {
                "invoice_id": invoice.invoice_id,
                "due_on": invoice.due_on,
                "stage": item.stage,
                "state": item.outcome,
                "reason": item.reason,
                "decided_on": on,
                "decided_at": at,
            }
            for invoice, on, stages in decided
            for item in stages
        ]
        if rows:
            await self._connection.execute(_KEEP, columnar(rows, _REMINDER_COLUMNS))

    async def mark(self, next_on: Mapping[UUID, date | None]) -> None:
        """Keep when each invoice is to be looked at again."""
        rows = [{"invoice_id": key, "next_reminder_on": next_on[key]} for key in sorted(next_on)]
        if rows:
            await self._connection.execute(_MARK, given(rows, ("invoice_id", "next_reminder_on")))

    async def look_again(self, place: Place, on: date) -> None:
        """Have the open invoices of a place looked at from a day on: what is agreed there has changed."""
        statement = sa.update(invoices).where(invoices.c.state == "open")
        if place.property_id is not None:
            statement = statement.where(invoices.c.property_id == place.property_id)
        if place.lease_id is not None:
            statement = statement.where(invoices.c.lease_id == place.lease_id)
        earlier = sa.func.least(sa.func.coalesce(invoices.c.next_reminder_on, on), on)
        await self._connection.execute(statement.values(next_reminder_on=earlier))

    async def of_invoice(self, invoice_id: UUID) -> list[Recorded]:
        """Everything that was decided about an invoice, in order."""
        columns = (reminders.c[name] for name in Recorded.__dataclass_fields__)
        query = sa.select(*columns).where(reminders.c.invoice_id == invoice_id)
        rows = await self._connection.execute(query.order_by(reminders.c.due_on, reminders.c.stage))
        return [Recorded(*row) for row in rows]


def _mark() -> sa.Update:
    rows = given_rows(invoices, ("invoice_id", "next_reminder_on"))
    return (
        sa.update(invoices)
        .where(invoices.c.invoice_id == rows.c.invoice_id)
        .where(invoices.c.next_reminder_on.is_distinct_from(rows.c.next_reminder_on))
        .values(next_reminder_on=rows.c.next_reminder_on)
    )


_MARK: Final = _mark()
