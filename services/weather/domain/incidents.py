"""An incident: one danger at one property, from the first message about it to the all-clear."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.weather.domain.levels import Category, Level


class Reason(Enum):
    """Why an incident ended."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"
    BELOW_THRESHOLD = "below_threshold"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    SUPERSEDED = "superseded"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Words:
    """What people are told of an incident, in the provider's words."""

    headline: str = ""
    summary: str = ""
    description: str = ""
    instruction: str = ""
    language: str = "en"
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a threshold incident was raised by, in SI."""

    metric: str
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Told:
    """What consumers last heard of an incident."""

    level: Level
    onset_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """How an incident stands. Changing one makes another; `seen` are the ids of its messages."""

    id: UUID
    key: str
    key_parts: str
    """The key without the year of a VTEC, by which later messages find an open incident."""
    category: Category
    level: Level
    family: str
    source: str
    event: str
    words: Words
    opened_at: datetime
    onset_at: datetime | None
    ends_at: datetime | None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    seen: frozenset[str] = frozenset()
    measured: Measured | None = None
    missed: int = 0
    """Healthy answers in a row that no longer had it."""
    revision: int = 0
    """How many facts were said of it."""
    told: Told | None = None
    """None while consumers do not count it as open."""
    people_told: bool = False
    """Whether people heard of it: only then is there something to give the all-clear for."""
    suppressed_by: UUID | None = None
    closed_at: datetime | None = None
    reason: Reason | None = None
    superseded_by: UUID | None = None

    @property
    def is_open(self) -> bool:
        """Whether the danger lasts."""
        return self.closed_at is None

    @property
    def official(self) -> bool:
        """Whether an office said so, and not our own thresholds."""
        return self.source == "nws"


class Kind(Enum):
    """What is said of an incident."""

    RAISED = "raised"
    UPDATED = "updated"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact to say; `incident` is how it stands after it."""

    kind: Kind
    incident: Incident
    changes: tuple[str, ...] = ()
    previous_level: Level | None = None
    replaces: tuple[UUID, ...] = ()
    quiet: bool = False


class Ledger:
    """The incidents of one property while one answer is being worked off, and what is to be said."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        """With what was known before."""
        self._incidents = {incident.id: incident for incident in incidents}
        self._before = dict(self._incidents)
        self.changes: list[Change] = []

    @property
    def open(self) -> list[Incident]:
        """What lasts, oldest first."""
        return sorted((item for item in self._incidents.values() if item.is_open), key=_age)

    @property
    def closed(self) -> list[Incident]:
        """What ended lately, the newest first."""
        return sorted((item for item in self._incidents.values() if not item.is_open), key=_age, reverse=True)

    @property
    def touched(self) -> list[Incident]:
        """What is different from before, to be saved."""
        return [item for key, item in self._incidents.items() if self._before.get(key) != item]

    def __getitem__(self, identity: UUID) -> Incident:
        """One incident as it stands."""
        return self._incidents[identity]

    def keep(self, incident: Incident) -> None:
        """Take over how an incident stands, without a word."""
        self._incidents[incident.id] = incident

    def say(
        self,
        kind: Kind,
        incident: Incident,
        *,
        changes: tuple[str, ...] = (),
        replaces: tuple[UUID, ...] = (),
        quiet: bool = False,
    ) -> None:
        """Take over how an incident stands, and say so."""
        previous = incident.told.level if incident.told else None
        told = None if kind is Kind.CLEARED else Told(incident.level, incident.onset_at, incident.ends_at)
        said = replace(
            incident,
            revision=incident.revision + 1,
            told=told,
            people_told=incident.people_told or not quiet,
        )
        self.keep(said)
        self.changes.append(
            Change(
                kind=kind,
                incident=said,
                changes=changes,
                previous_level=previous,
                replaces=replaces,
                quiet=quiet,
            )
        )

    def close(
        self, incident: Incident, reason: Reason, now: datetime, superseded_by: UUID | None = None
    ) -> None:
        """End an incident: an all-clear where people were told and nothing of the kind is still open.

        What another one takes the place of, and what consumers do not count as open, ends without a word.
        """
        ended = replace(incident, closed_at=now, reason=reason, superseded_by=superseded_by)
        self.keep(ended)
        if incident.told is None:
            return
        others = [item for item in self.open if item.category is incident.category]
        over = reason in {Reason.CANCELLED, Reason.EXPIRED, Reason.BELOW_THRESHOLD}
        self.say(Kind.CLEARED, ended, quiet=not over or bool(others) or not incident.people_told)


def _age(incident: Incident) -> tuple[datetime, str]:
    return (incident.closed_at or incident.opened_at, incident.key)
