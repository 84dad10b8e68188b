"""What it takes to issue signing links: where they lead, what they are made with, how long they are good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.leasing.domain.signing import (
    DEFAULT_REMINDERS,
    DEFAULT_VALIDITY,
    Link,
    Signer,
    checked_validity,
    reminders_of,
)
from services.leasing.settings import Settings
from shared.identity import new_id
from shared.link_keys import LinkKeys, digest, keys_of, new_ticket

PATH = "sign"


@dataclass(frozen=True, slots=True)
class Links:
    """One deployment's way to make links; a change of it is for links that are issued from then on."""

    url: str
    """`https://leases.example.com/sign`: a link is this, `/` and its key."""
    keys: LinkKeys
    valid_for: timedelta = DEFAULT_VALIDITY
    remind_before: Sequence[timedelta] = DEFAULT_REMINDERS

    def issue(self, signer: Signer, number: int, at: datetime, valid_for: timedelta | None = None) -> Link:
        """Another link for a signer, with a clock and reminders of its own. Raises `Invalid`."""
        ticket = new_ticket()
        expires_at = at + checked_validity(valid_for or self.valid_for)
        remind_at = reminders_of(at, expires_at, self.remind_before)
        return Link(
            id=new_id(),
            signer_id=signer.id,
            number=number,
            sent_to=signer.email,
            url=self.url,
            ticket=ticket,
            token_hash=digest(self.keys.token(ticket)),
            issued_at=at,
            expires_at=expires_at,
            remind_at=remind_at,
            next_reminder_at=remind_at[0] if remind_at else None,
        )


def links_of(settings: Settings) -> Links | None:
    """How this deployment makes links; None where it has no public address or no key."""
    keys = keys_of(settings.link_key)
    if settings.public_url is None or keys is None:
        return None
    return Links(
        url=f"{settings.public_url}/{PATH}",
        keys=keys,
        valid_for=timedelta(days=settings.signing_days),
        remind_before=[timedelta(hours=hours) for hours in settings.signing_reminder_hours],
    )


def read_key(text: str) -> tuple[UUID, str] | None:
    """The id of a link and the token beside it, as an address has them; None where it has neither."""
    identity, dot, token = text.partition(".")
    try:
        return (UUID(hex=identity), token) if dot and token and len(identity) == 32 else None
    except ValueError:
        return None
