"""What somebody is to hear, once, before it is known by which channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notifications.domain.decisions import Telling
from services.notifications.domain.deliveries import Channel
from services.notifications.domain.kinds import Criticality

ALL_TENANTS: Final = "All Tenants"
TENANTS_OF: Final = "Tenants of "
OVERDUE: Final = "Tenants with an overdue invoice"

SHARED_ADDRESS: Final = "shared_address"
"""Somebody else who is told the same thing at the same time has this address too."""
LONGEST_SUBJECT: Final = 200


class BadSubject(ValueError):
    """A subject that cannot be a mail header."""


class UnknownGroup(Exception):
    """No group goes by this name."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing one recipient is told, however many channels carry it."""

    category: str
    template: str
    dedup_key: str
    """The same intent has the same key, by whatever message it comes."""
    source_message_id: UUID
    correlation_id: UUID
    context: str
    """JSON: numbers, ids and money, from which the text is made when it is sent."""
    tenant_id: UUID | None = None
    address: str | None = None
    """For a recipient who is nobody we know; for a tenant, the one mailbox that an e-mail may go to."""
    channels: tuple[Channel, ...] | None = None
    """Where a person chose them; None for what the recipient and the urgency say."""
    property_id: UUID | None = None
    criticality: Criticality = Criticality.NORMAL
    expires_at: datetime | None = None
    """When it is of no use any more."""
    untrue: str | None = None
    """Why it is not true any more, though it was when it was said."""
    rests_until: datetime | None = None
    """Until when its recipient is left alone about this thing."""

    @property
    def telling(self) -> Telling:
        """What of it the decision cares for."""
        return Telling(
            self.template, self.category, self.criticality, self.expires_at, self.untrue, self.rests_until
        )


@dataclass(frozen=True, slots=True)
class News:
    """Something that groups of the office may have subscribed to."""

    event: str
    subject_id: UUID
    source_message_id: UUID
    correlation_id: UUID
    context: str
    """JSON, as for a notice."""
    property_id: UUID | None = None


def office_notice(news: News, person: UUID, channels: tuple[Channel, ...] | None) -> Notice:
    """What a subscriber is told of an event, once."""
    return Notice(
        category="office",
        template="office",
        dedup_key=dedup_key(f"office.{news.event}", news.subject_id, person),
        source_message_id=news.source_message_id,
        correlation_id=news.correlation_id,
        context=news.context,
        tenant_id=person,
        channels=channels,
        property_id=news.property_id,
    )


def dedup_key(template: str, subject_id: UUID, recipient: object) -> str:
    """What is said, of which thing, to whom."""
    return f"{template}:{subject_id}:{recipient}"


def checked_subject(text: str) -> str:
    """A subject as it may be sent; refuses line breaks, which could smuggle in a second header."""
    subject = text.strip()
    if not subject:
        raise BadSubject("The subject is empty.")
    if any(ord(letter) < 32 or ord(letter) in {127, 0x85, 0x2028, 0x2029} for letter in subject):
        raise BadSubject("The subject has a line break or another control character in it.")
    if len(subject) > LONGEST_SUBJECT:
        raise BadSubject(f"The subject is longer than {LONGEST_SUBJECT} characters.")
    return subject


def property_of_group(group: str, properties: Sequence[tuple[UUID, str]]) -> list[UUID] | None:
    """The properties whose tenants a group is, or None for all tenants; raises `UnknownGroup`."""
    wanted = group.strip().casefold()
    if wanted == ALL_TENANTS.casefold():
        return None
    found = [identity for identity, name in properties if f"{TENANTS_OF}{name}".casefold() == wanted]
    if not found:
        raise UnknownGroup(group)
    return found


def is_overdue_group(group: str) -> bool:
    """Whether this is the group of those who owe."""
    return group.strip().casefold() == OVERDUE.casefold()


def group_names(properties: Sequence[tuple[UUID, str]]) -> list[str]:
    """Every group that follows a rule, and so always has the members of the moment."""
    return [ALL_TENANTS, OVERDUE, *(f"{TENANTS_OF}{name}" for _, name in properties)]
