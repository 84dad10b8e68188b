"""What an operator has to know of, from what is wrong to when that is over."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal[
    "not_published",
    "held_back",
    "unroutable",
    "not_started",
    "overdue",
    "failed",
    "failure_streak",
    "silent",
    "zero_effect",
    "slow",
    "never_fires",
    "tzdata_changed",
    "scheduler_stalled",
    "clock_skew",
    "outbox_lag",
    "outbox_unroutable",
    "dead_letters",
    "service_silent",
    "replicas_lost",
    "queue_deaf",
    "queue_behind",
]
"""What can be wrong; `IN_WORDS` says what each means."""

IN_WORDS: dict[Kind, str] = {
    "not_published": "is due and was not announced",
    "held_back": "cannot be announced and is held back",
    "unroutable": "was announced, and no queue takes it",
    "not_started": "was announced, and nobody takes it from its queue",
    "overdue": "has no outcome in time",
    "failed": "failed the last time",
    "failure_streak": "failed several times in a row",
    "silent": "has not succeeded for several of its periods",
    "zero_effect": "did nothing, where it always had something to do",
    "slow": "took three times as long as it ever takes",
    "never_fires": "has ended without ever having run",
    "tzdata_changed": "has a next run that its definition does not name",
    "scheduler_stalled": "announces nothing: no process of it runs",
    "clock_skew": "disagrees with its database about what time it is",
    "outbox_lag": "has messages that wait to be published",
    "outbox_unroutable": "has messages to publish that no queue takes",
    "dead_letters": "has messages that could not be handled",
    "service_silent": "says nothing of itself",
    "replicas_lost": "has fewer processes than before",
    "queue_deaf": "has messages in its queues that nobody takes",
    "queue_behind": "does not keep up with its queues",
}

State = Literal["raised", "acknowledged", "resolved"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong right now."""

    kind: Kind
    about: str
    """A schedule's key, or a service."""
    detail: str

    @property
    def name(self) -> tuple[Kind, str]:
        """What makes it the same thing the next time."""
        return self.kind, self.about


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was found wrong, until it is found no more."""

    id: UUID
    kind: Kind
    about: str
    detail: str
    state: State
    raised_at: datetime
    seen_at: datetime
    """When it was found last."""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    resolved_at: datetime | None = None

    @property
    def name(self) -> tuple[Kind, str]:
        """What makes it the same thing the next time; one alert of a name is open at most."""
        return self.kind, self.about


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look makes of the alerts that are open."""

    raised: tuple[Finding, ...]
    seen: tuple[Alert, ...]
    """Still so, with what is to be said of it now."""
    resolved: tuple[Alert, ...]


def compare(
    findings: Iterable[Finding],
    alerts: Iterable[Alert],
    *,
    judged: Collection[Kind],
    unknown: Collection[tuple[Kind, str]] = (),
    now: datetime,
) -> Changes:
    """What is new, what goes on and what is over.

    An alert of a kind that could not be judged this time (a server did not answer), or of which nothing
    is known (a service says nothing), is neither: it stays.
    """
    found = {finding.name: finding for finding in findings}
    known = {alert.name: alert for alert in alerts}
    return Changes(
        raised=tuple(found[name] for name in sorted(found.keys() - known.keys())),
        seen=tuple(
            replace(known[name], detail=found[name].detail, seen_at=now)
            for name in sorted(found.keys() & known.keys())
        ),
        resolved=tuple(
            replace(known[name], state="resolved", resolved_at=now)
            for name in sorted(known.keys() - found.keys())
            if known[name].kind in judged and name not in unknown
        ),
    )
