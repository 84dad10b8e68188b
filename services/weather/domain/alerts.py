"""One official message about a hazard, as CAP 1.2 in the GeoJSON of api.weather.gov says it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from services.weather.domain import texts
from services.weather.domain.vtec import BadVtec, Vtec, parse_vtec
from services.weather.domain.zones import Ring, county_of_same, inside

_CALL_SIGN: Final = re.compile(r"[A-Z]{4}")
_WORDS: Final = re.compile(r"\w+")
_THREATS: Final = ("tornadoDamageThreat", "thunderstormDamageThreat", "flashFloodDamageThreat")


_NO_HAZARD: Final = re.compile(r"^\s*/?[TEX]\.|\.(?:CAN|EXP|UPG)\.")
"""What a code that cannot be read as a whole shows of a test, or of an end."""


class Unreadable(ValueError):
    """A message that lacks what every message has."""

    def __init__(self, identity: str, why: str) -> None:
        super().__init__(f"{identity}: {why}")
        self.identity = identity
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message: about one event, for some zones, replacing earlier ones.

    `expires_at` is when the message goes stale, `ends_at` when the hazard is over: never the same thing.
    Without `ends_at` it lasts until further notice.
    """

    id: str
    event: str
    status: str
    message_type: str
    severity: str
    urgency: str
    response: str
    sent_at: datetime
    onset_at: datetime | None
    expires_at: datetime
    ends_at: datetime | None
    zones: frozenset[str]
    rings: tuple[Ring, ...] = ()
    references: frozenset[str] = frozenset()
    vtec: Vtec | None = None
    office: str = ""
    threats: Mapping[str, str]
    headline: str = ""
    summary: str = ""
    description: str = ""
    instruction: str = ""
    language: str = "en"
    sender: str = ""

    @property
    def key_parts(self) -> str:
        """What identifies the hazard across its messages, but for the year of a VTEC."""
        if self.vtec is not None:
            return f"nws:{self.vtec.event}"
        places = sha256(",".join(sorted(self.zones)).encode()).hexdigest()[:12]
        began = (self.onset_at or self.sent_at).date().isoformat()
        event = "-".join(self.event.lower().split())
        return f"nws:{event}:{self.office or 'unknown'}:{places}:{began}"

    @property
    def key(self) -> str:
        """The whole identity. A VTEC under way says no beginning: then the message's own year counts."""
        if self.vtec is None:
            return self.key_parts
        began = self.vtec.begins_at or self.onset_at or self.sent_at
        return f"{self.key_parts}.{began.year}"

    @property
    def closes(self) -> bool:
        """Whether it says that the hazard is over for the zones it names."""
        if self.vtec is not None and self.vtec.ends:
            return True
        past = self.urgency == "Past" and self.response == "AllClear"
        return self.message_type == "Cancel" or past

    def covers(self, zones: frozenset[str], point: tuple[float, float] | None = None) -> bool:
        """Whether it is about a place in these zones; where it has a polygon, that decides for a point."""
        if self.rings and point is not None:
            return any(inside(*point, ring) for ring in self.rings)
        return bool(self.zones & zones)


def read_alerts(feature: Mapping[str, Any]) -> list[Alert]:
    """A feature of an answer as alerts: one for each VTEC it carries, or one without; raises `Unreadable`."""
    properties = feature.get("properties")
    if not isinstance(properties, Mapping):
        raise Unreadable(str(feature.get("id", "?")), "it has no properties")
    identity = str(properties.get("id") or feature.get("id") or "?")
    try:
        plain = _read(identity, properties, feature.get("geometry"))
        codes = [code for text in _parameter(properties, "VTEC") if (code := _code(str(text))) is not None]
    except (BadVtec, KeyError, TypeError, ValueError) as error:
        raise Unreadable(identity, f"it cannot be read ({type(error).__name__}: {error})") from error
    return [_with_vtec(plain, code) for code in codes] or [plain]


