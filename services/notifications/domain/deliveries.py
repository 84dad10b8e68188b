"""The life of one delivery: where it begins, and the only ways it may go on from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.notifications.domain.contacts import Contact, is_address


class Channel(StrEnum):
    """By what way a person hears of something."""

    EMAIL = "email"
    IN_APP = "in_app"


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


class NotForward(Exception):
    """A step that a delivery may not take."""

    def __init__(self, current: State, wanted: State) -> None:
        super().__init__(f"a delivery that is {current} cannot become {wanted}")
        self.current = current
        self.wanted = wanted


FORWARD: Final[Mapping[State, frozenset[State]]] = {
    State.AWAITING_CONTACT: frozenset({State.QUEUED, State.SKIPPED}),
    State.QUEUED: frozenset({State.SENDING}),
    # A worker whose lease ran out may still learn what came of it, and then its word counts.
    State.RETRY_WAIT: frozenset({State.SENDING, State.SENT, State.FAILED_PERMANENT}),
    State.SENDING: frozenset(
        {
            State.QUEUED,  # only when nothing was handed to the server
            State.RETRY_WAIT,
            State.UNKNOWN,
            State.SENT,
            State.FAILED_PERMANENT,
            State.FAILED_EXPIRED,
        }
    ),
    State.UNKNOWN: frozenset({State.SENT, State.FAILED_PERMANENT}),
    State.SENT: frozenset({State.DELIVERED}),
    State.DELIVERED: frozenset(),
    State.FAILED_PERMANENT: frozenset(),
    State.FAILED_EXPIRED: frozenset(),
    State.SKIPPED: frozenset(),
}

RETRYABLE: Final = frozenset(
    {State.UNKNOWN, State.RETRY_WAIT, State.FAILED_PERMANENT, State.FAILED_EXPIRED, State.SKIPPED}
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


AWAITING: Final = Beginning(State.AWAITING_CONTACT)
SHOWN: Final = Beginning(State.DELIVERED)
"""An in-app message is where its reader looks as soon as it is written."""

_NO_ADDRESS: Final = Beginning(State.SKIPPED, reason=NO_ADDRESS)
_BAD_ADDRESS: Final = Beginning(State.SKIPPED, reason=BAD_ADDRESS)


def begin_email(contact: Contact | None) -> Beginning:
    """An e-mail to somebody known is queued under the address of now; else it waits or is skipped."""
    if contact is None:
        return AWAITING
    return begin_email_to(contact.email)


def begin_email_to(address: str | None) -> Beginning:
    """The same for an address, whosoever it is."""
    if not address:
        return _NO_ADDRESS
    return Beginning(State.QUEUED, address) if is_address(address) else _BAD_ADDRESS
