"""What notifications does on each message. The rules are in domain/, the sending is in sender.py."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from uuid import UUID

from services.notifications.domain.contacts import Contact
from services.notifications.domain.deliveries import (
    SHOWN,
    Beginning,
    Channel,
    begin_email,
    begin_email_to,
)
from services.notifications.domain.notices import Notice, dedup_key
from services.notifications.schema import contacts, leases, properties
from services.notifications.store import deliveries, notices, people
from shared.contracts.billing import InvoiceCreated, PaymentRecorded
from shared.contracts.leasing import (
    LeaseActivated,
    LeaseChanged,
    LeaseEnded,
    LeaseFact,
    PropertyChanged,
    PropertyFact,
    PropertyRegistered,
    TenantContactChanged,
    TenantFact,
    TenantRegistered,
)
from shared.db import array_text
from shared.messaging.envelope import Envelope, Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")


@router.on_batch(TenantRegistered, TenantContactChanged)
async def keep_contacts(batch: Sequence[Received[TenantFact]], tx: Tx) -> None:
    """Reach tenants the newest way, and send now what waited for knowing any."""
    facts = [item.body for item in batch]
    kept = await people.keep(tx.connection, contacts, [fact.model_dump() | _updated(tx) for fact in facts])
    waiting = await deliveries.awaited(tx.connection, kept)
    for contact in (await people.known_contacts(tx.connection, waiting)).values() if waiting else ():
        await deliveries.queue_awaiting(tx.connection, contact.tenant_id, begin_email(contact), tx.at)


@router.on(PropertyRegistered, PropertyChanged)
async def keep_property(fact: PropertyFact, tx: Tx) -> None:
    """Know what a property is called."""
    row = fact.model_dump(include={"property_id", "version", "name", "time_zone"})
    await people.keep(tx.connection, properties, [row | _updated(tx)])


@router.on_batch(LeaseActivated, LeaseChanged, LeaseEnded)
async def keep_leases(batch: Sequence[Received[LeaseFact]], tx: Tx) -> None:
    """Know who the tenants of a property are, for its group."""
    await people.keep(tx.connection, leases, [_lease_row(item.body) | _updated(tx) for item in batch])


def _lease_row(fact: LeaseFact) -> dict[str, object]:
    """Who lives where, and until when; whoever rolls over lives there until the lease is ended."""
    return fact.model_dump(include={"lease_id", "version", "property_id", "starts_on"}) | {
        "ends_on": None if fact.rolls_over else fact.ends_on,
        "tenant_ids": array_text(fact.tenant_ids),
    }


def _updated(tx: Tx) -> dict[str, datetime]:
    return {"updated_at": tx.at}


@router.on_batch(InvoiceCreated)
async def announce_invoices(batch: Sequence[Received[InvoiceCreated]], tx: Tx) -> None:
    """Tell each tenant of each invoice once, by e-mail and in the app."""
    told = (_to_each_tenant("invoice", item.body, item.body.invoice_id, item.envelope) for item in batch)
    await tell(tx, list(chain.from_iterable(told)))


@router.on(PaymentRecorded)
async def send_receipts(fact: PaymentRecorded, tx: Tx) -> None:
    """Tell each tenant of the lease that the payment arrived."""
    await tell(tx, list(_to_each_tenant("receipt", fact, fact.payment_id, tx.cause)))


def _to_each_tenant(
    template: str, fact: InvoiceCreated | PaymentRecorded, subject_id: UUID, envelope: Envelope
) -> Iterator[Notice]:
    context = fact.model_dump_json(exclude={"tenant_ids"})
    for tenant_id in fact.tenant_ids:
        yield Notice(
            category="billing",
            template=template,
            dedup_key=dedup_key(template, subject_id, tenant_id),
            source_message_id=envelope.message_id,
            correlation_id=envelope.correlation_id,
            context=context,
            tenant_id=tenant_id,
        )


async def tell(tx: Tx, wanted: Sequence[Notice]) -> int:
    """Write notices that were not written before, with a delivery per channel; returns how many were new.

    The number of statements does not depend on the number of notices.
    """
    # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
    ordered = sorted(wanted, key=attrgetter("dedup_key"))
    tenants = {notice.tenant_id for notice in ordered if notice.tenant_id}
    known = await people.contacts_of(tx.connection, tenants, tx.at)
    fresh = await notices.add_notices(tx.connection, ordered, tx.at)
    if fresh:
        await notices.add_deliveries(
            tx.connection,
            [
                notices.NewDelivery(identity, notice.tenant_id, channel, _begin(notice, channel, known))
                for identity, notice in fresh
                for channel in notice.channels
            ],
            tx.at,
        )
    return len(fresh)


def _begin(notice: Notice, channel: Channel, known: Mapping[UUID, Contact]) -> Beginning:
    if channel is Channel.IN_APP:
        return SHOWN
    if notice.tenant_id is None:
        return begin_email_to(notice.address)
    return begin_email(known.get(notice.tenant_id))
