"""What Twilio says about a text message, as one of our outcomes; a code nobody told us of has one too.

Source: Twilio's error dictionary and the message resource's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from services.notifications.domain.attempts import Outcome, Result
from services.notifications.domain.deliveries import State
from services.notifications.domain.suppressions import Why

SHORTEST_VALIDITY: Final = 60
LONGEST_VALIDITY: Final = 36_000
"""Twilio's `ValidityPeriod` in seconds; the API takes 1 to 36000, and less than a minute is no use."""

UNREACHABLE_PAUSE: Final = timedelta(minutes=30)
BUSY_PAUSE: Final = timedelta(minutes=2)
"""A quota is not over in seconds; who asks again at once makes it worse."""


class Class(Enum):
    """What follows from a code."""

    OUR_FAULT = "our_fault"
    """Our account or our number: nothing leaves until somebody mends a setting."""
    BAD_NUMBER = "bad_number"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    FORBIDDEN = "forbidden"
    """By policy, for this place or this kind of number."""
    CONTENT = "content"
    """The same text would be refused again."""
    BUSY = "busy"
    """Not processed, so that it is safe to send it again."""
    UNREACHABLE = "unreachable"
    TRANSIENT = "transient"
    ONCE_MORE = "once_more"
    EXPIRED = "expired"


CODES: Final[Mapping[int, Class]] = {
    20003: Class.OUR_FAULT,
    20404: Class.OUR_FAULT,
    21606: Class.OUR_FAULT,
    21612: Class.OUR_FAULT,
    30002: Class.OUR_FAULT,
    30024: Class.OUR_FAULT,
    30032: Class.OUR_FAULT,
    30034: Class.OUR_FAULT,
    21211: Class.BAD_NUMBER,
    21217: Class.BAD_NUMBER,
    21614: Class.BAD_NUMBER,
    21635: Class.BAD_NUMBER,
    30005: Class.BAD_NUMBER,
    30006: Class.BAD_NUMBER,
    21610: Class.OPTED_OUT,
    21408: Class.FORBIDDEN,
    21268: Class.FORBIDDEN,
    21602: Class.CONTENT,
    21617: Class.CONTENT,
    30019: Class.CONTENT,
    30007: Class.CONTENT,
    20429: Class.BUSY,
    30001: Class.TRANSIENT,
    30500: Class.TRANSIENT,
    30003: Class.UNREACHABLE,
    30004: Class.BLOCKED,
    30008: Class.ONCE_MORE,
    30036: Class.EXPIRED,
}

_CLOSES: Final = {Class.BAD_NUMBER: Why.INVALID, Class.OPTED_OUT: Why.STOP, Class.BLOCKED: Why.BLOCKED}
_POSTPONED: Final[Mapping[Class, tuple[int | None, timedelta | None]]] = {
    Class.BUSY: (None, BUSY_PAUSE),
    Class.TRANSIENT: (None, None),
    Class.UNREACHABLE: (3, UNREACHABLE_PAUSE),
    Class.ONCE_MORE: (2, None),
}
"""How many attempts in all, and the least pause before the next."""


def class_of(code: int | None) -> Class:
    """The class of a code; one that nobody has told us about is tried once more."""
    return CODES.get(code or 0, Class.ONCE_MORE)


def refused(status: int, code: int | None, detail: str, retry_after: timedelta | None = None) -> Outcome:
    """What an HTTP answer other than a success means for the message that was posted."""
    if status == 429:
        code = 20429
    elif status in {401, 403} and code is None:
        code = 20003
    if code not in CODES and status >= 500:
        return Outcome(Result.AMBIGUOUS, "provider_error", detail)
    outcome = outcome_of(code, detail)
    if retry_after is not None and outcome.result is Result.POSTPONED:
        return Outcome(outcome.result, outcome.reason, detail, tries=outcome.tries, wait=retry_after)
    return outcome


def outcome_of(code: int | None, detail: str = "") -> Outcome:
    """What an error code means, by whichever way it came."""
    found = class_of(code)
    reason = f"sms_{found.value}"
    if found is Class.OUR_FAULT:
        return Outcome(Result.NOT_HANDED_OVER, reason, detail)
    if found is Class.EXPIRED:
        return Outcome(Result.EXPIRED, reason, detail)
    if found in _POSTPONED:
        tries, wait = _POSTPONED[found]
        return Outcome(Result.POSTPONED, reason, detail, tries=tries, wait=wait)
    return Outcome(Result.REFUSED, reason, detail, closes=_CLOSES.get(found))


_STATES: Final[Mapping[str, State]] = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.BOUNCED,
    "failed": State.BOUNCED,
    "canceled": State.BOUNCED,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What the provider says later about a message it took."""

    state: State | None
    """None for steps of its own, such as queued and sending: known to be with the provider."""
    outcome: Outcome | None = None
    """Why it was not delivered."""


def read_report(status: str, code: int | None) -> Report:
    """The meaning of a status callback; a status we do not know says only that the provider has it."""
    state = _STATES.get(status)
    if state is not State.BOUNCED:
        return Report(state)
    outcome = outcome_of(code, f"{status} {code or ''}".strip())
    if outcome.result is Result.NOT_HANDED_OVER:  # our fault, but this message was taken and is lost
        outcome = Outcome(Result.REFUSED, outcome.reason, outcome.detail)
    return Report(state, outcome)


def validity_seconds(seconds_left: float) -> int:
    """For how long a text is worth delivering, so that tonight's storm does not arrive tomorrow."""
    return int(min(max(seconds_left, SHORTEST_VALIDITY), LONGEST_VALIDITY))
