"""How a person is reached, what of it can be used, and what they said about being told things."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from services.notifications.domain.quiet_hours import QuietWindow
from services.notifications.domain.suppressions import Suppression

LONGEST_ADDRESS: Final = 254
"""RFC 5321, section 4.5.3.1.3: a path is at most 256 octets, its angle brackets included."""

ANY: Final = "*"
"""In a preference: every category, or every channel."""

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_E164: Final = re.compile(r"\+[1-9]\d{6,14}")

Kind = Literal["tenant", "external"]


@dataclass(frozen=True, slots=True)
class Contact:
    """A tenant as leasing last described them, or somebody the office added, such as its own staff."""

    tenant_id: UUID
    name: str = ""
    email: str | None = None
    phone: str | None = None
    """E.164."""
    kind: Kind = "tenant"
    locale: str = "en"
    preferred: str = "email"
    """The channel they chose: email, sms or in_app."""
    time_zone: str | None = None
    webhook_url: str | None = None
    sms_consent: bool = False
    """Said yes to text messages, by choosing them or by word; see 47 CFR 64.1200(f)(9)."""
    preferences: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """(category, channel) to wanted or not; either may be `ANY`."""
    quiet: Mapping[str, QuietWindow] = field(default_factory=dict)
    """By channel; a channel that is missing has the default."""
    suppressed: tuple[Suppression, ...] = ()

    def address(self, channel: str) -> str | None:
        """Where a channel leads for this person; None where it leads nowhere."""
        return {"email": self.email, "sms": self.phone, "webhook": self.webhook_url}.get(channel)


def is_address(text: str) -> bool:
    """Whether a mail server would take this as one address; nothing else can hide in it."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Whether this is a number as E.164 writes it."""
    return _E164.fullmatch(text) is not None


def is_webhook(text: str) -> bool:
    """Whether this is an HTTP address; what is secret goes abroad encrypted only."""
    return text.startswith(("https://", "http://127.0.0.1:", "http://localhost:"))
