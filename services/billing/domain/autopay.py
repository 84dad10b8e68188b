"""Charging by itself: what a gateway may answer, and what becomes of a charge then.

A charge moves like this; money that arrived after all always wins over what we had thought:

    planned -> claimed -> succeeded | processing | failed | unknown | planned (nothing happened) | dropped
    unknown -> whatever a look-up says, or planned again where the gateway knows nothing of it
    processing -> succeeded | failed
    failed, dropped -> succeeded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a charge stands."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    """A worker is calling the gateway, or died while it was."""
    PROCESSING = "processing"
    """The gateway has it; a bank takes days to say yes or no."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Nobody knows whether money moved; the gateway is asked before anything else is done."""
    DROPPED = "dropped"
    """Not needed any more when its turn came."""


UNDER_WAY: Final = frozenset({State.PLANNED, State.CLAIMED, State.PROCESSING, State.UNKNOWN})
"""While a charge is here, its invoice gets no other."""

_BEFORE: Final = {
    State.PLANNED: frozenset({State.CLAIMED, State.UNKNOWN}),
    State.CLAIMED: frozenset({State.PLANNED}),
    State.PROCESSING: frozenset({State.PLANNED, State.CLAIMED, State.UNKNOWN, State.PROCESSING}),
    State.SUCCEEDED: frozenset(State) - {State.SUCCEEDED},
    State.FAILED: UNDER_WAY,
    State.UNKNOWN: frozenset({State.CLAIMED, State.UNKNOWN}),
    State.DROPPED: frozenset({State.PLANNED, State.CLAIMED}),
}


def states_before(state: State) -> list[State]:
    """The states from which a charge may go to this one."""
    return sorted(_BEFORE[state])


class Result(StrEnum):
    """What came of asking a gateway."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    DECLINED = "declined"
    NOT_MADE = "not_made"
    """It was not reached, or had no time for us: nothing has happened, and it may be asked again."""
    REFUSED_US = "refused_us"
    """Our key or our account is at fault: somebody must change a setting."""
    UNKNOWN = "unknown"
    """It may have happened."""


class Failure(StrEnum):
    """Why money was declined, as far as it matters here; never a bank's own words."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    DECLINED = "declined"
    TEMPORARY = "temporarily_unavailable"
    METHOD_INVALID = "payment_method_invalid"
    AUTHENTICATION_REQUIRED = "authentication_required"
    SUSPECTED_FRAUD = "suspected_fraud"
    CONSENT_REVOKED = "consent_revoked"
    REJECTED = "rejected"
    """The gateway found the request itself wrong."""


WORTH_ANOTHER_TRY: Final = frozenset({Failure.INSUFFICIENT_FUNDS, Failure.DECLINED, Failure.TEMPORARY})
"""The others fail again until a person does something; card networks fine those who insist."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway said, in our words."""

    result: Result
    reference: str | None = None
    """The gateway's own id of what it made."""
    amount_cents: int | None = None
    made_at: datetime | None = None
    """The gateway's own time of it: whoever tells us of it first, it is the same."""
    failure: Failure | None = None
    detail: str = ""
    """Codes for the log; nothing personal."""
    wait: timedelta | None = None
    """How long it wants to be left alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a charge goes now."""

    state: State
    failure: Failure | None = None
    retry_on: date | None = None
    """When another attempt is made; None: no more."""
    next_try_at: datetime | None = None
    """When the gateway is called, or asked, again."""


PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 480, 1_800, 3_600))
"""Before a gateway that was not reached is called again."""

LOOKS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
"""Before a gateway is asked what became of a charge. The first is longer than a request may live."""

PROCESSING_LOOK: Final = timedelta(hours=6)
"""A webhook tells of it sooner; this is for the one that was lost."""


def retry_date(failure: Failure, *, on: date, declined: int, retry_days: Sequence[int]) -> date | None:
    """When to try again after the `declined`-th decline of one invoice; None where it is no use."""
    if failure not in WORTH_ANOTHER_TRY or declined > len(retry_days):
        return None
    return on + timedelta(days=retry_days[declined - 1])


def after_answer(
    answer: Answer, *, tries: int, at: datetime, on: date, declined: int, retry_days: Sequence[int]
) -> Step:
    """What becomes of a charge that was asked for; `tries` counts the askings before this one.

    `declined` counts the declines of its invoice, this one included.
    """
    match answer.result:
        case Result.SUCCEEDED:
            return Step(State.SUCCEEDED)
        case Result.PROCESSING:
            return Step(State.PROCESSING, next_try_at=at + PROCESSING_LOOK)
        case Result.DECLINED:
            failure = answer.failure or Failure.DECLINED
            again = retry_date(failure, on=on, declined=declined, retry_days=retry_days)
            return Step(State.FAILED, failure, retry_on=again)
        case Result.UNKNOWN:
            return Step(State.UNKNOWN, next_try_at=at + _nth(LOOKS, tries))
        case Result.NOT_MADE | Result.REFUSED_US:
            pause = _nth(PAUSES, tries)
            return Step(State.PLANNED, next_try_at=at + max(pause, answer.wait or pause))


def after_look_up(state: State, answer: Answer | None, *, tries: int, at: datetime) -> Step | None:
    """Where a look-up leaves a charge; None where its answer counts like any other.

    A charge in doubt that its gateway knows nothing of is called again, under the same key. One that a bank
    is said to have is not: it stays, and is asked about later.
    """
    if state is State.UNKNOWN and answer is None:
        return Step(State.PLANNED, next_try_at=at)
    if answer is None or answer.result is Result.UNKNOWN:
        return not_asked(state, tries=tries, at=at)
    return None


def not_asked(state: State, *, tries: int, at: datetime) -> Step:
    """The gateway could not even be asked: what the charge was, it stays."""
    pause = PROCESSING_LOOK if state is State.PROCESSING else _nth(LOOKS, tries)
    return Step(state, next_try_at=at + pause)


def _nth(pauses: Sequence[timedelta], tries: int) -> timedelta:
    return pauses[min(tries, len(pauses) - 1)]
