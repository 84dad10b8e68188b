"""The one place that decides whether, where and when somebody is told something; every no has its reason.

It is asked twice: when a notification is written, and again when its time has come to be sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from services.notifications.domain.contacts import ANY, Contact
from services.notifications.domain.deliveries import (
    AWAITING,
    BAD_ADDRESS,
    NO_ADDRESS,
    SHOWN,
    Beginning,
    Channel,
    State,
    begin_at,
)
from services.notifications.domain.kinds import Criticality, kind_of
from services.notifications.domain.quiet_hours import DEFAULTS, opens_everywhere
from services.notifications.domain.suppressions import Suppression, Why

NO_CONSENT: Final = "no_consent"
CATEGORY_OFF: Final = "category_off"
CHANNEL_OFF: Final = "channel_off"
QUIET: Final = "quiet_hours"
HELD: Final = "digest"
COOLDOWN: Final = "cooldown"
EXPIRED: Final = "expired"
EXPIRED_IN_QUIET: Final = "expired_in_quiet_hours"

_ALWAYS_READ: Final = frozenset({Channel.EMAIL, Channel.IN_APP})
"""By these what is mandatory arrives whatever somebody prefers."""


FALLBACK: Final[Mapping[Channel, Channel]] = {Channel.SMS: Channel.EMAIL, Channel.EMAIL: Channel.SMS}
"""Where a message goes that certainly did not go the first way."""

DIGESTED: Final = frozenset({Channel.EMAIL, Channel.SMS})
"""Where several messages of one kind are made one; the others are lists by themselves, or for machines."""

_LEADS_ELSEWHERE: Final = frozenset({NO_ADDRESS, BAD_ADDRESS, NO_CONSENT, *(str(why) for why in Why)})
"""Reasons that are about the way and not about the message, so that another way may do."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told, as far as the decision cares."""

    template: str
    category: str
    criticality: Criticality = Criticality.NORMAL
    expires_at: datetime | None = None
    """When it is of no use any more."""
    untrue: str | None = None
    """Why it is not true any more, such as `invoice_paid`."""
    rests_until: datetime | None = None
    """The person has just been told of the same thing, and is left alone about it until then."""
    is_due: bool = False
    """It has waited for its digest already."""


def plan(telling: Telling, contact: Contact | None) -> tuple[Channel, ...]:
    """By which channels a person is told this, before it is known which of them are open.

    An emergency goes everywhere at once; a warning goes where it is seen soonest; the rest goes where
    the person asked for it, and what is mandatory also where it can be kept.
    """
    if contact is None:
        return (Channel.EMAIL, Channel.IN_APP)
    if contact.kind == "external":
        return (Channel.WEBHOOK,) if contact.webhook_url else (Channel.EMAIL,)
    if telling.criticality is Criticality.EMERGENCY:
        return (Channel.SMS, Channel.EMAIL, Channel.IN_APP)
    if telling.criticality is Criticality.WARNING:
        return (Channel.SMS if contact.phone else Channel.EMAIL, Channel.IN_APP)
    chosen = {"sms": (Channel.SMS,), "in_app": ()}.get(contact.preferred, (Channel.EMAIL,))
    if kind_of(telling.template).mandatory and not chosen:
        chosen = (Channel.EMAIL,)
    return (*chosen, Channel.IN_APP)


@dataclass(frozen=True, slots=True)
class Planned:
    """One channel of a notification, and how it begins there."""

    channel: Channel
    beginning: Beginning


def begin(
    telling: Telling,
    contact: Contact | None,
    at: datetime,
    zones: Sequence[tzinfo] = (),
    channels: Sequence[Channel] | None = None,
) -> list[Planned]:
    """Every channel by which somebody is told, with its decision; `channels` where a person chose them.

    Where none was chosen and one is closed for good, the message goes by the next one that is open.
    """
    wanted = plan(telling, contact) if channels is None else channels
    planned = [Planned(channel, decide(telling, contact, channel, at, zones)) for channel in wanted]
    if channels is None and contact is not None:
        closed = [item.channel for item in planned if item.beginning.reason in _LEADS_ELSEWHERE]
        for channel in (FALLBACK[closed_one] for closed_one in closed if closed_one in FALLBACK):
            if channel in wanted:
                continue
            other = decide(telling, contact, channel, at, zones)
            if other.state is State.QUEUED:
                planned.append(Planned(channel, other))
    return planned


def unreachable(planned: Sequence[Planned]) -> bool:
    """Whether somebody is to be told outside the app and cannot be: the office has to see to it."""
    outside = [item.beginning for item in planned if item.channel is not Channel.IN_APP]
    return bool(outside) and all(
        beginning.state in {State.SKIPPED, State.SUPPRESSED} and beginning.reason in _LEADS_ELSEWHERE
        for beginning in outside
    )


