"""What providers measure and forecast: units, gaps, and what cannot be true."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.weather.domain.nws_data import NotReadable, read_grid, read_observation
from services.weather.domain.observations import (
    Sample,
    is_doubtful,
    plausible,
    usable,
    without_doubtful_wind,
)
from services.weather.domain.open_meteo import read_forecast
from services.weather.domain.units import UnknownUnit, to_si
from tests.weather.nws import NOON, hours

GRID_TIME = datetime(2026, 7, 15, 20, 8, 48, tzinfo=UTC)


def sample(**values: Any) -> Sample:
    return Sample(**{"starts_at": NOON, "ends_at": NOON + hours(1)} | values)


@pytest.mark.shared_data
def test_the_recorded_grid_is_read_hour_by_hour_in_si(recorded: Callable[[str], Any]) -> None:
    samples = read_grid(recorded("nws_gridpoint_raw_ALY_71_67_heat_july2026"), GRID_TIME)

    assert [item.starts_at.hour for item in samples[:3]] == [20, 21, 22]
    assert len(samples) == 25
    assert all(item.temperature is not None and 10 < item.temperature < 40 for item in samples)
    assert all(item.wind is not None and item.gust is not None and item.gust < 30 for item in samples)


@pytest.mark.shared_data
def test_a_grid_that_a_cache_kept_for_days_is_refused(recorded: Callable[[str], Any]) -> None:
    with pytest.raises(NotReadable, match="is of 2026-07-15"):
        read_grid(recorded("nws_gridpoint_raw_ALY_71_67_heat_july2026"), GRID_TIME + hours(88))


@pytest.mark.shared_data
def test_the_recorded_observation_is_read_with_its_gaps(recorded: Callable[[str], Any]) -> None:
    found = read_observation(recorded("nws_station_observation_latest"))

    assert found is not None
    assert (found.temperature, found.gust) == (22.8, None)
    assert found.wind == pytest.approx(2.1)


@pytest.mark.shared_data
def test_fahrenheit_and_mp_h_become_si(recorded: Callable[[str], Any]) -> None:
    samples = read_forecast(recorded("openmeteo_forecast_toronto_current_hourly_daily_us_units"))

    now = samples[0]
    assert (now.observed, now.starts_at) == (True, datetime(2026, 3, 6, 2, tzinfo=UTC))
    assert now.temperature == pytest.approx(0.333, abs=0.001)
    assert now.gust == pytest.approx(14.886, abs=0.001)


def test_arrays_full_of_null_are_missing_data_and_not_calm_weather() -> None:
    times = [1_784_116_800 + 3600 * number for number in range(3)]
    document = {
        "hourly": {"time": times, "temperature_2m": [None] * 3, "wind_speed_10m": [None] * 3},
        "hourly_units": {"temperature_2m": "°C", "wind_speed_10m": "m/s"},
    }

    assert read_forecast(document) == []


def test_gusts_may_be_missing() -> None:
    document = {
        "hourly": {"time": [1_784_116_800], "temperature_2m": [40.0], "wind_speed_10m": [5.0]},
        "hourly_units": {"temperature_2m": "°C", "wind_speed_10m": "m/s"},
    }

    assert read_forecast(document)[0].gust is None


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name", ["openmeteo_error_429_minutely", "openmeteo_multi_location_hourly_12_cities"]
)
def test_what_is_no_forecast_of_one_place_is_refused(name: str, recorded: Callable[[str], Any]) -> None:
    with pytest.raises(NotReadable):
        read_forecast(recorded(name))


def test_unix_time_is_utc_and_local_time_is_moved_by_its_offset_also_in_the_night_the_clock_changes() -> None:
    # 01:30 comes twice in New York on 1 November 2026; Unix time says which one is meant.
    first, second = 1_793_511_000, 1_793_514_600
    document = {"utc_offset_seconds": -14_400, "hourly_units": {"temperature_2m": "°C"}}
    unix = {"hourly": {"time": [first, second], "temperature_2m": [1.0, 2.0]}}
    local = {"hourly": {"time": ["2026-11-01T01:30"], "temperature_2m": [1.0]}}

    found = read_forecast(document | unix)

    assert [item.starts_at.hour for item in found] == [5, 6]
    assert read_forecast(document | local)[0].starts_at == found[0].starts_at


@pytest.mark.parametrize(
    ("value", "unit", "si"),
    [
        (50, "mp/h", 22.352),
        (50, "mph", 22.352),
        (36, "km/h", 10),
        (36, "wmoUnit:km_h-1", 10),
        (10, "wmoUnit:m_s-1", 10),
        (32, "°F", 0),
        (20, "wmoUnit:degC", 20),
        (1, "inch", 25.4),
        (10, "kn", 5.1444),
    ],
)
def test_units_become_si(value: float, unit: str, si: float) -> None:
    assert to_si(value, unit) == pytest.approx(si, abs=0.001)


def test_a_unit_nobody_knows_is_not_guessed_at() -> None:
    with pytest.raises(UnknownUnit, match="furlong"):
        to_si(3, "furlong")
    document = {
        "hourly": {"time": [0], "temperature_2m": [3.0]},
        "hourly_units": {"temperature_2m": "furlong"},
    }
    with pytest.raises(NotReadable, match="furlong"):
        read_forecast(document)


def test_a_gust_is_never_weaker_than_its_wind() -> None:
    assert plausible(sample(wind=20.0, gust=12.0)).gust == 20.0


@given(wind=some.floats(0, 300), gust=some.floats(0, 300))
def test_impossible_winds_are_unknown(wind: float, gust: float) -> None:
    found = plausible(sample(wind=wind, gust=gust))

    assert found.wind is None or found.wind <= 110
    assert found.gust is None or (found.gust <= 110 and (found.wind is None or found.gust >= found.wind))


def test_winds_beyond_belief_wait_for_a_second_answer() -> None:
    wild = [sample(temperature=20.0, wind=15.0, gust=75.0)]

    assert is_doubtful(wild)
    assert without_doubtful_wind(wild)[0].gust is None
    assert without_doubtful_wind(wild)[0].wind == 15.0


def test_snow_in_warm_air_is_no_snow() -> None:
    assert plausible(sample(temperature=20.6, code=75)).code is None
    assert plausible(sample(temperature=-3.0, code=75)).code == 75


def test_an_observation_of_three_hours_ago_and_a_forecast_of_the_day_after_tomorrow_do_not_count() -> None:
    old = sample(starts_at=NOON - hours(3), ends_at=NOON - hours(2), observed=True, temperature=40.0)
    far = sample(starts_at=NOON + hours(40), ends_at=NOON + hours(41), temperature=40.0)
    late = sample(starts_at=NOON - hours(1.5), ends_at=NOON - hours(0.5), observed=True, temperature=39.0)
    past = sample(starts_at=NOON - hours(2), ends_at=NOON - hours(1), temperature=38.0)

    assert [item.temperature for item in usable([old, far, late, past], NOON)] == [39.0]


def test_an_interval_of_the_grid_may_be_days_long_and_a_strange_one_is_refused() -> None:
    def grid(interval: str) -> dict[str, Any]:
        layer = {"uom": "wmoUnit:degC", "values": [{"validTime": interval, "value": 40}]}
        return {"properties": {"updateTime": NOON.isoformat(), "temperature": layer}}

    assert len(read_grid(grid("2026-07-15T10:00:00+00:00/P7DT13H"), NOON)) == 25
    assert len(read_grid(grid("2026-07-15T10:00:00+00:00/PT3H"), NOON)) == 1
    with pytest.raises(NotReadable):
        read_grid(grid("2026-07-15T10:00:00+00:00/tomorrow"), NOON)


@pytest.mark.parametrize("document", [None, [], {}, {"properties": {}}, "<html>"])
def test_what_is_neither_grid_nor_observation_is_refused(document: object) -> None:
    with pytest.raises(NotReadable):
        read_grid(document, NOON)
    with pytest.raises(NotReadable):
        read_observation(document)
    with pytest.raises(NotReadable):
        read_forecast(document)


def test_an_observation_full_of_null_says_nothing() -> None:
    empty = {
        "properties": {
            "timestamp": NOON.isoformat(),
            "temperature": {"unitCode": "wmoUnit:degC", "value": None},
        }
    }

    assert read_observation(empty) is None
