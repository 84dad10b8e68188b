"""Enrolments in autopay, and which invoices are to be charged by themselves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.autopay import UNDER_WAY, State
from services.billing.schema import (
    CHARGES_CHANNEL,
    accounts,
    autopay_charges,
    autopay_enrolments,
    invoices,
    leases,
)
from shared.db import columnar, insert_rows
from shared.identity import new_id

_IDS: Final = ARRAY(sa.Uuid)
_PLANNED_COLUMNS: Final = (
    *("charge_id", "enrolment_id", "account_id", "invoice_id", "attempt", "amount_cents", "currency"),
    *("scheduled_on", "state", "correlation_id", "next_try_at", "created_at", "updated_at"),
)
_PLAN: Final = (
    insert_rows(autopay_charges, _PLANNED_COLUMNS)
    .on_conflict_do_nothing(index_elements=["invoice_id", "attempt"])
    .returning(autopay_charges.c.charge_id)
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An account whose invoices are charged to a method that its tenant left with a gateway."""

    enrolment_id: UUID
    account_id: UUID
    gateway: str
    customer_ref: str
    method_ref: str
    enrolled_on: date
    ended_on: date | None = None
    ended_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ToCharge:
    """An open invoice whose day to be charged has come."""

    invoice_id: UUID
    number: str
    account_id: UUID
    property_id: UUID
    enrolment_id: UUID
    gateway: str
    currency: str
    open_cents: int
    due_on: date
    on: date
    """What day it is at its property."""
    attempt: int


class AutopayStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enrol(self, enrolment: Enrolment) -> bool:
        """Begin; False where the account is enrolled already."""
        values = {name: getattr(enrolment, name) for name in Enrolment.__dataclass_fields__}
        statement = (
            insert(autopay_enrolments)
            .values(values)
            .on_conflict_do_nothing()
            .returning(autopay_enrolments.c.enrolment_id)
        )
        return await self._connection.scalar(statement) is not None

    async def end(self, account_id: UUID, on: date, reason: str) -> Enrolment | None:
        """End the enrolment of an account; None where there is none."""
        statement = (
            sa.update(autopay_enrolments)
            .where(autopay_enrolments.c.account_id == account_id, autopay_enrolments.c.ended_on.is_(None))
            .values(ended_on=sa.func.greatest(autopay_enrolments.c.enrolled_on, on), ended_reason=reason)
            .returning(autopay_enrolments)
        )
        row = (await self._connection.execute(statement)).one_or_none()
        return Enrolment(**row._asdict()) if row else None

    async def active(self, account_id: UUID) -> Enrolment | None:
        """The enrolment of an account, if it has one."""
        query = sa.select(autopay_enrolments).where(
            autopay_enrolments.c.account_id == account_id, autopay_enrolments.c.ended_on.is_(None)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return Enrolment(**row._asdict()) if row else None

    async def enrolments(self, *, ended: bool, limit: int) -> list[Enrolment]:
        """The newest enrolments, with those that ended if wanted."""
        query = sa.select(autopay_enrolments).order_by(autopay_enrolments.c.enrolment_id.desc()).limit(limit)
        if not ended:
            query = query.where(autopay_enrolments.c.ended_on.is_(None))
        return [Enrolment(**row._asdict()) for row in await self._connection.execute(query)]

    async def account_of(self, lease_id: UUID) -> tuple[UUID, str, str] | None:
        """The account of a lease, with its currency and the zone its days are in."""
        query = (
            sa.select(leases.c.account_id, accounts.c.currency, leases.c.time_zone)
            .join(accounts, accounts.c.account_id == leases.c.account_id)
            .where(leases.c.lease_id == lease_id)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return (row.account_id, row.currency, row.time_zone) if row else None

    async def to_charge(
        self,
        today: Mapping[str, date],
        *,
        property_id: UUID | None = None,
        invoice_ids: Collection[UUID] | None = None,
    ) -> list[ToCharge]:
        """What is open and due, or overdue since the enrolment, at the date it is in each zone.

        Left out is what is under way, what was charged with success before (a charge that was taken back
        is a person's to judge) and what was declined and is not to be tried again yet, or at all.
        """
        query = _to_charge(today)
        if property_id is not None:
            query = query.where(invoices.c.property_id == property_id)
        if invoice_ids is not None:
            query = query.where(invoices.c.invoice_id == sa.any_(sa.bindparam("wanted", type_=_IDS)))
        values = {} if invoice_ids is None else {"wanted": list(invoice_ids)}
        return [ToCharge(**row._asdict()) for row in await self._connection.execute(query, values)]

    async def plan(self, wanted: Sequence[ToCharge], correlation_id: UUID, at: datetime) -> int:
        """Write the charges down and wake the collectors; who was first, planned them."""
        rows = [
            {
                "charge_id": new_id(),
                "enrolment_id": item.enrolment_id,
                "account_id": item.account_id,
                "invoice_id": item.invoice_id,
                "attempt": item.attempt,
                "amount_cents": item.open_cents,
                "currency": item.currency,
                "scheduled_on": item.on,
                "state": State.PLANNED,
                "correlation_id": correlation_id,
                **dict.fromkeys(("next_try_at", "created_at", "updated_at"), at),
            }
            for item in sorted(wanted, key=lambda item: item.invoice_id)
        ]
        if not rows:
            return 0
        planned = await self._connection.scalars(_PLAN, columnar(rows, _PLANNED_COLUMNS))
        await self._connection.execute(sa.select(sa.func.pg_notify(CHARGES_CHANNEL, "")))
        return len(planned.all())

    async def expected(self, invoice_ids: Collection[UUID]) -> dict[UUID, date]:
        """On which day each of these open invoices is charged by itself.

        An invoice that is not here has to be paid by its tenant: its account is not enrolled, it fell due
        before it was, or its charge has failed for good.
        """
        past = _past_charges()
        day = sa.func.coalesce(
            sa.case((past.c.last_state == State.FAILED, past.c.retry_on), else_=None), invoices.c.due_on
        )
        query = (
            sa.select(invoices.c.invoice_id, day.label("on"))
            .select_from(_enrolled_invoices().outerjoin(past, sa.true()))
            .where(
                invoices.c.invoice_id == sa.any_(sa.bindparam("wanted", type_=_IDS)),
                sa.not_(sa.func.coalesce(past.c.succeeded, sa.false())),
                sa.or_(
                    past.c.last_state.is_(None),
                    past.c.last_state != State.FAILED,
                    past.c.retry_on.is_not(None),
                ),
            )
        )
        rows = await self._connection.execute(query, {"wanted": list(invoice_ids)})
        return {row.invoice_id: row.on for row in rows}


def _enrolled_invoices() -> sa.Join:
    """Open invoices that fell due under an enrolment that is active."""
    return sa.join(
        autopay_enrolments,
        invoices,
        sa.and_(
            invoices.c.account_id == autopay_enrolments.c.account_id,
            invoices.c.state == "open",
            invoices.c.due_on >= autopay_enrolments.c.enrolled_on,
            autopay_enrolments.c.ended_on.is_(None),
        ),
    )


def _past_charges() -> Any:
    """What was tried for an invoice: ever for the number of the next attempt, else under this enrolment."""
    charge = autopay_charges.c
    ours = charge.enrolment_id == autopay_enrolments.c.enrolment_id
    last = {"order_by": charge.attempt.desc()}

    def latest(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        found = sa.func.array_agg(sa.dialects.postgresql.aggregate_order_by(column, last["order_by"]))
        return found.filter(ours)[1]

    return (
        sa.select(
            sa.func.coalesce(sa.func.max(charge.attempt), 0).label("attempts"),
            sa.func.bool_or(charge.state.in_(list(UNDER_WAY))).label("under_way"),
            sa.func.bool_or(charge.state == State.SUCCEEDED).label("succeeded"),
            latest(charge.state).label("last_state"),
            latest(charge.retry_on).label("retry_on"),
        )
        .where(charge.invoice_id == invoices.c.invoice_id)
        .lateral("past")
    )


def _to_charge(today: Mapping[str, date]) -> sa.Select[Any]:
    zones = (
        sa.func.unnest(
            sa.bindparam("zones", list(today), type_=ARRAY(sa.Text)),
            sa.bindparam("days", list(today.values()), type_=ARRAY(sa.Date)),
        )
        .table_valued(sa.column("time_zone", sa.Text), sa.column("today", sa.Date))
        .render_derived(name="days")
    )
    past, open_cents = _past_charges(), invoices.c.total_cents - invoices.c.paid_cents
    source = (
        _enrolled_invoices()
        .join(leases, leases.c.lease_id == invoices.c.lease_id)
        .join(zones, zones.c.time_zone == leases.c.time_zone)
        .join(past, sa.true())
    )
    return (
        sa.select(
            invoices.c.invoice_id,
            invoices.c.number,
            invoices.c.account_id,
            invoices.c.property_id,
            autopay_enrolments.c.enrolment_id,
            autopay_enrolments.c.gateway,
            invoices.c.currency,
            open_cents.label("open_cents"),
            invoices.c.due_on,
            zones.c.today.label("on"),
            (past.c.attempts + 1).label("attempt"),
        )
        .select_from(source)
        .where(
            invoices.c.due_on <= zones.c.today,
            open_cents > 0,
            sa.not_(sa.func.coalesce(past.c.under_way, sa.false())),
            sa.not_(sa.func.coalesce(past.c.succeeded, sa.false())),
            sa.or_(
                past.c.last_state.is_(None),
                past.c.last_state != State.FAILED,
                past.c.retry_on <= zones.c.today,
            ),
        )
        .order_by(invoices.c.due_on, invoices.c.number)
    )