def decide(
    telling: Telling, contact: Contact | None, channel: Channel, at: datetime, zones: Sequence[tzinfo] = ()
) -> Beginning:
    """Whether a channel carries this to a person now, later or not at all.

    `zones` are where the person is and where it is about; it is quiet where it is quiet in one of them.
    """
    if (over := _over(telling, at)) is not None:
        return over
    if contact is None:
        return SHOWN if channel is Channel.IN_APP else AWAITING
    beginning = SHOWN if channel is Channel.IN_APP else begin_at(channel, contact.address(channel))
    if beginning.state is State.SKIPPED:
        return beginning
    if (closed := _closed(telling, contact, channel, at)) is not None:
        return closed
    if channel is Channel.IN_APP:
        return beginning
    return _when(telling, contact, channel, at, zones, beginning.address)


def decide_address(
    telling: Telling,
    address: str | None,
    channel: Channel,
    at: datetime,
    suppressed: Sequence[Suppression] = (),
) -> Beginning:
    """The same for an address that belongs to nobody we know."""
    if (over := _over(telling, at)) is not None:
        return over
    beginning = begin_at(channel, address)
    if beginning.state is not State.QUEUED:
        return beginning
    return _suppressed(telling, channel, at, suppressed) or beginning


def _over(telling: Telling, at: datetime) -> Beginning | None:
    """Why it is of no use to anybody any more."""
    if telling.expires_at is not None and telling.expires_at <= at:
        return Beginning(State.FAILED_EXPIRED, reason=EXPIRED)
    return Beginning(State.CANCELED, reason=telling.untrue) if telling.untrue else None


def _closed(telling: Telling, contact: Contact, channel: Channel, at: datetime) -> Beginning | None:
    """Why this channel is closed to this message: the address first, then the law, then the wish."""
    if (closed := _suppressed(telling, channel, at, contact.suppressed)) is not None:
        return closed
    if telling.criticality is Criticality.EMERGENCY:
        return None
    if channel is Channel.SMS and not (contact.sms_consent or contact.preferred == "sms"):
        return Beginning(State.SKIPPED, reason=NO_CONSENT)
    if kind_of(telling.template).mandatory and channel in _ALWAYS_READ:
        return None
    if (reason := _unwanted(contact, telling.category, channel)) is not None:
        return Beginning(State.SKIPPED, reason=reason)
    return None


def _suppressed(
    telling: Telling, channel: Channel, at: datetime, suppressed: Sequence[Suppression]
) -> Beginning | None:
    for suppression in suppressed:
        if suppression.covers(channel, telling.category, at):
            return Beginning(State.SUPPRESSED, reason=suppression.reason)
    return None


def _unwanted(contact: Contact, category: str, channel: Channel) -> str | None:
    """The nearest preference decides: this category here, then the category, then the channel."""
    said = contact.preferences
    here = said.get((category, channel))
    if here is not None:
        return None if here else CATEGORY_OFF
    if said.get((category, ANY)) is False:
        return CATEGORY_OFF
    return CHANNEL_OFF if said.get((ANY, channel)) is False else None


def _when(
    telling: Telling,
    contact: Contact,
    channel: Channel,
    at: datetime,
    zones: Sequence[tzinfo],
    address: str | None,
) -> Beginning:
    """At once, when others may have come for the same digest, or when it is not too soon and not quiet."""
    ready, reason = _ready(telling, channel, at)
    window = contact.quiet.get(channel, DEFAULTS.get(channel))
    opens = ready
    if window is not None and zones and telling.criticality is not Criticality.EMERGENCY:
        opens = opens_everywhere(window, zones, ready)
    if telling.expires_at is not None and opens >= telling.expires_at:
        if telling.criticality is Criticality.NORMAL:
            return Beginning(State.SKIPPED, reason=EXPIRED_IN_QUIET)
        opens = at  # to wait would make the warning useless
    if opens <= at:
        return Beginning(State.QUEUED, address)
    return Beginning(State.QUEUED, address, QUIET if opens > ready else reason, not_before=opens)


def _ready(telling: Telling, channel: Channel, at: datetime) -> tuple[datetime, str]:
    """When it may go out as far as others of its kind are concerned; it never rests until it is useless."""
    if channel not in DIGESTED or telling.is_due:
        return at, HELD
    ready, rests_until = at + kind_of(telling.template).hold, telling.rests_until
    if telling.criticality is not Criticality.NORMAL or rests_until is None or rests_until <= ready:
        return ready, HELD
    if telling.expires_at is not None and rests_until >= telling.expires_at:
        return ready, HELD
    return rests_until, COOLDOWN
