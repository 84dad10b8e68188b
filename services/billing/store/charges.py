"""How charges move: claimed by one worker at a time, settled, recovered, found again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.autopay import LOOKS, Answer, State, Step, states_before
from services.billing.schema import (
    autopay_charges,
    autopay_enrolments,
    invoices,
    leases,
    webhook_events,
)
from shared.identity import new_id

_TO_ASK: Final = (State.PLANNED, State.PROCESSING, State.UNKNOWN)
_TEXTS: Final = ARRAY(sa.Text)


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge, with all that asking for it and telling of it takes."""

    charge_id: UUID
    enrolment_id: UUID
    account_id: UUID
    invoice_id: UUID
    attempt: int
    amount_cents: int
    currency: str
    scheduled_on: date
    state: State
    gateway_ref: str | None
    failure: str | None
    retry_on: date | None
    correlation_id: UUID
    claimed_by: str | None
    next_try_at: datetime | None
    tries: int
    created_at: datetime
    gateway: str
    customer_ref: str
    method_ref: str
    enrolment_ended_on: date | None
    invoice_number: str
    invoice_state: str
    open_cents: int
    terms_id: UUID
    time_zone: str


def _charges() -> sa.Select[Any]:
    own = [autopay_charges.c[name] for name in Charge.__dataclass_fields__ if name in autopay_charges.c]
    return (
        sa.select(
            *own,
            autopay_enrolments.c.gateway,
            autopay_enrolments.c.customer_ref,
            autopay_enrolments.c.method_ref,
            autopay_enrolments.c.ended_on.label("enrolment_ended_on"),
            invoices.c.number.label("invoice_number"),
            invoices.c.state.label("invoice_state"),
            (invoices.c.total_cents - invoices.c.paid_cents).label("open_cents"),
            invoices.c.terms_id,
            sa.func.coalesce(leases.c.time_zone, "UTC").label("time_zone"),
        )
        .join(autopay_enrolments, autopay_enrolments.c.enrolment_id == autopay_charges.c.enrolment_id)
        .join(invoices, invoices.c.invoice_id == autopay_charges.c.invoice_id)
        .outerjoin(leases, leases.c.lease_id == invoices.c.lease_id)
    )


_CHARGES: Final = _charges()


class ChargeStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def claim_next(self, gateways: Sequence[str], at: datetime, lease: timedelta) -> Charge | None:
        """Take the charge that has waited longest; nobody else gets it while the lease runs.

        One that is planned becomes claimed; one in doubt or with a bank stays what it is, to be asked about.
        """
        charge = autopay_charges.c
        query = (
            sa.select(charge.charge_id)
            .join(autopay_enrolments, autopay_enrolments.c.enrolment_id == charge.enrolment_id)
            .where(
                charge.state.in_(_TO_ASK),
                charge.next_try_at <= at,
                sa.or_(charge.claimed_until.is_(None), charge.claimed_until < at),
                autopay_enrolments.c.gateway == sa.any_(sa.bindparam("gateways", type_=_TEXTS)),
            )
            .order_by(charge.next_try_at)
            .limit(1)
            .with_for_update(of=autopay_charges, skip_locked=True)
        )
        charge_id = await self._connection.scalar(query, {"gateways": list(gateways)})
        if charge_id is None:
            return None
        claimed = sa.case((charge.state == State.PLANNED, State.CLAIMED), else_=charge.state)
        await self._connection.execute(
            sa.update(autopay_charges)
            .where(charge.charge_id == charge_id)
            .values(state=claimed, claimed_by=str(new_id()), claimed_until=at + lease, updated_at=at)
        )
        return await self.find(charge_id)

    async def set_amount(self, charge_id: UUID, amount_cents: int) -> None:
        """What is asked for is what is open now, not what was when it was planned."""
        await self._connection.execute(
            sa.update(autopay_charges)
            .where(autopay_charges.c.charge_id == charge_id)
            .values(amount_cents=amount_cents)
        )

    async def move(
        self, charge: Charge, step: Step, answer: Answer | None, at: datetime, *, claim: str | None = None
    ) -> bool:
        """Take a step; False where the charge is no longer where it can be taken from.

        With `claim` only as long as that claim is the last one: a worker that was given up may still say
        what a gateway answered, and may not put back what another has taken meanwhile.
        """
        statement = sa.update(autopay_charges).where(
            autopay_charges.c.charge_id == charge.charge_id,
            autopay_charges.c.state.in_(states_before(step.state)),
        )
        if claim is not None and step.state in {State.PLANNED, State.UNKNOWN, State.DROPPED}:
            statement = statement.where(autopay_charges.c.claimed_by == claim)
        reference = answer.reference if answer else None
        moved = await self._connection.execute(
            statement.values(
                state=step.state,
                failure=step.failure,
                retry_on=step.retry_on,
                next_try_at=step.next_try_at,
                gateway_ref=sa.func.coalesce(sa.cast(reference, sa.Text), autopay_charges.c.gateway_ref),
                tries=autopay_charges.c.tries + 1,
                claimed_until=None,
                updated_at=at,
            )
        )
        return bool(moved.rowcount)

    async def drop(self, charge: Charge, reason: str, at: datetime) -> None:
        """It is not needed any more."""
        await self._connection.execute(
            sa.update(autopay_charges)
            .where(
                autopay_charges.c.charge_id == charge.charge_id,
                autopay_charges.c.state.in_(states_before(State.DROPPED)),
            )
            .values(state=State.DROPPED, failure=reason, next_try_at=None, claimed_until=None, updated_at=at)
        )

    async def doubt_abandoned(self, at: datetime) -> int:
        """Charges whose worker died while it was asking: they may have been made. Returns how many."""
        moved = await self._connection.execute(
            sa.update(autopay_charges)
            .where(autopay_charges.c.state == State.CLAIMED, autopay_charges.c.claimed_until < at)
            .values(
                state=State.UNKNOWN,
                next_try_at=at + LOOKS[0],
                claimed_until=None,
                tries=autopay_charges.c.tries + 1,
                updated_at=at,
            )
        )
        return moved.rowcount

    async def anything_due(self, gateways: Sequence[str], at: datetime) -> bool:
        """Whether a claim might find something."""
        charge = autopay_charges.c
        due = (
            sa.select(1)
            .join(autopay_enrolments, autopay_enrolments.c.enrolment_id == charge.enrolment_id)
            .where(
                charge.state.in_(_TO_ASK),
                charge.next_try_at <= at,
                autopay_enrolments.c.gateway == sa.any_(sa.bindparam("gateways", type_=_TEXTS)),
            )
        )
        return bool(await self._connection.scalar(sa.select(sa.exists(due)), {"gateways": list(gateways)}))

    async def under_way(self, at: datetime) -> bool:
        """Whether a charge is being asked for, or is to be asked for or about by now."""
        charge = autopay_charges.c
        due = sa.and_(charge.state.in_(_TO_ASK), charge.next_try_at <= at)
        open_ones = sa.select(1).where(sa.or_(charge.state == State.CLAIMED, due))
        return bool(await self._connection.scalar(sa.select(sa.exists(open_ones))))

    async def find(self, charge_id: UUID, *, lock: bool = False) -> Charge | None:
        """One charge."""
        query = _CHARGES.where(autopay_charges.c.charge_id == charge_id)
        return await self._one(query.with_for_update(of=autopay_charges) if lock else query)

    async def by_reference(self, gateway: str, reference: str) -> Charge | None:
        """The charge with a gateway's own id, locked."""
        query = _CHARGES.where(
            autopay_charges.c.gateway_ref == reference, autopay_enrolments.c.gateway == gateway
        )
        return await self._one(query.with_for_update(of=autopay_charges))

    async def _one(self, query: sa.Select[Any]) -> Charge | None:
        row = (await self._connection.execute(query)).one_or_none()
        return _charge(row) if row else None

    async def declines(self, charge: Charge) -> int:
        """How often the invoice of this charge has been declined under its enrolment."""
        query = sa.select(sa.func.count()).where(
            autopay_charges.c.invoice_id == charge.invoice_id,
            autopay_charges.c.enrolment_id == charge.enrolment_id,
            autopay_charges.c.state == State.FAILED,
        )
        return int(await self._connection.scalar(query) or 0)

    async def of_attempts(self, keys: Sequence[tuple[UUID, int]]) -> list[Charge]:
        """These attempts for these invoices, as they stand, by the number of their invoice."""
        invoice_ids = sa.bindparam("invoice_ids", [key[0] for key in keys], type_=ARRAY(sa.Uuid))
        attempts = sa.bindparam("attempts", [key[1] for key in keys], type_=ARRAY(sa.Integer))
        wanted = (
            sa.func.unnest(invoice_ids, attempts)
            .table_valued(sa.column("invoice_id", sa.Uuid), sa.column("attempt", sa.Integer))
            .render_derived(name="wanted")
        )
        query = _CHARGES.join(
            wanted,
            sa.and_(
                wanted.c.invoice_id == autopay_charges.c.invoice_id,
                wanted.c.attempt == autopay_charges.c.attempt,
            ),
        ).order_by(invoices.c.number)
        return [_charge(row) for row in await self._connection.execute(query)]

    async def search(
        self, *, state: str | None, account_id: UUID | None, property_id: UUID | None, limit: int
    ) -> list[Charge]:
        """The newest charges that fit."""
        query = _CHARGES.order_by(autopay_charges.c.charge_id.desc()).limit(limit)
        for column, value in (
            (autopay_charges.c.state, state),
            (autopay_charges.c.account_id, account_id),
            (invoices.c.property_id, property_id),
        ):
            if value is not None:
                query = query.where(column == value)
        return [_charge(row) for row in await self._connection.execute(query)]


