"""What somebody is to hear, once, before it is known by which channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.notifications.domain.deliveries import Channel

ALL_TENANTS: Final = "All Tenants"
TENANTS_OF: Final = "Tenants of "

BOTH: Final = (Channel.EMAIL, Channel.IN_APP)
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
    """For a recipient who is no tenant."""
    channels: tuple[Channel, ...] = BOTH


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


def group_names(properties: Sequence[tuple[UUID, str]]) -> list[str]:
    """Every group there is."""
    return [ALL_TENANTS, *(f"{TENANTS_OF}{name}" for _, name in properties)]
