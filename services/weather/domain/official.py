"""What an answer of `/alerts/active` means for one property: the reducer of official alerts.

The identity of a hazard is its VTEC event, never the id of a message: every update has a new one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.weather.domain.alerts import Alert
from services.weather.domain.classification import Classified, classify
from services.weather.domain.incidents import Incident, Kind, Ledger, Reason, Words
from services.weather.domain.levels import Level
from services.weather.domain.polls import Poll

ABSENT_POLLS: Final = 2
"""After so many healthy answers without it, an alert is gone."""
AFTER_END: Final = timedelta(minutes=15)
"""How long after its end we wait for a late extension."""
INFORMATION_GAP: Final = timedelta(hours=1)
"""How late the next message may be after one went stale while the hazard lasts."""
EARLIER: Final = timedelta(hours=1)
LATER: Final = timedelta(hours=3)
RECENT: Final = timedelta(minutes=10)
OLD: Final = timedelta(hours=1)
"""What was sent longer ago is no news on the very first day of this service."""

Identify = Callable[[str, datetime], UUID]
"""The id of an incident, from its key and when it was opened."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a property is, for alerts that were not asked for by its point; None takes all of an answer."""

    zones: frozenset[str] | None = None
    point: tuple[float, float] | None = None

    def is_in(self, alert: Alert) -> bool:
        """Whether an alert concerns it."""
        return self.zones is None or alert.covers(self.zones, self.point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the reducer has to know beside the answer."""

    now: datetime
    identify: Identify
    cold: bool = False
    """Whether nothing was ever asked before: then old news is kept and not told."""
    also: Collection[str] = ()
    """Phenomena that are warned of although most people would not be."""


@dataclass(slots=True)
class Reduction:
    """What came of one answer for one property."""

    ledger: Ledger
    ignored: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Names of events that no table knows."""


def reduce_alerts(
    incidents: Iterable[Incident], poll: Poll, place: Place, circumstances: Circumstances
) -> Reduction:
    """Work off one answer: what begins, then what ends, then what is no longer there.

    `incidents` are the open ones and those that closed in the last days.
    """
    work = _Work(Reduction(Ledger(incidents)), circumstances, fresh=poll.is_fresh(circumstances.now))
    for bad in poll.unreadable:
        work.ignore(bad.identity, bad.why)
    relevant = [found for alert in _in_order(poll) if place.is_in(alert) and (found := work.judged(alert))]
    ending = {incident.id: alert for alert, _ in relevant if alert.closes and (incident := work.match(alert))}
    for alert, kind in relevant:
        if not alert.closes:
            work.take(alert, kind, ending)
    for alert, _ in relevant:
        if alert.closes:
            work.end(alert)
    work.notice_absence()
    return work.result


def _in_order(poll: Poll) -> list[Alert]:
    return sorted(poll.alerts, key=lambda alert: (alert.sent_at, alert.id))


class _Work:
    """One answer being worked off for one property."""

    def __init__(self, result: Reduction, circumstances: Circumstances, *, fresh: bool) -> None:
        self.result = result
        self._ledger = result.ledger
        self._at = circumstances
        self._fresh = fresh
        self._present: set[UUID] = set()

    def ignore(self, identity: str, why: str) -> None:
        self.result.ignored.append((identity, why))

    def judged(self, alert: Alert) -> tuple[Alert, Classified] | None:
        """An alert with its category, or None, with a note, where it concerns nobody."""
        if alert.status != "Actual":
            self.ignore(alert.id, f"its status is {alert.status}")
        elif alert.vtec is not None and alert.vtec.product_class != "O":
            self.ignore(alert.id, f"its VTEC is of class {alert.vtec.product_class}, not operational")
        elif alert.message_type not in {"Alert", "Update", "Cancel"}:
            self.ignore(alert.id, f"it is a message of type {alert.message_type}")
        else:
            kind = classify(alert.event, alert.vtec, alert.threats, self._at.also)
            if isinstance(kind, Classified):
                return alert, kind
            self.ignore(alert.id, kind.why)
        return None

    def match(self, alert: Alert) -> Incident | None:
        """The open incident that a message is about: of its event, or of a message it refers to."""
        for incident in self._ledger.open:
            if not incident.official:
                continue
            same = incident.key_parts == alert.key_parts
            linked = alert.vtec is None and bool(alert.references & incident.seen)
            if same or linked:
                return incident
        return None

    def take(self, alert: Alert, kind: Classified, ending: Mapping[UUID, Alert]) -> None:
        """A message that a hazard is there: open, update or refresh its incident."""
        if (known := self.match(alert)) is not None:
            self._refresh(known, alert, kind)
        elif alert.ends_at is not None and alert.ends_at <= self._at.now:
            self.ignore(alert.id, f"it was over at {alert.ends_at.isoformat()}")
        elif (why := self._reason_to_stay_closed(alert)) is not None:
            self.ignore(alert.id, why)
        else:
            self._open(alert, kind, ending)

    def _reason_to_stay_closed(self, alert: Alert) -> str | None:
        """A cache may still show what was cancelled; what only vanished from the list may come back."""
        for past in self._ledger.closed:
            linked = alert.vtec is None and (alert.id in past.seen or bool(alert.references & past.seen))
            same = past.key_parts == alert.key_parts or linked
            if not same or past.reason is Reason.DISABLED:
                continue
            if past.reason is Reason.EXPIRED and past.missed >= ABSENT_POLLS:
                return None
            if past.sent_at is not None and alert.sent_at <= past.sent_at:
                return f"it is older than what ended {past.key}"
            return None
        return None

    def _open(self, alert: Alert, kind: Classified, ending: Mapping[UUID, Alert]) -> None:
        opened = _refreshed(self._new(alert, kind), alert, kind)
        self._present.add(opened.id)
        if not kind.known:
            self.result.unknown.append(alert.event)
        replaced = [
            _ended_by(item, ending[item.id])
            for item in self._ledger.open
            if item.id in ending and _related(item, opened)
        ]
        outdone = [item for item in self._ledger.open if self._outdoes(opened, item)]
        quiet = self._is_old_news(alert, kind) or any(item.level > opened.level for item in replaced)
        inherited = any(item.people_told for item in (*replaced, *outdone))
        opened = replace(opened, people_told=inherited)
        ids = tuple(item.id for item in (*replaced, *outdone) if item.told is not None)
        self._settle_replaced(replaced, outdone, opened)
        lower = [
            item
            for item in (*replaced, *self._ledger.open)
            if item.official and item.told and item.level < opened.level and item.family == opened.family
        ]
        changes = (("level",) if lower else ()) + (("source",) if ids and outdone else ())
        told = lower[0].told if lower else None
        self._ledger.say(
            Kind.UPDATED if changes else Kind.RAISED,
            replace(opened, told=told),
            changes=changes,
            replaces=ids,
            quiet=quiet,
        )

    def _settle_replaced(
        self, replaced: Iterable[Incident], outdone: Iterable[Incident], by: Incident
    ) -> None:
        for item in outdone:
            self._ledger.keep(replace(item, suppressed_by=by.id, told=None))
        for item in replaced:
            reason = Reason.DOWNGRADED if item.level > by.level else Reason.UPGRADED
            self._ledger.close(replace(item, told=None), reason, self._at.now, superseded_by=by.id)

    def _outdoes(self, opened: Incident, item: Incident) -> bool:
        """Whether an official alert takes the place of what our own thresholds said."""
        own = not item.official and item.category is opened.category
        return own and item.level <= opened.level

    def _is_old_news(self, alert: Alert, kind: Classified) -> bool:
        return self._at.cold and self._at.now - alert.sent_at > OLD and kind.level < Level.WARNING

    def _new(self, alert: Alert, kind: Classified) -> Incident:
        return Incident(
            id=self._at.identify(alert.key, self._at.now),
            key=alert.key,
            key_parts=alert.key_parts,
            category=kind.category,
            level=kind.level,
            family=kind.family,
            source="nws",
            event=alert.event,
            words=Words(),
            opened_at=self._at.now,
            onset_at=alert.onset_at,
            ends_at=alert.ends_at,
        )

    def _refresh(self, known: Incident, alert: Alert, kind: Classified) -> None:
        self._present.add(known.id)
        if known.sent_at is not None and alert.sent_at < known.sent_at:
            self._ledger.keep(replace(known, seen=known.seen | {alert.id}, missed=0))
            return
        now = _refreshed(known, alert, kind)
        changes = tuple(_matters(now))
        if known.told is not None and changes:
            self._ledger.say(Kind.UPDATED, now, changes=changes)
        else:
            self._ledger.keep(now)

    def end(self, alert: Alert) -> None:
        """A message that a hazard is over for the zones it names."""
        known = self.match(alert)
        if known is None:
            # It stays in the list for a while after it did its work.
            if not any(alert.id in past.seen for past in self._ledger.closed):
                self.ignore(alert.id, "it ends nothing that is open here")
        elif known.sent_at is not None and alert.sent_at < known.sent_at:
            self.ignore(alert.id, f"it is older than what is known of {known.key}")
        else:
            ended = _ended_by(known, alert)
            self._ledger.close(ended, self._reason(alert, ended), self._at.now)

    def _reason(self, alert: Alert, ended: Incident) -> Reason:
        near = [
            item
            for item in self._ledger.open
            if item.official and _related(item, ended) and self._at.now - item.opened_at <= RECENT
        ]
        if any(item.level < ended.level for item in near):
            return Reason.DOWNGRADED
        action = alert.vtec.action if alert.vtec else ""
        if near or action == "UPG":
            return Reason.UPGRADED
        return Reason.EXPIRED if action == "EXP" else Reason.CANCELLED

    def notice_absence(self) -> None:
        """End what healthy answers no longer name, and what its own end is well past."""
        if not self._fresh:
            return
        for incident in self._ledger.open:
            if not incident.official:
                continue
            missed = 0 if incident.id in self._present else incident.missed + int(self._is_missed(incident))
            over = incident.ends_at is not None and self._at.now > incident.ends_at + AFTER_END
            if over or missed >= ABSENT_POLLS:
                self._ledger.close(replace(incident, missed=missed), Reason.EXPIRED, self._at.now)
            elif missed != incident.missed:
                self._ledger.keep(replace(incident, missed=missed))

    def _is_missed(self, incident: Incident) -> bool:
        """Whether absence means something: a stale message leaves the list before its hazard ends."""
        if incident.expires_at is None or incident.expires_at > self._at.now:
            return True
        lasts = incident.ends_at is None or incident.ends_at > self._at.now
        return not (lasts and self._at.now <= incident.expires_at + INFORMATION_GAP)


def _ended_by(incident: Incident, alert: Alert) -> Incident:
    """An incident with the message that says it is over: nothing older than that may open it again."""
    return replace(incident, seen=incident.seen | {alert.id}, sent_at=alert.sent_at)


def _related(one: Incident, other: Incident) -> bool:
    return one.id != other.id and one.category is other.category and one.family == other.family


def _refreshed(incident: Incident, alert: Alert, kind: Classified) -> Incident:
    """An incident as its newest message says it."""
    return replace(
        incident,
        level=kind.level,
        event=alert.event,
        words=Words(
            headline=alert.headline,
            summary=alert.summary,
            description=alert.description,
            instruction=alert.instruction,
            language=alert.language,
            attribution=alert.sender or "National Weather Service",
        ),
        onset_at=_onset(incident, alert),
        ends_at=alert.ends_at,
        expires_at=alert.expires_at,
        sent_at=alert.sent_at,
        seen=incident.seen | {alert.id},
        missed=0,
    )


def _onset(incident: Incident, alert: Alert) -> datetime | None:
    """Each update under way says that it begins when it was sent; the first beginning is the true one."""
    begun = incident.onset_at is not None and incident.onset_at <= alert.sent_at
    return incident.onset_at if begun else alert.onset_at


def _matters(incident: Incident) -> Iterable[str]:
    """In what an incident is worse than consumers were told."""
    told = incident.told
    if told is None:
        return
    if incident.level > told.level:
        yield "level"
    if incident.onset_at and told.onset_at and told.onset_at - incident.onset_at >= EARLIER:
        yield "onset"
    until_notice = incident.ends_at is None and told.ends_at is not None
    later = incident.ends_at and told.ends_at and incident.ends_at - told.ends_at >= LATER
    if until_notice or later:
        yield "ends"
