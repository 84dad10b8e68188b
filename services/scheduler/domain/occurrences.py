"""One time that came: what was announced, who answered, and what that makes of it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

Origin = Literal["schedule", "catch_up", "manual", "backfill"]
State = Literal[
    "queued",
    "waiting",
    "succeeded",
    "succeeded_late",
    "partial",
    "failed",
    "timed_out",
    "missed",
    "skipped",
]
"""queued -> waiting -> succeeded | partial | failed, as its consumers answer; or timed_out, and then what
they answer late. missed and skipped never were announced."""

ReportState = Literal["succeeded", "partial", "failed"]

UNNAMED: Final = "auto:"
"""How the idempotency key of a run begins that nobody gave a key."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one consumer did with an occurrence."""

    consumer: str
    state: ReportState
    finished_at: datetime
    counts: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """The counts of each kind of thing, where the work was on several."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One announcement of a trigger, by a schedule or by a person."""

    id: UUID
    schedule_key: str
    trigger: str
    zone: str
    scheduled_for: datetime
    """The nominal instant; the trigger carries it as `as_of`."""
    origin: Origin
    created_at: datetime
    state: State = "waiting"
    reason: str | None = None
    schedule_id: UUID | None = None
    """None for a trigger without a schedule."""
    spec_version: int = 0
    seq: str = ""
    """The idempotency key of whoever asked for it."""
    payload: dict[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    coalesced: int = 1
    """For how many due instants it stands."""
    coalesced_from: datetime | None = None
    dry_run: bool = False
    requested_by: str | None = None
    deadline_at: datetime | None = None
    """When a run without an outcome is given up."""
    start_by: datetime | None = None
    """By when some consumer has to have begun."""
    started_at: datetime | None = None
    """When the first consumer said that it had begun, or was done."""
    unstarted: bool = False
    """Nobody had begun in time."""
    announced_at: datetime | None = None
    undelivered: str | None = None
    """Why the broker did not take its trigger; None where it has, or nobody has tried yet."""
    finished_at: datetime | None = None
    reports: tuple[Report, ...] = ()

    @property
    def since(self) -> datetime:
        """When it was announced; of what never was, when it was kept."""
        return self.announced_at or self.created_at

    @property
    def settled(self) -> bool:
        """Whether it is known what came of it."""
        return self.state not in {"queued", "waiting"}

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The expected consumers nothing was heard of."""
        return tuple(sorted(set(self.expected) - {report.consumer for report in self.reports}))


def outcome_of(occurrence: Occurrence) -> tuple[State, datetime | None]:
    """What its reports make of an occurrence that may have been given up before they came.

    Late is what ended after the deadline; a report that merely arrived late is in time.
    """
    state, ended = settle(occurrence.expected, occurrence.reports)
    if ended is None:
        return occurrence.state, occurrence.finished_at
    late = occurrence.deadline_at is not None and ended > occurrence.deadline_at
    return ("succeeded_late" if late and state == "succeeded" else state), ended


def settle(expected: Collection[str], reports: Collection[Report]) -> tuple[State, datetime | None]:
    """What the reports so far make of an occurrence, and when it ended.

    One failure is final without the others, so that a consumer that is down cannot hide it; anything
    else waits for every expected consumer. The order in which reports arrived has no influence.
    """
    if not reports:
        return "waiting", None
    ended = max(report.finished_at for report in reports)
    if any(report.state == "failed" for report in reports):
        return "failed", ended
    if set(expected) - {report.consumer for report in reports}:
        return "waiting", None
    flawed = any(report.state == "partial" or report.counts.get("failed", 0) > 0 for report in reports)
    return ("partial" if flawed else "succeeded"), ended