def _code(text: str) -> Vtec | None:
    """A VTEC; None for a garbled one of a hazard that is there, which its name can stand for.

    Raises `BadVtec` where it may be a test or an end: nobody is to be warned by those.
    """
    try:
        return parse_vtec(text)
    except BadVtec:
        if _NO_HAZARD.search(text):
            raise
        return None


def _with_vtec(alert: Alert, code: Vtec) -> Alert:
    return replace(alert, vtec=code, office=code.office, ends_at=alert.ends_at or code.ends_at)


def _read(identity: str, found: Mapping[str, Any], geometry: object) -> Alert:
    ending = _moment(found.get("ends")) or _moment(next(iter(_parameter(found, "eventEndingTime")), None))
    headline = texts.plain(next(iter(_parameter(found, "NWSheadline")), None))
    return Alert(
        id=identity,
        event=str(found["event"]),
        status=str(found.get("status") or "Actual"),
        message_type=str(found.get("messageType") or "Alert"),
        severity=str(found.get("severity") or "Unknown"),
        urgency=str(found.get("urgency") or "Unknown"),
        response=str(found.get("response") or "None"),
        sent_at=_required(found["sent"]),
        onset_at=_moment(found.get("onset")) or _moment(found.get("effective")),
        expires_at=_required(found["expires"]),
        ends_at=ending,
        zones=_zones(found),
        rings=tuple(_rings(geometry)),
        references=frozenset(_references(found)),
        office=_office(found),
        threats={tag: str(value) for tag in _THREATS for value in _parameter(found, tag)},
        headline=texts.plain(found.get("headline")) or headline,
        summary=texts.summary(found.get("headline"), headline, str(found["event"])),
        description=texts.description(found.get("description")),
        instruction=texts.description(found.get("instruction")),
        language=str(found.get("language") or "en").split("-")[0],
        sender=texts.plain(found.get("senderName")),
    )


def _parameter(found: Mapping[str, Any], name: str) -> Sequence[Any]:
    parameters = found.get("parameters")
    values = parameters.get(name) if isinstance(parameters, Mapping) else None
    if isinstance(values, str):
        return [values]
    return values if isinstance(values, list) else []


def _required(text: object) -> datetime:
    moment = _moment(text)
    if moment is None:
        raise ValueError("a time is missing")
    return moment


def _moment(text: object) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment


def _zones(found: Mapping[str, Any]) -> frozenset[str]:
    """Every zone it names; by county codes only where it names no zone, as civil messages do."""
    geocode = found.get("geocode")
    codes = geocode if isinstance(geocode, Mapping) else {}
    named = {str(code) for code in codes.get("UGC") or ()}
    named |= {str(address).rsplit("/", maxsplit=1)[-1] for address in found.get("affectedZones") or ()}
    if named:
        return frozenset(named)
    counties = (county_of_same(str(code)) for code in codes.get("SAME") or ())
    return frozenset(county for county in counties if county)


def _references(found: Mapping[str, Any]) -> Iterator[str]:
    for item in found.get("references") or ():
        if isinstance(item, Mapping) and item.get("identifier"):
            yield str(item["identifier"])
    for text in _parameter(found, "expiredReferences"):
        # Each is "sender,identifier,sent", several of them divided by blanks (CAP 1.2, 3.2.1).
        for entry in str(text).split():
            sender_identifier_sent = entry.split(",")
            if len(sender_identifier_sent) == 3:
                yield sender_identifier_sent[1]


def _office(found: Mapping[str, Any]) -> str:
    """The office's call sign, from the WMO header that every product has; else its name."""
    header = str(next(iter(_parameter(found, "WMOidentifier")), "")).split()
    if len(header) >= 2 and _CALL_SIGN.fullmatch(header[1]):
        return header[1]
    return "-".join(_WORDS.findall(texts.plain(found.get("senderName"))))


def _rings(geometry: object) -> Iterator[Ring]:
    coordinates = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    if not isinstance(geometry, Mapping) or not isinstance(coordinates, list):
        return
    if geometry.get("type") == "Polygon":
        yield coordinates[0]
    elif geometry.get("type") == "MultiPolygon":
        yield from (polygon[0] for polygon in coordinates)
