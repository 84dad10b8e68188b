"""Readings of api.weather.gov as samples: the latest observation of a station, and the raw forecast grid."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from services.weather.domain.observations import HORIZON, Sample
from services.weather.domain.units import UnknownUnit, to_si

OLDEST_GRID: Final = timedelta(hours=24)
"""Offices renew a forecast twice a day at least; an older one is a cache's (weather-gov/api #71)."""

_LAYERS: Final = {
    "temperature": "temperature",
    "relativeHumidity": "humidity",
    "windSpeed": "wind",
    "windGust": "gust",
}
_HOUR: Final = timedelta(hours=1)
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


class NotReadable(ValueError):
    """A body without what it should hold."""


def read_observation(document: object) -> Sample | None:
    """What a station measured last; None where it says neither temperature nor wind. Raises `NotReadable`."""
    found = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(found, Mapping):
        raise NotReadable("the answer is no observation")
    try:
        at = datetime.fromisoformat(str(found["timestamp"]))
    except (KeyError, ValueError) as error:
        raise NotReadable("the observation has no time") from error
    values = {field: _measured(found.get(layer)) for layer, field in _LAYERS.items()}
    sample = _sample(at, values, observed=True)
    return None if sample.is_empty else sample


def _measured(layer: object) -> float | None:
    if not isinstance(layer, Mapping) or layer.get("value") is None:
        return None
    return _si(layer["value"], str(layer.get("unitCode", "")))


def _si(value: object, unit: str) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return to_si(float(value), unit)
    except UnknownUnit as error:
        raise NotReadable(str(error)) from error


def read_grid(document: object, now: datetime) -> list[Sample]:
    """The forecast of the next day, hour by hour; empty where it holds no values. Raises `NotReadable`."""
    found = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(found, Mapping):
        raise NotReadable("the answer is no forecast grid")
    try:
        updated = datetime.fromisoformat(str(found["updateTime"]))
    except (KeyError, ValueError) as error:
        raise NotReadable("the forecast grid has no time") from error
    if now - updated > OLDEST_GRID:
        raise NotReadable(f"the forecast grid is of {updated.isoformat()}")
    hours: dict[datetime, dict[str, float | None]] = {}
    for layer, field in _LAYERS.items():
        for hour, value in _hourly(found.get(layer), now):
            hours.setdefault(hour, {})[field] = value
    return [_sample(hour, hours[hour]) for hour in sorted(hours)]


def _sample(at: datetime, values: Mapping[str, float | None], *, observed: bool = False) -> Sample:
    return Sample(
        starts_at=at,
        ends_at=at + _HOUR,
        observed=observed,
        temperature=values.get("temperature"),
        humidity=values.get("humidity"),
        wind=values.get("wind"),
        gust=values.get("gust"),
    )


def _hourly(layer: object, now: datetime) -> Iterator[tuple[datetime, float]]:
    if not isinstance(layer, Mapping):
        return
    unit = str(layer.get("uom", ""))
    for item in layer.get("values") or ():
        if (value := _si(item.get("value"), unit)) is None:
            continue
        start, end = _interval(str(item["validTime"]))
        hour = max(start, _floor(now))
        while hour < end and hour <= now + HORIZON:
            yield hour, value
            hour += _HOUR


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _interval(text: str) -> tuple[datetime, datetime]:
    """ISO 8601 as the grid writes it: a beginning and a duration, `…+00:00/P1DT6H`."""
    start, _, length = text.partition("/")
    found = _DURATION.fullmatch(length)
    if found is None or not any(found.groups()):
        raise NotReadable(f"{text!r} is no interval")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    try:
        begins = datetime.fromisoformat(start)
    except ValueError as error:
        raise NotReadable(f"{text!r} is no interval") from error
    return begins, begins + timedelta(days=days, hours=hours, minutes=minutes)
