"""What is wrong with a service, judged from what it reports of itself and from its queues.

Nobody looks into another's database: so a service that says nothing is itself what is wrong.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.domain.alerts import IN_WORDS, Finding, Kind

SCHEDULER: Final = "scheduler"

SILENT_AFTER: Final = timedelta(minutes=3)
"""A service reports once a minute; another process of it speaks up within little more than two."""

MOST_LAG: Final = timedelta(seconds=60)
"""A message that waits longer to be published is late."""

MOST_WAITING: Final = 50_000
"""So many messages wait in no outbox whose relay keeps up."""

DEAF: Final = timedelta(minutes=5)
"""So long a queue may be without a consumer: a restart is shorter, and silence is noticed before."""

BEHIND: Final = timedelta(minutes=30)
"""Nobody keeps up with a queue that has not been empty for so long, though somebody takes from it."""

GROWING: Final = timedelta(minutes=10)
GROWN: Final = 100
"""So many messages more than the fewest there were, and those so long ago: it grows."""

BLIND: Final = timedelta(minutes=2)
"""Of a queue that nobody looked at for so long nothing is known of the time between."""

HIDDEN: Final[frozenset[Kind]] = frozenset(
    {"replicas_lost", "outbox_lag", "outbox_unroutable", "dead_letters", "queue_deaf", "queue_behind"}
)
"""What nothing is known of while a service says nothing."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a service said of itself last."""

    service: str
    said_at: datetime
    processes: int
    lost: int
    outbox: int
    outbox_oldest: timedelta
    unroutable: int
    dead_letters: int
    queues: tuple[str, ...]

    def is_recent(self, now: datetime) -> bool:
        """Whether what it says is still how it is."""
        return now - self.said_at <= SILENT_AFTER


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as the broker has it at this moment."""

    ready: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue, for as long as it is not seen empty."""

    queue: str
    ready: int
    since: datetime
    seen_at: datetime
    lowest: int
    """The fewest that have waited since, and when that was."""
    lowest_at: datetime
    deaf_since: datetime | None = None
    """Since when nobody takes from it."""


def follow(before: Backlog | None, queue: str, state: QueueState, now: datetime) -> Backlog | None:
    """What is known of a queue after one more look; None where nothing waits."""
    if state.ready == 0:
        return None
    deaf_since = now if state.consumers == 0 else None
    if before is None or now - before.seen_at > BLIND:
        return Backlog(queue, state.ready, now, now, state.ready, now, deaf_since)
    changed = replace(before, ready=state.ready, seen_at=now)
    if state.ready <= before.lowest:
        changed = replace(changed, lowest=state.ready, lowest_at=now)
    return replace(changed, deaf_since=deaf_since and (before.deaf_since or now))


_Found = tuple[str, Kind, str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong, and of what nothing can be said: that is neither raised nor over."""

    findings: tuple[Finding, ...] = ()
    unknown: frozenset[tuple[Kind, str]] = frozenset()


def judge_services(reports: Collection[Reported], now: datetime, hearing_since: datetime | None) -> Judgement:
    """What services say of themselves; of the scheduler its own database tells more, and at once.

    `hearing_since` is when the scheduler that is alive was started: what was said before it heard nobody.
    Its own report comes the way of all others. Where it does not even hear itself, its hearing is what is
    wrong, and nothing is known of the others. A silence hides what else was known of a service: that is
    not over because nobody says any more that it goes on.
    """
    own = next((item for item in reports if item.service == SCHEDULER), None)
    others = [item for item in reports if item is not own]
    if own is None or hearing_since is None:
        return Judgement((), _unknown(others) | {("service_silent", item.service) for item in others})
    found, unknown = _hearing(own, now, hearing_since)
    for item in others:
        if own.is_recent(now) and item.is_recent(now):
            found += _troubles(item)
            continue
        unknown |= _unknown([item])
        if _said_nothing(item, own.said_at, hearing_since):
            found.append(_silence(item))
        else:
            unknown |= {("service_silent", item.service)}
    return Judgement(tuple(_findings(found)), unknown)


def _hearing(
    own: Reported, now: datetime, since: datetime
) -> tuple[list[_Found], frozenset[tuple[Kind, str]]]:
    """What the scheduler's own report tells: that it hears, and who of it is gone."""
    if own.is_recent(now):
        return [_lost(own)] if own.lost else [], frozenset()
    silence = [_silence(own)] if _said_nothing(own, now, since) else []
    return silence, frozenset({("replicas_lost", SCHEDULER)})


def _unknown(items: Collection[Reported]) -> frozenset[tuple[Kind, str]]:
    return frozenset((kind, item.service) for item in items for kind in HIDDEN)


def _said_nothing(item: Reported, until: datetime, since: datetime) -> bool:
    return until - max(item.said_at, since) > SILENT_AFTER


def judge_queues(
    reports: Collection[Reported], backlogs: Mapping[str, Backlog], now: datetime
) -> list[Finding]:
    """Which services have messages in their queues that nobody takes, or more than they keep up with."""
    found: list[_Found] = []
    for item in reports:
        waiting = [backlogs[queue] for queue in item.queues if queue in backlogs]
        deaf = [one for one in waiting if one.deaf_since and now - one.deaf_since > DEAF]
        behind = [one for one in waiting if one.deaf_since is None and _is_behind(one, now)]
        found += [(item.service, "queue_deaf", _depths(deaf))] if deaf else []
        found += [(item.service, "queue_behind", _depths(behind))] if behind else []
    return list(_findings(found))


def _findings(found: Collection[_Found]) -> Iterator[Finding]:
    return (Finding(kind, about, f"{IN_WORDS[kind]}: {detail}") for about, kind, detail in found)


def _silence(item: Reported) -> _Found:
    why = "no process of it runs, or it reaches its database or the broker no more"
    return item.service, "service_silent", f"since {item.said_at:%Y-%m-%d %H:%M} UTC; {why}"


def _lost(item: Reported) -> _Found:
    return item.service, "replicas_lost", f"{item.lost} fell silent, {item.processes} are there"


def _troubles(item: Reported) -> Iterator[_Found]:
    if item.lost:
        yield _lost(item)
    if item.outbox_oldest > MOST_LAG or item.outbox > MOST_WAITING:
        oldest = f"the oldest for {item.outbox_oldest.total_seconds():.0f} s"
        yield item.service, "outbox_lag", f"{item.outbox}, {oldest}"
    if item.unroutable:
        yield item.service, "outbox_unroutable", f"{item.unroutable}, see `propman outbox list`"
    if item.dead_letters:
        yield item.service, "dead_letters", f"{item.dead_letters}, see `propman dead-letters list`"


def _is_behind(one: Backlog, now: datetime) -> bool:
    grows = now - one.lowest_at > GROWING and one.ready >= one.lowest + GROWN
    return grows or now - one.since > BEHIND


def _depths(backlogs: Collection[Backlog]) -> str:
    fullest = sorted(backlogs, key=lambda one: (-one.ready, one.queue))
    words = ", ".join(f"{one.ready} in {one.queue}" for one in fullest[:3])
    more = f" and {len(fullest) - 3} queues more" if len(fullest) > 3 else ""
    return f"{words}{more}, since {min(one.since for one in fullest):%Y-%m-%d %H:%M} UTC"
