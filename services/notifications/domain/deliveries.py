"""The life of one delivery: where it begins, and the only ways it may go on from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.notifications.domain.contacts import is_address, is_phone, is_webhook


class Channel(StrEnum):
    """By what way a person hears of something."""

    EMAIL = "email"
    IN_APP = "in_app"
    SMS = "sms"
    WEBHOOK = "webhook"
    CONSOLE = "console"
    """Printed by the running service, for development; never chosen but by name."""


class State(StrEnum):
    """How far a delivery has come."""

    AWAITING_CONTACT = "awaiting_contact"
    QUEUED = "queued"
    SENDING = "sending"
    RETRY_WAIT = "retry_wait"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED_PERMANENT = "failed_permanent"
    FAILED_EXPIRED = "failed_expired"
    SKIPPED = "skipped"
    """A rule said no; the reason says which."""
    SUPPRESSED = "suppressed"
    """The address is closed: a bounce, a complaint, STOP, an unsubscription."""
    CANCELED = "canceled"
    """Not true any more before it was sent."""
    MERGED = "merged"
    """Part of a digest, whose delivery `merged_into` names."""
    BOUNCED = "bounced"
    """Taken over, and reported as undeliverable afterwards."""
    COMPLAINED = "complained"


class NotForward(Exception):
    """A step that a delivery may not take."""

    def __init__(self, current: State, wanted: State) -> None:
        super().__init__(f"a delivery that is {current} cannot become {wanted}")
        self.current = current
        self.wanted = wanted


_WITHHELD: Final = frozenset({State.SKIPPED, State.SUPPRESSED, State.CANCELED, State.FAILED_EXPIRED})
"""What a decision against sending leads to, whenever it is made."""

FORWARD: Final[Mapping[State, frozenset[State]]] = {
    State.AWAITING_CONTACT: frozenset({State.QUEUED}) | _WITHHELD,
    State.QUEUED: frozenset({State.SENDING, State.MERGED, State.CANCELED}),
    # A worker whose lease ran out may still learn what came of it, and then its word counts.
    State.RETRY_WAIT: frozenset(
        {
            State.SENDING,
            State.SENT,
            State.FAILED_PERMANENT,
            State.CANCELED,
            State.DELIVERED,
            State.BOUNCED,
        }
    ),
    State.SENDING: frozenset(
        {
            State.QUEUED,  # only when nothing was handed to the server
            State.RETRY_WAIT,
            State.UNKNOWN,
            State.SENT,
            State.FAILED_PERMANENT,
            State.DELIVERED,  # a provider's report may overtake our own record
            State.BOUNCED,
        }
    )
    | _WITHHELD,
    State.UNKNOWN: frozenset({State.SENT, State.FAILED_PERMANENT, State.DELIVERED, State.BOUNCED}),
    State.SENT: frozenset({State.DELIVERED, State.BOUNCED, State.COMPLAINED}),
    State.DELIVERED: frozenset({State.COMPLAINED}),
    State.FAILED_PERMANENT: frozenset(),
    State.FAILED_EXPIRED: frozenset(),
    State.SKIPPED: frozenset(),
    State.SUPPRESSED: frozenset(),
    State.CANCELED: frozenset(),
    State.MERGED: frozenset(),
    State.BOUNCED: frozenset(),
    State.COMPLAINED: frozenset(),
}

RETRYABLE: Final = frozenset(
    {
        State.UNKNOWN,
        State.RETRY_WAIT,
        State.FAILED_PERMANENT,
        State.FAILED_EXPIRED,
        State.SKIPPED,
        State.SUPPRESSED,
        State.BOUNCED,
    }
)
"""What a person may put back in the queue by hand: the one way back, never taken by the machine."""

NO_ADDRESS: Final = "no_address"
BAD_ADDRESS: Final = "bad_address"


def step(current: State, wanted: State) -> State:
    """The next state; raises `NotForward` for any that does not follow."""
    if wanted not in FORWARD[current]:
        raise NotForward(current, wanted)
    return wanted


def states_before(wanted: State) -> list[State]:
    """Every state from which `wanted` is a step forward."""
    return [current for current in State if wanted in FORWARD[current]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The state a delivery is born in, or leaves its waiting for."""

    state: State
    address: str | None = None
    reason: str | None = None
    not_before: datetime | None = None
    """Queued, and not to be sent until then; None means at once."""


AWAITING: Final = Beginning(State.AWAITING_CONTACT)
SHOWN: Final = Beginning(State.DELIVERED)
"""An in-app message is where its reader looks as soon as it is written."""

_NO_ADDRESS: Final = Beginning(State.SKIPPED, reason=NO_ADDRESS)
_BAD_ADDRESS: Final = Beginning(State.SKIPPED, reason=BAD_ADDRESS)
_USABLE: Final = {Channel.EMAIL: is_address, Channel.SMS: is_phone, Channel.WEBHOOK: is_webhook}


def begin_at(channel: Channel, address: str | None) -> Beginning:
    """Queued where a channel's address can be used, else skipped with the reason."""
    if channel not in _USABLE:
        return Beginning(State.QUEUED, str(channel))
    if not address:
        return _NO_ADDRESS
    return Beginning(State.QUEUED, address) if _USABLE[channel](address) else _BAD_ADDRESS