def _charge(row: Any) -> Charge:
    values = row._asdict()
    return Charge(**values | {"state": State(values["state"])})


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A webhook that was taken: what it was about, and what came of it."""

    gateway: str
    event_id: str
    event_type: str
    created_at: datetime
    outcome: str
    reference: str | None = None
    news: dict[str, Any] | None = None


class WebhookStore:
    """What gateways told us, each event once."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, event: StoredEvent, at: datetime) -> bool:
        """Take an event; False where it was taken before. A concurrent copy waits here for the first."""
        values = {name: getattr(event, name) for name in StoredEvent.__dataclass_fields__}
        statement = (
            insert(webhook_events)
            .values(values | {"received_at": at})
            .on_conflict_do_nothing()
            .returning(webhook_events.c.event_id)
        )
        return await self._connection.scalar(statement) is not None

    async def lock(self, gateway: str, reference: str) -> None:
        """Let whoever books a payment and whoever has news of it take turns, lest they miss each other.

        A lock by name: there is no row yet that both could lock. Taken before that of the account.
        """
        name = sa.func.hashtextextended(f"{gateway}:{reference}", 0)
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))

    async def conclude(self, event: StoredEvent, outcome: str) -> None:
        """What came of it after all."""
        keys = (webhook_events.c.gateway == event.gateway, webhook_events.c.event_id == event.event_id)
        values = {"outcome": outcome, "reference": event.reference, "news": event.news}
        await self._connection.execute(sa.update(webhook_events).where(*keys).values(values))

    async def waiting(self, gateway: str, reference: str) -> list[StoredEvent]:
        """What was told of a charge before its payment was booked, oldest first, locked."""
        names = list(StoredEvent.__dataclass_fields__)
        query = (
            sa.select(*(webhook_events.c[name] for name in names))
            .where(
                webhook_events.c.gateway == gateway,
                webhook_events.c.reference == reference,
                webhook_events.c.outcome == "waiting",
            )
            .order_by(webhook_events.c.created_at, webhook_events.c.event_id)
            .with_for_update()
        )
        return [StoredEvent(**row._asdict()) for row in await self._connection.execute(query)]
