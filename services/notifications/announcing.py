"""What a person wants to tell others: who exactly is meant, and what will be written for each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.addresses import typed_mailbox
from services.notifications.domain.contacts import Contact
from services.notifications.domain.decisions import Planned, Telling, begin, decide_address
from services.notifications.domain.deliveries import Channel
from services.notifications.domain.kinds import kind_of
from services.notifications.domain.notices import (
    Notice,
    UnknownGroup,
    checked_subject,
    dedup_key,
    group_names,
    is_overdue_group,
    property_of_group,
)
from services.notifications.domain.texts import plain_text, segments
from services.notifications.handlers.telling import zones_for
from services.notifications.store import groups, people
from shared.cli import UsageProblem
from shared.clock import local_date

TELLING: Final = Telling("announcement", "announcement")


@dataclass(frozen=True, slots=True)
class Announcement:
    """A text for one address, one tenant or a group."""

    subject: str
    body: str
    channels: tuple[Channel, ...]
    to: str | None = None
    tenant_id: UUID | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is meant; a contact, or an address that belongs to none."""

    contact: Contact | None
    address: str | None
    home: tuple[UUID, str] | None = None
    """The property they live at, and its time zone."""

    @property
    def tenant_id(self) -> UUID | None:
        """Who it is, where that is known."""
        return self.contact.tenant_id if self.contact else None

    @property
    def name(self) -> str:
        """What they are called."""
        return self.contact.name if self.contact else ""

    def address_by(self, channel: Channel) -> str | None:
        """Where a channel leads for them."""
        return self.contact.address(channel) if self.contact else self.address

    def plan(self, channels: Sequence[Channel], at: datetime) -> list[Planned]:
        """How each delivery will begin, by the same decision that writes it."""
        if self.contact is None:
            return [Planned(way, decide_address(TELLING, self.address, way, at)) for way in channels]
        zones = zones_for(self.contact, self.home[1] if self.home else None)
        return begin(TELLING, self.contact, at, zones, channels)


def announcement(
    *,
    subject: str,
    body: str,
    channels: Sequence[str],
    to: str | None,
    tenant_id: UUID | None,
    group: str | None,
) -> Announcement:
    """What was asked for, checked; raises `UsageProblem` or `BadSubject`."""
    if sum(choice is not None for choice in (to, tenant_id, group)) != 1:
        raise UsageProblem("Say to whom: exactly one of --to, --tenant and --group.")
    if not body.strip():
        raise UsageProblem("The body is empty.")
    address = typed_mailbox(to)
    if to is not None and address is None:
        raise UsageProblem(f"{to!r} is not an e-mail address such as ann@example.com.")
    chosen = tuple(dict.fromkeys(_channel(name) for name in channels))
    checked = checked_subject(subject)
    if Channel.SMS in chosen:
        _refuse_what_is_too_long(f"{checked}: {body}")
    return Announcement(checked, body, chosen, address, tenant_id, group)


def _refuse_what_is_too_long(text: str) -> None:
    count, most = segments(plain_text(text)), kind_of("announcement").segments
    if count > most:
        raise UsageProblem(
            f"As texts this takes {count} messages to each phone; {most} is the most.",
            remedy="Shorten it, or leave --channel sms out.",
        )


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        raise UsageProblem(
            f"There is no channel {name!r}.", remedy=f"Use one of {', '.join(Channel)}."
        ) from None


async def recipients(connection: AsyncConnection, wanted: Announcement, at: datetime) -> list[Recipient]:
    """Everybody who is meant, once each; reads only."""
    if wanted.to is not None:
        return await _by_address(connection, wanted.to, wanted.channels, at)
    if wanted.tenant_id is not None:
        known = await people.known_contacts(connection, [wanted.tenant_id])
        if wanted.tenant_id not in known:
            raise UsageProblem(
                f"There is no tenant {wanted.tenant_id}.", remedy="See `propman leasing tenants list`."
            )
        return await _at_home(connection, list(known.values()), at)
    return await _at_home(connection, await _members(connection, str(wanted.group), at), at)


async def _at_home(connection: AsyncConnection, contacts: Sequence[Contact], at: datetime) -> list[Recipient]:
    homes = await people.homes(connection, [contact.tenant_id for contact in contacts], at.date())
    return [Recipient(contact, contact.email, homes.get(contact.tenant_id)) for contact in contacts]


async def _by_address(
    connection: AsyncConnection, to: str, channels: Sequence[Channel], at: datetime
) -> list[Recipient]:
    found = await people.contacts_by_email(connection, to)
    if len(found) == 1:
        return await _at_home(connection, found, at)
    reason = "is shared by several tenants" if found else "belongs to no tenant"
    lacks = {Channel.IN_APP: "no app to show it in", Channel.SMS: "no telephone number"}
    for channel in channels:
        if channel in lacks:
            raise UsageProblem(
                f"{to} {reason}, so there is {lacks[channel]}.", remedy="Use --tenant, or e-mail only."
            )
    return [Recipient(None, to)]


async def _members(connection: AsyncConnection, group: str, at: datetime) -> list[Contact]:
    named = await groups.find_group(connection, group)
    if named is not None:
        return await groups.members(connection, named)
    if is_overdue_group(group):
        return await groups.tenants_overdue(connection)
    properties = await people.every_property(connection)
    try:
        chosen = property_of_group(group, properties)
    except UnknownGroup:
        every = [*group_names(properties), *(row["name"] for row in await groups.list_groups(connection))]
        names = ", ".join(f'"{name}"' for name in every)
        raise UsageProblem(f"There is no group {group!r}.", remedy=f"Groups: {names}.") from None
    if chosen is None:
        return await people.every_contact(connection)
    zones = await people.zones_of(connection, chosen)
    return await people.contacts_at(connection, {place: local_date(at, zones[place]) for place in chosen})


def notices(
    wanted: Announcement, chosen: Sequence[Recipient], announcement_id: UUID, correlation_id: UUID
) -> list[Notice]:
    """One notice per recipient; the announcement's id keeps each from being told twice."""
    return [
        Notice(
            category=TELLING.category,
            template=TELLING.template,
            dedup_key=dedup_key("announcement", announcement_id, recipient.tenant_id or recipient.address),
            source_message_id=announcement_id,
            correlation_id=correlation_id,
            context=_context(wanted, recipient),
            tenant_id=recipient.tenant_id,
            address=recipient.address,
            channels=wanted.channels,
            property_id=recipient.home[0] if recipient.home else None,
        )
        for recipient in chosen
    ]


def _context(wanted: Announcement, recipient: Recipient) -> str:
    said = {"subject": wanted.subject, "body": wanted.body}
    if recipient.home is not None:
        said["property_id"] = str(recipient.home[0])
    return json.dumps(said)
