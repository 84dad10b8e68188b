"""Open-Meteo's forecast as samples. An array of nulls is missing data, not calm weather."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.weather.domain.nws_data import NotReadable
from services.weather.domain.observations import Sample
from services.weather.domain.units import UnknownUnit, to_si

VARIABLES: Final = (
    "temperature_2m",
    "relative_humidity_2m",
    "precipitation",
    "precipitation_probability",
    "weather_code",
    "wind_speed_10m",
    "wind_gusts_10m",
    "cape",
)
"""At most ten: more would count as several requests (pricing page)."""

_FIELDS: Final = {
    "temperature_2m": "temperature",
    "relative_humidity_2m": "humidity",
    "precipitation": "precipitation",
    "precipitation_probability": "probability",
    "wind_speed_10m": "wind",
    "wind_gusts_10m": "gust",
    "cape": "cape",
}


def read_forecast(document: object) -> list[Sample]:
    """The present and the coming hours; empty where every value is null. Raises `NotReadable`."""
    if not isinstance(document, Mapping) or not isinstance(document.get("hourly"), Mapping):
        raise NotReadable("the answer is no forecast")
    offset = timedelta(seconds=int(document.get("utc_offset_seconds") or 0))
    hourly = document["hourly"]
    times = hourly.get("time")
    if not isinstance(times, list):
        raise NotReadable("the forecast has no times")
    units = document.get("hourly_units") or {}
    rows = [
        ({name: _at(hourly.get(name), number) for name in (*_FIELDS, "weather_code")}, time)
        for number, time in enumerate(times)
    ]
    samples = [_sample(row, units, _moment(time, offset), timedelta(hours=1)) for row, time in rows]
    current = document.get("current")
    if isinstance(current, Mapping) and current.get("time") is not None:
        at = _moment(current["time"], offset)
        length = timedelta(seconds=int(current.get("interval") or 900))
        samples.insert(0, _sample(current, document.get("current_units") or {}, at, length, observed=True))
    return [sample for sample in samples if not sample.is_empty]


def _at(values: object, number: int) -> object:
    return values[number] if isinstance(values, list) and number < len(values) else None


def _moment(value: object, offset: timedelta) -> datetime:
    """Unix time, or local time without an offset, which the document names once."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=UTC) - offset
    except ValueError as error:
        raise NotReadable(f"{value!r} is no time") from error


def _sample(
    row: Mapping[str, Any],
    units: Mapping[str, Any],
    at: datetime,
    length: timedelta,
    *,
    observed: bool = False,
) -> Sample:
    values = {field: _si(row.get(name), str(units.get(name, ""))) for name, field in _FIELDS.items()}
    code = row.get("weather_code")
    return Sample(
        starts_at=at,
        ends_at=at + length,
        observed=observed,
        temperature=values["temperature"],
        humidity=values["humidity"],
        wind=values["wind"],
        gust=values["gust"],
        precipitation=values["precipitation"],
        probability=values["probability"],
        cape=values["cape"],
        code=float(code) if isinstance(code, int | float) else None,
    )


def _si(value: object, unit: str) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return to_si(float(value), unit)
    except UnknownUnit as error:
        raise NotReadable(str(error)) from error
