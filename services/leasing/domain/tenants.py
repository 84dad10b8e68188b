"""Tenants, and how they are reached."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast, get_args
from uuid import UUID

from services.leasing.domain.checks import checked, line_of_text
from services.leasing.domain.properties import KnownZone
from services.leasing.domain.refusals import Invalid, Wrong

Channel = Literal["email", "sms", "in_app"]
CHANNELS: Final[tuple[str, ...]] = get_args(Channel)

D = TypeVar("D", bound="TenantDetails")

# Sanity, not proof: only a delivery shows that an address exists. What could carry a second address
# or a header (blanks, commas, angle brackets, quotes) is refused, and what no mail server could take: two
# dots in a row, a domain without a dot (RFC 5321, section 2.3.5). Letters of other alphabets are letters.
_WORD = r"[^\s@<>()\[\],;:\"\\.]+"
_LABEL = r"(?!-)[^\s!-,./:-@\[-`{-~]{1,63}(?<!-)"
_EMAIL = re.compile(rf"{_WORD}(\.{_WORD})*@{_LABEL}(\.{_LABEL})+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,28}")
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Z][a-z]{3})?([-_][A-Z]{2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDetails:
    """What somebody says about a tenant."""

    name: str
    email: str | None = None
    phone: str | None = None
    locale: str = "en"
    channel: Channel = "email"
    time_zone: str | None = None
    """Where they live by the clock, for messages at a decent hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant(TenantDetails):
    """Somebody a lease is signed with."""

    id: UUID
    version: int = 1


def checked_tenant(details: D, known_zone: KnownZone) -> D:
    """The details as they are kept, or `Invalid`."""

    def time_zone(name: str | None) -> str | None:
        if name is not None:
            known_zone(name)
        return name

    kept = checked(
        details,
        {
            "name": line_of_text,
            "email": email_address,
            "phone": _phone,
            "locale": _locale,
            "channel": channel,
            "time_zone": time_zone,
        },
    )
    if kept.channel == "email" and kept.email is None:
        raise Invalid([Wrong("email", "is missing: it is the channel this tenant is reached by")])
    if kept.channel == "sms" and kept.phone is None:
        raise Invalid([Wrong("phone", "is missing: it is the channel this tenant is reached by")])
    return kept


def checked_address(name: str, email: str) -> tuple[str, str]:
    """The name and e-mail address of somebody who is no tenant, as they are kept, or `Invalid`."""
    who = TenantDetails(name=name, email=email)
    kept = checked(who, {"name": line_of_text, "email": email_address})
    if kept.email is None:
        raise Invalid([Wrong("email", "is missing")])
    return kept.name, kept.email


def channel(name: str) -> Channel:
    """One of the ways to reach somebody."""
    if name not in CHANNELS:
        raise ValueError(f"{name!r} is none of {', '.join(CHANNELS)}")
    return cast("Channel", name)


def email_address(text: str | None) -> str | None:
    """An address as it is kept; None where there is none."""
    kept = line_of_text(text or "", longest=254, optional=True)
    if kept and not _EMAIL.fullmatch(kept):
        raise ValueError(f"{kept!r} is not an address such as ann@example.com")
    return kept or None


def _phone(text: str | None) -> str | None:
    kept = line_of_text(text or "", longest=30, optional=True)
    if kept and not _PHONE.fullmatch(kept):
        raise ValueError(f"{kept!r} is not a number such as +1 212 555 0100")
    return kept or None


def _locale(text: str) -> str:
    if not _LOCALE.fullmatch(text):
        raise ValueError(f"{text!r} is not a locale such as en or pt-BR")
    return text.replace("_", "-")
