"""What is said of an incident, as the contracts have it."""

from typing import Any
from uuid import UUID

from services.weather.domain.incidents import Change, Incident, Kind
from services.weather.domain.observations import Metric
from services.weather.domain.thresholds import shown
from services.weather.store.places import Property
from shared.contracts.weather import (
    WeatherAlertCleared,
    WeatherAlertFact,
    WeatherAlertRaised,
    WeatherAlertUpdated,
)
from shared.identity import derived_id
from shared.messaging.transaction import Tx


def fact_of(change: Change, place: Property, tx: Tx, *, stale: bool = False) -> WeatherAlertFact:
    """The fact that a change is."""
    incident = change.incident
    about = {
        "incident_id": incident.id,
        "property_id": place.property_id,
        "dedup_key": incident.key,
        "revision": incident.revision,
        "occurred_at": tx.at,
        "category": incident.category.value,
        "level": incident.level.word,
        "source": incident.source,
        "official": incident.official,
        "event_name": incident.event,
        "onset_at": incident.onset_at,
        "ends_at": incident.ends_at,
        "time_zone": place.time_zone,
        "replaces": change.replaces,
        "quiet": change.quiet,
        "stale": stale,
    }
    about |= _words(incident) | _measured(incident)
    if change.kind is Kind.CLEARED:
        reason = incident.reason.value if incident.reason else None
        return WeatherAlertCleared.model_validate(about | {"reason": reason, "opened_at": incident.opened_at})
    if change.kind is Kind.UPDATED:
        previous = change.previous_level.word if change.previous_level else None
        return WeatherAlertUpdated.model_validate(
            about | {"changes": change.changes, "previous_level": previous}
        )
    return WeatherAlertRaised.model_validate(about)


def fact_id(change: Change) -> UUID:
    """Said twice, it is the same message."""
    return derived_id("weather", change.incident.id, change.kind.value, change.incident.revision)


def _words(incident: Incident) -> dict[str, Any]:
    words = incident.words
    return {
        "headline": words.headline or incident.event,
        "summary": words.summary or incident.event,
        "description": words.description,
        "instruction": words.instruction,
        "language": words.language,
        "attribution": words.attribution,
    }


def _measured(incident: Incident) -> dict[str, Any]:
    if incident.measured is None:
        return {}
    metric = Metric(incident.measured.metric)
    value, unit = shown(metric, incident.measured.value)
    threshold, _ = shown(metric, incident.measured.threshold)
    return {"metric": metric.value, "observed_value": value, "threshold": threshold, "unit": unit}
