"""One answer of `/alerts/active`, and whether its silence about an alert means anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.weather.domain.alerts import Alert, Unreadable, read_alerts

FRESH: Final = timedelta(minutes=30)
"""An older list may be a cache's: what it names counts, what it lacks does not (weather-gov/api #71)."""


class NotAnAnswer(ValueError):
    """What arrived is no list of alerts: a proxy's page, a problem document, half a body."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one answer said."""

    alerts: tuple[Alert, ...]
    updated_at: datetime | None
    unreadable: tuple[Unreadable, ...] = ()

    def is_fresh(self, now: datetime) -> bool:
        """Whether the list is recent enough for absence to mean something; unknown is not."""
        return self.updated_at is not None and now - self.updated_at <= FRESH


def read_poll(document: object) -> Poll:
    """Read an answer; a feature that cannot be read is kept as such. Raises `NotAnAnswer`."""
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise NotAnAnswer("the answer is no list of alerts")
    alerts: list[Alert] = []
    unreadable: list[Unreadable] = []
    for feature in document["features"]:
        try:
            alerts.extend(read_alerts(feature if isinstance(feature, Mapping) else {}))
        except Unreadable as error:
            unreadable.append(error)
    return Poll(tuple(alerts), _updated(document), tuple(unreadable))


def _updated(document: Mapping[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(document.get("updated")))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
