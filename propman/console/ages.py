"""How long the oldest message of a queue waits: read off what the broker remembers of its comings.

A quorum queue does not say how old its head is, and taking a message to look at it would count as a
delivery. But queues keep order: of so many messages that ever came, the `ready` newest are still there,
so the head came when the count of all that came passed that number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Sample = tuple[float, int]
"""A moment in seconds, and how many messages had come by then."""

SERIES: Final = ((60, 5), (3_600, 60))
"""What a broker keeps by default: seconds back, and seconds between two samples."""


@dataclass(frozen=True, slots=True)
class Age:
    """How long something waits: at most, or more than, so many seconds."""

    seconds: float
    bound: Literal["at_most", "more_than"]


def head_age(came: int, ready: int, samples: Sequence[Sample], now: float, step: float) -> float | None:
    """Seconds since the head came, at most; None where it came before the samples begin.

    `samples` begin with the newest. A sample may be what was counted up to `step` seconds before its moment.
    """
    known = (now - moment + step for moment, count in samples if count <= came - ready)
    return next(known, None)


def samples_of(answer: dict[str, Any]) -> list[Sample]:
    """The comings in an answer of the management API, newest first."""
    details = (answer.get("message_stats") or {}).get("publish_details") or {}
    return [(item["timestamp"] / 1_000, item["sample"]) for item in details.get("samples") or []]


def oldest(answers: Sequence[dict[str, Any]], ready: int, now: float | None = None) -> Age | None:
    """How long the head has waited; None where nobody can say.

    `answers` are what the API says for each of `SERIES`, `now` is the broker's clock as it said it.
    """
    came = int((answers[0].get("message_stats") or {}).get("publish") or 0)
    finest = samples_of(answers[0])
    if came < ready or not finest:
        return None  # the broker was started anew, and forgot what had come before
    now = max(now or 0.0, finest[0][0])
    ages = (
        head_age(came, ready, samples_of(answer), now, step)
        for answer, (_, step) in zip(answers, SERIES, strict=True)
    )
    found = next((age for age in ages if age is not None), None)
    return Age(SERIES[-1][0], "more_than") if found is None else Age(found, "at_most")
