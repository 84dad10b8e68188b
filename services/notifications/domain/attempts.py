"""What an attempt to send came to, and what follows from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.notifications.domain.deliveries import Beginning, Channel, State
from services.notifications.domain.suppressions import Why

PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 480, 1800))
"""Before the second attempt, the third, …; the last one is repeated until the delivery expires."""

JITTER: Final = 0.2
"""A pause grows by up to this part of itself, so that a refused crowd does not return as a crowd."""

LIFETIME: Final = timedelta(hours=72)
"""How long a queued e-mail is tried: an outage of a weekend loses none, and old news stays unsaid."""


TEXT_LIFETIME: Final = timedelta(hours=24)
"""The same for a text message, which claims more of a person's attention."""


def begins_at(beginning: Beginning, at: datetime) -> datetime | None:
    """When a delivery is due first; None where it is not queued."""
    return (beginning.not_before or at) if beginning.state is State.QUEUED else None


def ends_at(start: datetime | None, channel: Channel, expires_at: datetime | None) -> datetime | None:
    """When trying ends: the channel's lifetime after it was due, or when the news is old."""
    if start is None:
        return None
    lifetime = TEXT_LIFETIME if channel is Channel.SMS else LIFETIME
    return min(start + lifetime, expires_at) if expires_at else start + lifetime


class Result(StrEnum):
    """The classes of what can happen between us and a mail server."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """A permanent no: the same message would be refused again."""
    POSTPONED = "postponed"
    """Not now, about this message: it counts as an attempt."""
    NOT_HANDED_OVER = "not_handed_over"
    """The server, not the message, was the trouble: nothing was transmitted, no attempt is burnt."""
    AMBIGUOUS = "ambiguous"
    """Transmitted, and no answer: the recipient may have it or may not."""
    EXPIRED = "expired"
    WITHHELD = "withheld"
    """We decided not to send it, or not yet, when its time had come."""


class Doubt(StrEnum):
    """What to do with a message of which nobody knows whether it was sent."""

    RESEND = "resend"
    """Send it again under the same Message-ID: a duplicate at worst, never silence."""
    HOLD = "hold"
    """Leave it `unknown` for a person: silence at worst, never a duplicate."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    result: Result
    reason: str
    """A stable word for programs, such as `recipient_refused`."""
    detail: str = ""
    """What the server said, for people; without addresses."""
    queue_id: str | None = None
    """What the server calls the message it accepted."""
    tries: int | None = None
    """How many attempts in all are worth it where it says `POSTPONED`; None for as many as time allows."""
    wait: timedelta | None = None
    """How long the server asked us to wait, or the least that makes sense."""
    closes: Why | None = None
    """Why the address is to be left alone from now on."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a delivery goes from `sending`."""

    state: State
    reason: str | None
    next_attempt_at: datetime | None
    burnt: bool


_FINAL: Final = {
    Result.ACCEPTED: (State.SENT, True),
    Result.REFUSED: (State.FAILED_PERMANENT, True),
    Result.EXPIRED: (State.FAILED_EXPIRED, False),
    Result.WITHHELD: (State.CANCELED, False),
}
"""The state, and whether an attempt was burnt."""


def after_attempt(
    outcome: Outcome, *, attempts: int, at: datetime, expires_at: datetime, doubt: Doubt, spread: float = 0.0
) -> Step:
    """The state that follows; `attempts` counts this one, `spread` in [0, 1) is the luck of the jitter."""
    match outcome.result:
        case Result.NOT_HANDED_OVER:
            return Step(State.QUEUED, outcome.reason, at, burnt=False)
        case Result.AMBIGUOUS if doubt is Doubt.HOLD:
            return Step(State.UNKNOWN, outcome.reason, None, burnt=True)
        case Result.POSTPONED if outcome.tries is not None and attempts >= outcome.tries:
            return Step(State.FAILED_PERMANENT, outcome.reason, None, burnt=True)
        case Result.AMBIGUOUS | Result.POSTPONED:
            return _again(outcome, attempts, at, expires_at, spread)
        case final:
            state, burnt = _FINAL[final]
            return Step(state, None if state is State.SENT else outcome.reason, None, burnt=burnt)


def pause_after(attempts: int, spread: float = 0.0) -> timedelta:
    """How long to wait after the given number of attempts."""
    longest = len(PAUSES) - 1
    return PAUSES[min(max(attempts, 1) - 1, longest)] * (1 + JITTER * spread)


def _again(outcome: Outcome, attempts: int, at: datetime, expires_at: datetime, spread: float) -> Step:
    next_attempt_at = at + max(pause_after(attempts, spread), outcome.wait or timedelta(0))
    if next_attempt_at >= expires_at:
        return Step(State.FAILED_EXPIRED, outcome.reason, None, burnt=True)
    return Step(State.RETRY_WAIT, outcome.reason, next_attempt_at, burnt=True)


def crash_outcome() -> Outcome:
    """What is known of a delivery whose worker never came back: that it may have been sent."""
    return Outcome(Result.AMBIGUOUS, "worker_lost", "the process that was sending it ended without a word")


def withheld(decision: Beginning) -> tuple[Outcome, Step]:
    """A claimed delivery that is not sent: not any more, or not before its quiet hours are over."""
    outcome = Outcome(Result.WITHHELD, decision.reason or str(decision.state))
    return outcome, Step(decision.state, decision.reason, decision.not_before, burnt=False)


def expired() -> Outcome:
    """What becomes of a delivery that was claimed too late to be worth sending."""
    return Outcome(Result.EXPIRED, "expired", "it was not sent before it expired")
