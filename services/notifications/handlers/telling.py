"""Telling: notices become notifications with a delivery per channel, each decided and each once."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from operator import attrgetter
from typing import Final
from uuid import UUID

from services.notifications.domain.contacts import Contact
from services.notifications.domain.decisions import DIGESTED, Planned, begin, decide_address, unreachable
from services.notifications.domain.deliveries import SHOWN, Beginning, Channel, State
from services.notifications.domain.kinds import digest_key
from services.notifications.domain.notices import SHARED_ADDRESS, News, Notice, office_notice
from services.notifications.store import notices, people
from services.notifications.store.people import Audience
from shared.clock import zone
from shared.identity import derived_id
from shared.messaging.transaction import Tx

UNREACHABLE: Final = "contact_unreachable"
"""The event by which the office learns that somebody cannot be told something outside the app."""


async def tell(tx: Tx, wanted: Sequence[Notice], news: Sequence[News] = ()) -> int:
    """Write notices that were not written before, with a delivery per channel; returns how many were new.

    `news` is told to whoever subscribed to it. The number of statements does not depend on how many
    notices there are.
    """
    tenants = {notice.tenant_id for notice in wanted if notice.tenant_id}
    about = [notice.property_id for notice in wanted] + [item.property_id for item in news]
    places = {place for place in about if place}
    events = {item.event for item in news} | {UNREACHABLE}
    audience = await people.audience(tx.connection, tenants, places, events, tx.at)
    told, unheard = await _write(tx, [*wanted, *_office_notices(news, audience)], audience)
    if unheard:
        await _write(tx, list(_office_notices(unheard, audience)), audience)
    return told


def _office_notices(news: Iterable[News], audience: Audience) -> Iterable[Notice]:
    """What subscribers are told; they are known from here on like everybody else who is told something."""
    for item in news:
        for subscriber in audience.subscribers:
            if subscriber.event == item.event:
                person = subscriber.contact.tenant_id
                audience.contacts[person] = subscriber.contact
                chosen = tuple(Channel(name) for name in subscriber.channels) or None
                yield office_notice(item, person, chosen)


async def _write(tx: Tx, wanted: Sequence[Notice], audience: Audience) -> tuple[int, list[News]]:
    """How many were new, and of which of them nobody will hear."""
    # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
    ordered = sorted(wanted, key=attrgetter("dedup_key"))
    fresh = await notices.add_notices(tx.connection, ordered, tx.at) if ordered else []
    if not fresh:
        return 0, []
    rows: list[notices.NewDelivery] = []
    unheard: list[News] = []
    taken: set[object] = set()
    for identity, notice in fresh:
        planned = _once_per_address(notice, _planned(tx, notice, audience), taken)
        rows += _deliveries(identity, notice, planned)
        if notice.tenant_id and notice.template != "office" and unreachable(planned):
            unheard.append(lost(notice.tenant_id, notice.template, tx))
    await notices.add_deliveries(tx.connection, rows, tx.at)
    return len(fresh), unheard


def _planned(tx: Tx, notice: Notice, audience: Audience) -> list[Planned]:
    if notice.tenant_id is None:
        channels = notice.channels or (Channel.EMAIL,)
        return [_to_address(tx, notice, channel) for channel in channels]
    contact = audience.contacts.get(notice.tenant_id)
    if notice.address is not None:
        if contact is None:  # not announced yet, and the address is known all the same
            return [_to_address(tx, notice, channel) for channel in notice.channels or (Channel.EMAIL,)]
        contact = replace(contact, email=notice.address)
    zones = zones_for(contact, audience.zones.get(notice.property_id) if notice.property_id else None)
    return begin(notice.telling, contact, tx.at, zones, notice.channels)


def _to_address(tx: Tx, notice: Notice, channel: Channel) -> Planned:
    if channel is Channel.IN_APP:
        return Planned(channel, SHOWN)
    return Planned(channel, decide_address(notice.telling, notice.address, channel, tx.at))


def zones_for(contact: Contact | None, place: str | None) -> list[tzinfo]:
    """Where a person is, by their own word, and where it is about; their own comes first."""
    names = dict.fromkeys(name for name in (contact.time_zone if contact else None, place) if name)
    return [zone(name) for name in names]


def _once_per_address(notice: Notice, planned: Sequence[Planned], taken: set[object]) -> list[Planned]:
    """Of several people with one address, one gets the copy."""
    return once_per_address(planned, (notice.template, notice.source_message_id), taken)


def once_per_address(planned: Sequence[Planned], news: object, taken: set[object]) -> list[Planned]:
    """The same for anything that is news; `taken` remembers who has had it."""
    kept = []
    for item in planned:
        address = item.beginning.address
        key = (news, item.channel, (address or "").lower())
        if address and item.beginning.state is State.QUEUED and item.channel is not Channel.CONSOLE:
            shared = key in taken
            taken.add(key)
            item = Planned(item.channel, _shared() if shared else item.beginning)  # noqa: PLW2901 - decided anew
        kept.append(item)
    return kept


def _shared() -> Beginning:
    return Beginning(State.SKIPPED, reason=SHARED_ADDRESS)


def _deliveries(identity: UUID, notice: Notice, planned: Iterable[Planned]) -> Iterable[notices.NewDelivery]:
    for item in planned:
        yield notices.NewDelivery(
            identity,
            notice.tenant_id,
            item.channel,
            item.beginning,
            digest_key(notice.template, notice.tenant_id) if item.channel in DIGESTED else None,
            notice.expires_at,
        )


def lost(person: UUID, template: str, tx: Tx) -> News:
    """A task for the office: this person cannot be told outside the app; said once per person and day."""
    today = f"{tx.at:%Y-%m-%d}"
    said = {"event": UNREACHABLE, "person_id": str(person), "template": template, "on": today}
    return News(
        UNREACHABLE,
        derived_id(UNREACHABLE, person, today),
        tx.cause.message_id,
        tx.cause.correlation_id,
        context=json.dumps(said),
    )
