"""Who there is and how to reach them: copies of leasing's facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.notifications.addresses import e164, mailbox
from services.notifications.domain.contacts import Contact
from services.notifications.domain.decisions import begin
from services.notifications.domain.deliveries import Beginning, Channel, State
from services.notifications.handlers.telling import zones_for
from services.notifications.schema import contacts, leases, properties
from services.notifications.store import notices, people, waiting
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
from shared.messaging.envelope import Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

ELSEWHERE = "by_another_channel"
"""Why an e-mail that waited for its contact is not sent: they chose another way."""

_OF_A_LEASE: Final = {"lease_id", "version", "property_id", "unit_label", "starts_on"}

router = Router("notifications")


@router.on_batch(TenantRegistered, TenantContactChanged)
async def keep_contacts(batch: Sequence[Received[TenantFact]], tx: Tx) -> None:
    """Reach tenants the newest way, and send now what waited for knowing any."""
    rows = [_contact_row(item.body) | _updated(tx) for item in batch]
    kept = await people.keep(tx.connection, contacts, rows)
    awaited = await waiting.awaited(tx.connection, kept)
    known = await people.known_contacts(tx.connection, awaited) if awaited else {}
    for tenant_id in sorted(known):
        await _let_go_on(tx, known[tenant_id])


def _contact_row(fact: TenantFact) -> dict[str, Any]:
    return fact.model_dump() | {"email": mailbox(fact.email), "phone_e164": e164(fact.phone)}


async def _let_go_on(tx: Tx, contact: Contact) -> None:
    """Decide what waited for this contact, now that it is known how to reach them."""
    moves: list[waiting.Move] = []
    more: list[notices.NewDelivery] = []
    for item in await waiting.for_contact(tx.connection, contact.tenant_id):
        planned = begin(item.telling, contact, tx.at, zones_for(contact, item.zone))
        by_channel = {plan.channel: plan.beginning for plan in map(item.once_per_address, planned)}
        here = by_channel.pop(Channel.EMAIL, Beginning(State.SKIPPED, reason=ELSEWHERE))
        moves.append(waiting.Move(item, here))
        by_channel.pop(Channel.IN_APP, None)  # shown since it was written
        more += [item.also_by(channel, beginning) for channel, beginning in by_channel.items()]
    await waiting.move(tx.connection, moves, tx.at)
    if more:
        await notices.add_deliveries(tx.connection, more, tx.at)


@router.on(PropertyRegistered, PropertyChanged)
async def keep_property(fact: PropertyFact, tx: Tx) -> None:
    """Know what a property is called, and what time it is there."""
    row = fact.model_dump(include={"property_id", "version", "name", "time_zone"})
    await people.keep(tx.connection, properties, [row | _updated(tx)])


@router.on_batch(LeaseActivated, LeaseChanged, LeaseEnded)
async def keep_leases(batch: Sequence[Received[LeaseFact]], tx: Tx) -> None:
    """Know who lives where: for the group of a property, and to name people to the office."""
    rows = [_lease_row(item.body) | _updated(tx) for item in batch]
    await people.keep(tx.connection, leases, rows, lacking=leases.c.unit_label)


def _lease_row(fact: LeaseFact) -> dict[str, object]:
    """Who lives where, and until when; whoever rolls over lives there until the lease is ended."""
    return fact.model_dump(include=_OF_A_LEASE) | {
        "ends_on": None if fact.rolls_over else fact.ends_on,
        "tenant_ids": array_text(fact.tenant_ids),
    }


def _updated(tx: Tx) -> dict[str, datetime]:
    return {"updated_at": tx.at}
