"""Every kind of thing we tell people: which category it is, how urgent, and what must still be true of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Final


class Category(StrEnum):
    """What people may switch on and off."""

    EMERGENCY = "emergency"
    WEATHER = "weather"
    MAINTENANCE = "maintenance"
    BILLING = "billing"
    REMINDER = "reminder"
    LEASE = "lease"
    REWARD = "reward"
    ANNOUNCEMENT = "announcement"
    OFFICE = "office"
    """What the office's own people subscribed to."""


class Criticality(IntEnum):
    """How much it matters that it arrives now."""

    NORMAL = 0
    WARNING = 1
    """Goes out although it is quiet where waiting would make it useless."""
    EMERGENCY = 2
    """Health and safety: asks for no consent and keeps no quiet hours (47 CFR 64.1200(f)(4))."""


class Premise(StrEnum):
    """What has to be true still when a message is sent."""

    INVOICE_OPEN = "invoice_open"
    ALERT_ACTIVE = "alert_active"
    WORK_ORDER_AS_SAID = "work_order_as_said"
    LINK_OPENS = "link_opens"


@dataclass(frozen=True, slots=True)
class Kind:
    """The rules of one template."""

    category: Category
    mandatory: bool = False
    """Has to be told, as a tenant's right or ours: no preference silences it by e-mail or in the app."""
    premise: Premise | None = None
    hold: timedelta = timedelta(0)
    """How long an e-mail or a text waits for others of its kind to the same person, to be one digest."""
    cooldown: timedelta = timedelta(0)
    """How long somebody is left alone about one thing once they were told of it by e-mail or text: what comes
    meanwhile waits, and only the newest of it goes out. A warning never waits for it."""
    unsubscribable: bool = False
    """Carries List-Unsubscribe (RFC 8058)."""
    fails_over: bool = True
    """Goes by another channel where one has certainly failed; not where a person chose the channel."""
    segments: int = 2
    """The most text messages one of it may take."""


_BILLING: Final = Category.BILLING
DIGEST_WINDOW: Final = timedelta(seconds=15)
"""One run says what it has to say within seconds; nobody waits longer for news that comes alone."""

WEATHER_COOLDOWN: Final = timedelta(minutes=30)
"""An advisory that is worded anew every few minutes is one message and its last word."""

KINDS: Final[Mapping[str, Kind]] = {
    "invoice": Kind(_BILLING, mandatory=True),
    "receipt": Kind(_BILLING, mandatory=True),
    "payment_reversed": Kind(_BILLING, mandatory=True),
    "credit": Kind(_BILLING),
    "invoice_voided": Kind(_BILLING, mandatory=True),
    "late_fee": Kind(_BILLING, mandatory=True, premise=Premise.INVOICE_OPEN),
    "late_fee_waived": Kind(_BILLING, mandatory=True),
    "overdue": Kind(_BILLING, mandatory=True, premise=Premise.INVOICE_OPEN),
    "autopay_failed": Kind(_BILLING, mandatory=True, premise=Premise.INVOICE_OPEN),
    "reminder": Kind(
        Category.REMINDER, premise=Premise.INVOICE_OPEN, hold=DIGEST_WINDOW, unsubscribable=True
    ),
    "weather_raised": Kind(Category.WEATHER, premise=Premise.ALERT_ACTIVE),
    "weather_updated": Kind(Category.WEATHER, premise=Premise.ALERT_ACTIVE, cooldown=WEATHER_COOLDOWN),
    "weather_cleared": Kind(Category.WEATHER),
    "work_order_opened": Kind(Category.MAINTENANCE, premise=Premise.WORK_ORDER_AS_SAID),
    # Whoever lets somebody in has to know when, and that nobody comes after all.
    "work_order_appointment": Kind(Category.MAINTENANCE, mandatory=True, premise=Premise.WORK_ORDER_AS_SAID),
    "work_order_closed": Kind(Category.MAINTENANCE, premise=Premise.WORK_ORDER_AS_SAID),
    # A text is sent where the mail came back, and says so; the link is in no text.
    "signing_link": Kind(Category.LEASE, mandatory=True, premise=Premise.LINK_OPENS),
    "signing_reminder": Kind(Category.LEASE, mandatory=True, premise=Premise.LINK_OPENS),
    "signing_expired": Kind(Category.LEASE, mandatory=True),
    "lease_signed": Kind(Category.LEASE, mandatory=True),
    # News of a reward may be switched off; marketing it is not, and no quiet hours are broken for it.
    "reward_granted": Kind(Category.REWARD),
    "reward_revoked": Kind(Category.REWARD),
    "reward_redeemed": Kind(Category.REWARD),
    "reward_restored": Kind(Category.REWARD),
    "announcement": Kind(Category.ANNOUNCEMENT, unsubscribable=True, fails_over=False, segments=4),
    "office": Kind(Category.OFFICE, hold=DIGEST_WINDOW, fails_over=False),
}


def kind_of(template: str) -> Kind:
    """The rules of a template; one that is not listed is an announcement."""
    return KINDS.get(template, KINDS["announcement"])


PREMISED: Final = frozenset(template for template, kind in KINDS.items() if kind.premise is not None)
"""What is looked at again before it is sent."""


def digest_key(template: str, recipient: object) -> str | None:
    """What goes into one digest together; None for what is always sent alone."""
    return f"{template}:{recipient}" if kind_of(template).hold else None
