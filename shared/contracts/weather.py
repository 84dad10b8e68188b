"""The facts of weather: a dangerous condition at a property begins, changes and ends.

Texts are the provider's own, as plain text: never markup, never the source of a template.
"""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Fact, Instant
from shared.contracts.cleaning import CleaningStep

Category = Literal["extreme_heat", "extreme_cold", "high_wind", "severe_weather"]
Level = Literal["advisory", "watch", "warning", "emergency"]
"""In rising order. `warning` and `emergency` concern health and safety."""

Check = Literal["alerts", "conditions"]


class WeatherAlertFact(Fact):
    """One incident at one property as it is now; a consumer may take any of the three facts first.

    `quiet` means that nobody is to be told: the fact is for those who only keep count of what is open.
    """

    incident_id: UUID
    property_id: UUID
    dedup_key: str
    """The hazard's own identity at the property, such as `nws:KMOB.TO.A.0641.2025`."""
    revision: int
    """1, 2, 3 … of this incident. A newer one replaces an older one, whatever arrives first."""
    occurred_at: Instant
    category: Category
    level: Level
    source: str
    """nws, open_meteo, or self where our own thresholds found it."""
    official: bool
    event_name: str
    """What the office calls it: Tornado Warning."""
    headline: str = ""
    summary: str = ""
    """One plain line of at most 140 characters, for text messages."""
    description: str = ""
    """Cut to 2,000 characters."""
    instruction: str = ""
    """What to do; empty where the office said nothing."""
    onset_at: Instant | None = None
    ends_at: Instant | None = None
    """When the hazard ends; None until further notice. After this nobody needs to be told of it."""
    time_zone: str = "UTC"
    """The property's, in which people are told times."""
    language: str = "en"
    attribution: str = ""
    """Who has to be named as the source of the text."""
    metric: str | None = None
    """Of a threshold: heat_index, wind_chill, air_temperature, wind or gust."""
    observed_value: float | None = None
    threshold: float | None = None
    unit: str | None = None
    """Of the two values: degF or mph."""
    replaces: tuple[UUID, ...] = ()
    """Incidents that this one takes the place of: they are no longer open, and get no fact of their own."""
    stale: bool = False
    """Whether the provider could not be asked lately, so that this may be out of date."""
    quiet: bool = False


class WeatherAlertRaised(WeatherAlertFact, subject="property_id"):
    """A dangerous condition began, or was first seen, at a property."""


class WeatherAlertUpdated(WeatherAlertFact, subject="property_id"):
    """It matters more than people were told: `changes` says in what."""

    changes: tuple[str, ...] = ()
    """Of: level, onset, ends, source."""
    previous_level: Level | None = None


class WeatherAlertCleared(WeatherAlertFact, subject="property_id"):
    """It is over at this property. An all-clear for people unless `quiet`."""

    reason: Literal[
        "cancelled", "expired", "below_threshold", "upgraded", "downgraded", "superseded", "disabled"
    ]
    opened_at: Instant | None = None


class WeatherDataStale(Fact, subject="location_id"):
    """For hours no provider could say what the weather is at a place; said once per outage.

    Incidents stay as they were: missing data is never an all-clear.
    """

    location_id: UUID
    check: Check
    property_ids: tuple[UUID, ...] = Field(default=())
    stale_since: Instant
    reason: str


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""
