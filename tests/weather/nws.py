"""Answers of api.weather.gov with defaults, so that a test states only what matters to it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.weather.domain.incidents import Change, Incident
from services.weather.domain.official import Circumstances, Place, Reduction, reduce_alerts
from services.weather.domain.polls import Poll, read_poll
from shared.identity import derived_id

NOON = datetime(2026, 7, 15, 12, tzinfo=UTC)
SIX = datetime(2026, 7, 15, 18, tzinfo=UTC)
ZONE = "NYZ052"


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def vtec(
    action: str = "NEW",
    event: str = "KALY.TO.W.0012",
    *,
    begins: str = "260715T1200Z",
    ends: str = "260715T1800Z",
    kind: str = "O",
) -> str:
    return f"/{kind}.{action}.{event}.{begins}-{ends}/"


def feature(
    *,
    event: str = "Tornado Warning",
    code: str | None = None,
    sent: datetime = NOON,
    identity: str | None = None,
    zones: Iterable[str] = (ZONE,),
    expires: datetime | None = None,
    ends: datetime | None = SIX,
    parameters: dict[str, Any] | None = None,
    geometry: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """One message; by default a tornado warning for one zone, sent at noon, over at six."""
    found = {"VTEC": [code if code is not None else vtec()]} if code != "" else {}
    properties: dict[str, Any] = {
        "id": identity or f"urn:oid:{code}:{sent.isoformat()}",
        "event": event,
        "sent": sent.isoformat(),
        "effective": sent.isoformat(),
        "onset": sent.isoformat(),
        "expires": (expires or NOON + hours(5)).isoformat(),
        "ends": ends.isoformat() if ends else None,
        "status": "Actual",
        "messageType": "Alert",
        "severity": "Extreme",
        "urgency": "Immediate",
        "response": "Shelter",
        "headline": f"{event} until later",
        "description": "It is dangerous.",
        "instruction": "Go inside.",
        "senderName": "NWS Albany NY",
        "affectedZones": [f"https://api.weather.gov/zones/forecast/{zone}" for zone in zones],
        "geocode": {"UGC": list(zones)},
        "references": [],
        "parameters": found | (parameters or {}),
    }
    return {"type": "Feature", "geometry": geometry, "properties": properties | changes}


def answer(*features: dict[str, Any], updated: datetime | None = NOON) -> dict[str, Any]:
    """An answer of /alerts/active."""
    found: dict[str, Any] = {"type": "FeatureCollection", "features": list(features)}
    return found | ({"updated": updated.isoformat()} if updated else {})


class Home:
    """A property, and what it was told of, answer by answer."""

    def __init__(self, *, place: Place | None = None, cold: bool = False) -> None:
        self.place = place or Place()
        self.cold = cold
        self.incidents: dict[Any, Incident] = {}
        self.last: Reduction | None = None

    def hears(
        self, *features: dict[str, Any], at: datetime = NOON, updated: datetime | None = None
    ) -> list[str]:
        """Take an answer that is as fresh as can be, or as old as `updated`; what was said, in words."""
        return self.takes(read_poll(answer(*features, updated=updated or at)), at)

    def takes(self, poll: Poll, at: datetime) -> list[str]:
        circumstances = Circumstances(now=at, identify=derived_id, cold=self.cold)
        self.last = reduce_alerts(self.incidents.values(), poll, self.place, circumstances)
        self.incidents |= {item.id: item for item in self.last.ledger.touched}
        self.cold = False
        return [words(change) for change in self.last.ledger.changes]

    @property
    def changes(self) -> list[Change]:
        """What was said of the last answer."""
        return self.last.ledger.changes if self.last else []

    @property
    def ignored(self) -> list[str]:
        """Why messages of the last answer were ignored."""
        return [why for _, why in self.last.ignored] if self.last else []

    @property
    def open(self) -> list[Incident]:
        """What lasts."""
        return [item for item in self.incidents.values() if item.is_open]


def words(change: Change) -> str:
    """A change in a line: `cleared Tornado Watch watch cancelled`, with `quietly` where nobody is told."""
    found = [change.kind.value, change.incident.event, change.incident.level.word]
    if change.incident.reason:
        found.append(change.incident.reason.value)
    found += change.changes
    return " ".join(found + (["quietly"] if change.quiet else []))
