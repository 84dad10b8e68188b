"""What is to be charged by itself today: planned, split into chunks, written down for the collectors."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.handlers.runs import Planned, Worked, chosen_zones, chunked, fan_out, finish_chunk
from services.billing.store import AutopayStore, LeaseStore
from services.billing.store.autopay import Enrolment, ToCharge
from shared.clock import local_date
from shared.contracts.billing import ChargeAutopay, InvoiceToJudge
from shared.contracts.scheduler import AutopayDue
from shared.db import plan_for_values
from shared.identity import new_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("billing")


class LeaseUnknown(LookupError):
    """Billing knows no lease with that id."""


class AlreadyEnrolled(Exception):
    """An account is charged through one method at a time."""

    code = "already_enrolled"


class NotEnrolled(Exception):
    """There is nothing to end."""

    code = "not_enrolled"


@dataclass(frozen=True, slots=True)
class Method:
    """What a tenant left with a gateway, by the gateway's own ids."""

    gateway: str
    customer_ref: str
    method_ref: str


@router.on(AutopayDue)
async def request_charges(due: AutopayDue, tx: Tx) -> None:
    """Split the day's charges into chunks, so that replicas share them and a crash resumes where it stood."""
    wanted = await plan_charges(
        tx.connection, due.as_of, property_id=due.property_id, only_zone=due.only_zone
    )
    orders = [
        ChargeAutopay(
            run_id=due.occurrence_id,
            chunk=number,
            as_of=due.as_of,
            invoices=tuple(InvoiceToJudge(invoice_id=item.invoice_id, on=item.on) for item in chunk),
        )
        for number, chunk in enumerate(chunked(wanted))
    ]
    await fan_out(tx, due, Planned(orders, len(wanted)), _plan)


@router.on(ChargeAutopay, prefetch=2)
async def plan_chunk(command: ChargeAutopay, tx: Tx) -> None:
    """Write one chunk down for the collectors; what was paid or planned meanwhile is skipped."""
    await finish_chunk(tx, command.run_id, await _plan(command, tx))


async def _plan(command: ChargeAutopay, tx: Tx) -> Worked:
    ids = [item.invoice_id for item in command.invoices]
    planned = await write_charges(tx, ids, as_of=command.as_of)
    return Worked(planned, len(ids) - planned)


async def plan_charges(
    connection: AsyncConnection,
    as_of: datetime,
    *,
    property_id: UUID | None = None,
    invoice_ids: Collection[UUID] | None = None,
    only_zone: str | None = None,
) -> list[ToCharge]:
    """What is to be charged at a moment, each invoice judged by the date it is at its property."""
    await plan_for_values(connection)
    zones = chosen_zones(await LeaseStore(connection).time_zones(), only_zone)
    today = {name: local_date(as_of, name) for name in zones}
    return await AutopayStore(connection).to_charge(today, property_id=property_id, invoice_ids=invoice_ids)


async def write_charges(tx: Tx, invoice_ids: Collection[UUID], *, as_of: datetime) -> int:
    """Plan charges for these invoices as far as they still need one; returns how many were new."""
    wanted = await plan_charges(tx.connection, as_of, invoice_ids=invoice_ids)
    return await AutopayStore(tx.connection).plan(wanted, tx.cause.correlation_id, tx.at)


async def enrol(tx: Tx, lease_id: UUID, method: Method, from_on: date | None) -> Enrolment:
    """Charge an account's invoices by themselves, those due on a day or later.

    Raises `LeaseUnknown` and `AlreadyEnrolled`.
    """
    store = AutopayStore(tx.connection)
    account = await store.account_of(lease_id)
    if account is None:
        raise LeaseUnknown(f"billing knows no lease {lease_id}")
    account_id, _, time_zone = account
    enrolment = Enrolment(
        enrolment_id=new_id(),
        account_id=account_id,
        gateway=method.gateway,
        customer_ref=method.customer_ref,
        method_ref=method.method_ref,
        enrolled_on=from_on or local_date(tx.at, time_zone),
    )
    if not await store.enrol(enrolment):
        raise AlreadyEnrolled(f"account {account_id} is enrolled already; end that enrolment first")
    return enrolment


async def end_enrolment(tx: Tx, lease_id: UUID, reason: str) -> Enrolment:
    """Charge an account by itself no more; what a gateway was asked for already goes its way.

    Raises `LeaseUnknown` and `NotEnrolled`.
    """
    store = AutopayStore(tx.connection)
    account = await store.account_of(lease_id)
    if account is None:
        raise LeaseUnknown(f"billing knows no lease {lease_id}")
    account_id, _, time_zone = account
    ended = await store.end(account_id, local_date(tx.at, time_zone), reason)
    if ended is None:
        raise NotEnrolled(f"account {account_id} is not enrolled in autopay")
    return ended
