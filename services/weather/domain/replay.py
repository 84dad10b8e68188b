"""Recorded answers through the real rules: why an alert was raised, changed, cleared, or ignored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from services.weather.domain.incidents import Change, Incident, Kind
from services.weather.domain.official import Circumstances, Place, reduce_alerts
from services.weather.domain.polls import Poll

ONE_PLACE = "point"
"""The zone of an answer that was asked for by a point: everything in it concerns that place."""


@dataclass(slots=True)
class Replay:
    """What the recorded answers come to."""

    events: list[dict[str, Any]] = field(default_factory=list)
    open: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, str]] = field(default_factory=list)


def replay(
    polls: Sequence[Poll | None],
    *,
    zone: str | None = None,
    every_zone: bool = False,
    now: datetime | None = None,
) -> Replay:
    """Feed answers in their order; None stands for one that was no answer at all.

    A zone counts as a property. Without `now` it is, at each answer, when that answer was updated; an
    answer that is older than one before it is thereby as stale as it would have been.
    """
    found = Replay()
    known: dict[str, list[Incident]] = {}
    why: dict[tuple[str, str], None] = {}
    clock = now
    for number, poll in enumerate(polls):
        if poll is None:
            continue
        clock = now or max(filter(None, (clock, _moment_of(poll))), default=None)
        if clock is None:
            continue
        for name in _zones(poll, known, zone, every_zone=every_zone):
            place = Place() if name == ONE_PLACE else Place(frozenset({name}))
            at = Circumstances(now=clock, identify=_identify)
            result = reduce_alerts(known.get(name, []), poll, place, at)
            saved = {item.id: item for item in (*known.get(name, []), *result.ledger.touched)}
            known[name] = list(saved.values())
            why |= dict.fromkeys([*result.ignored, *_elsewhere(poll, zone)])
            found.events += [
                _event(number, name, change) for change in result.ledger.changes if _shown(change)
            ]
    found.open = [_standing(name, item) for name in sorted(known) for item in known[name] if item.is_open]
    found.ignored = [{"id": identity, "why": reason} for identity, reason in why]
    return found


def _moment_of(poll: Poll) -> datetime | None:
    return poll.updated_at or max((alert.sent_at for alert in poll.alerts), default=None)


def _zones(poll: Poll, known: Iterable[str], zone: str | None, *, every_zone: bool) -> list[str]:
    if every_zone:
        return sorted({name for alert in poll.alerts for name in alert.zones} | set(known))
    return [zone or ONE_PLACE]


def _elsewhere(poll: Poll, zone: str | None) -> list[tuple[str, str]]:
    """The messages that a chosen zone has nothing to do with."""
    if zone is None:
        return []
    return [(alert.id, f"it does not name {zone}") for alert in poll.alerts if zone not in alert.zones]


def _identify(key: str, opened_at: datetime) -> UUID:
    return uuid5(NAMESPACE_URL, f"{key}|{opened_at.isoformat()}")


def _shown(change: Change) -> bool:
    """A cleared that is no all-clear is bookkeeping, and nobody is told."""
    return change.kind is not Kind.CLEARED or not change.quiet


def _event(number: int, zone: str, change: Change) -> dict[str, Any]:
    incident = change.incident
    event: dict[str, Any] = {
        "poll": number,
        "type": change.kind.value,
        "zone": zone,
        "key": incident.key,
        "category": incident.category.value,
        "level": incident.level.word,
        "event": incident.event,
    }
    if incident.reason is not None:
        event["reason"] = incident.reason.value
    return event


def _standing(zone: str, incident: Incident) -> dict[str, Any]:
    return {
        "zone": zone,
        "key": incident.key,
        "category": incident.category.value,
        "level": incident.level.word,
        "event": incident.event,
        "ends": incident.ends_at.isoformat() if incident.ends_at else None,
    }
