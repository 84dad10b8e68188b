"""What a person wants to tell others: who exactly is meant, and what will be written for each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.contacts import Contact, is_address
from services.notifications.domain.deliveries import Channel, State, begin_email_to
from services.notifications.domain.notices import (
    Notice,
    UnknownGroup,
    checked_subject,
    dedup_key,
    group_names,
    property_of_group,
)
from services.notifications.store import people
from shared.cli import CommandError, UsageProblem
from shared.clock import local_date


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
    """Somebody who is meant; a tenant, or an address that belongs to none."""

    tenant_id: UUID | None
    name: str
    address: str | None

    def plan(self, channel: Channel) -> tuple[State, str | None]:
        """The state a delivery will begin in, and why."""
        if channel is Channel.IN_APP:
            return State.DELIVERED, None
        beginning = begin_email_to(self.address)
        return beginning.state, beginning.reason


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
    if to is not None and not is_address(to):
        raise UsageProblem(f"{to!r} is not an e-mail address.")
    chosen = tuple(dict.fromkeys(_channel(name) for name in channels))
    return Announcement(checked_subject(subject), body, chosen, to, tenant_id, group)


def _channel(name: str) -> Channel:
    if name == "sms":
        raise UsageProblem("SMS is not available yet.", remedy="Use --channel email or --channel in_app.")
    try:
        return Channel(name)
    except ValueError:
        raise UsageProblem(f"There is no channel {name!r}.", remedy="Use email or in_app.") from None


async def recipients(connection: AsyncConnection, wanted: Announcement, at: datetime) -> list[Recipient]:
    """Everybody who is meant, once each; reads only."""
    if wanted.to is not None:
        return [await _by_address(connection, wanted.to, wanted.channels)]
    if wanted.tenant_id is not None:
        known = await people.known_contacts(connection, [wanted.tenant_id])
        if wanted.tenant_id not in known:
            raise CommandError(
                f"There is no tenant {wanted.tenant_id}.", remedy="See `propman leasing tenants list`."
            )
        return [_recipient(known[wanted.tenant_id])]
    return [_recipient(contact) for contact in await _members(connection, str(wanted.group), at)]


async def _by_address(connection: AsyncConnection, to: str, channels: Sequence[Channel]) -> Recipient:
    tenants = await people.contacts_by_email(connection, to)
    if len(tenants) == 1:
        return _recipient(tenants[0])
    if Channel.IN_APP in channels:
        reason = "is shared by several tenants" if tenants else "belongs to no tenant"
        raise UsageProblem(
            f"{to} {reason}, so there is no app to show it in.", remedy="Use --tenant, or e-mail only."
        )
    return Recipient(None, "", to)


async def _members(connection: AsyncConnection, group: str, at: datetime) -> list[Contact]:
    properties = await people.every_property(connection)
    try:
        chosen = property_of_group(group, properties)
    except UnknownGroup:
        names = ", ".join(f'"{name}"' for name in group_names(properties))
        raise UsageProblem(f"There is no group {group!r}.", remedy=f"Groups: {names}.") from None
    if chosen is None:
        return await people.every_contact(connection)
    zones = await people.zones_of(connection, chosen)
    return await people.contacts_at(connection, {place: local_date(at, zones[place]) for place in chosen})


def notices(
    wanted: Announcement, chosen: Sequence[Recipient], announcement_id: UUID, correlation_id: UUID
) -> list[Notice]:
    """One notice per recipient; the announcement's id keeps each from being told twice."""
    context = json.dumps({"subject": wanted.subject, "body": wanted.body})
    return [
        Notice(
            category="announcement",
            template="announcement",
            dedup_key=dedup_key("announcement", announcement_id, recipient.tenant_id or recipient.address),
            source_message_id=announcement_id,
            correlation_id=correlation_id,
            context=context,
            tenant_id=recipient.tenant_id,
            address=recipient.address,
            channels=wanted.channels,
        )
        for recipient in chosen
    ]


def _recipient(contact: Contact) -> Recipient:
    return Recipient(contact.tenant_id, contact.name, contact.email)
