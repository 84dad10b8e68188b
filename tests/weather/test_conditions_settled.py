"""Conditions on the database: thresholds per property, confirmation of wild winds, and what is kept."""

from datetime import datetime
from typing import Any

from services.weather.domain.levels import Level
from services.weather.domain.observations import Metric
from services.weather.domain.thresholds import Threshold
from services.weather.domain.units import celsius, metres_a_second
from services.weather.schema import feeds, locations, observations, vigils
from services.weather.store.conditions import ConditionStore
from tests.weather.desk import ALBANY, ALERTS, Desk
from tests.weather.nws import NOON, answer, feature, hours, minutes, vtec
from tests.weather.provider import Reply
from tests.weather.test_asking import OUT_OF_BOUNDS, POINT, PROBLEM, STATIONS, forecast, observation


def grid_of(updated: datetime = NOON, **layers: tuple[str, float]) -> dict[str, Any]:
    """A forecast that is the same for two days."""
    found = {
        name: {"uom": unit, "values": [{"validTime": f"{NOON.isoformat()}/P2D", "value": value}]}
        for name, (unit, value) in layers.items()
    }
    return {"properties": {"updateTime": updated.isoformat(), **found}}


def hot(fahrenheit: float) -> dict[str, Any]:
    return grid_of(temperature=("wmoUnit:degC", celsius(fahrenheit)))


def official(desk: Desk, grid: dict[str, Any]) -> None:
    """Albany's office and its nearest station, which says nothing of heat or wind."""
    desk.provider.says("/points", Reply(POINT))
    desk.provider.says("/gridpoints/ALY/71,67", Reply(grid))
    desk.provider.says("/gridpoints/ALY/71,67/stations", Reply(STATIONS))
    desk.provider.says("/stations", Reply(observation(None)))


async def test_heat_that_is_forecast_is_raised_with_its_value_and_line(desk: Desk) -> None:
    await desk.register()
    official(desk, hot(107))

    await desk.ask("conditions")

    ((name, body),) = await desk.said()
    assert name == "weather_alert_raised"
    assert (body["category"], body["level"], body["official"]) == ("extreme_heat", "warning", False)
    assert (body["metric"], body["observed_value"], body["threshold"], body["unit"]) == (
        "heat_index",
        107.0,
        105.0,
        "degF",
    )
    assert body["dedup_key"] == "thr:extreme_heat:2026-07-15"
    assert body["summary"] == "Extreme Heat Warning: It may feel like 107F"
    (place,) = await desk.rows(locations)
    assert (place.grid, place.zones, place.station_choice) == ("ALY/71,67", ["NYC001", "NYZ052", "NYZ208"], 1)


async def test_a_place_is_resolved_once_and_asked_one_question_per_kind_from_then_on(desk: Desk) -> None:
    for _ in range(3):
        await desk.register()
    official(desk, hot(70))
    await desk.ask("conditions")
    before = len(desk.provider.requests)

    await desk.asks_at(NOON + minutes(15), "conditions")

    assert desk.provider.asked("/points") == 1
    assert len(desk.provider.requests) - before == 2  # the grid and the station


async def test_a_property_has_its_own_threshold_beside_the_portfolio_s(desk: Desk) -> None:
    strict = await desk.register()
    await desk.register()
    low = Threshold(
        metric=Metric.HEAT, level=Level.WARNING, raise_at=celsius(90), clear_at=celsius(86), raise_count=1
    )
    async with desk.transactions.command("test") as tx:
        await ConditionStore(tx.connection).set_threshold(strict, low, tx.at)
    official(desk, hot(93))

    await desk.ask("conditions")

    assert [body["property_id"] for _, body in await desk.said()] == [str(strict)]


async def test_two_advisory_answers_raise_and_cool_ones_clear_across_restarts(desk: Desk) -> None:
    await desk.register()
    for step, degrees in enumerate((101, 101, 85, 85, 85, 85, 85, 85, 85, 85, 85, 85)):
        official(desk, hot(degrees))
        # Each answer is worked off by a poller that has only the database to remember by.
        await desk.asks_at(NOON + minutes(15 * step), "conditions")

    said = await desk.said()
    assert [name for name, _ in said] == ["weather_alert_raised", "weather_alert_cleared"]
    assert said[1][1]["reason"] == "below_threshold"
    assert {row.category: row.level for row in await desk.rows(vigils)}["extreme_heat"] is None


async def test_a_wind_beyond_belief_is_raised_when_the_next_answer_has_it_too(desk: Desk) -> None:
    await desk.register()
    official(desk, grid_of(windSpeed=("wmoUnit:km_h-1", 30.0), windGust=("wmoUnit:km_h-1", 250.0)))

    await desk.ask("conditions")
    first = await desk.said()
    await desk.asks_at(NOON + minutes(15), "conditions")

    (feed,) = await desk.rows(feeds)
    assert (first, feed.doubtful) == ([], True)
    assert await desk.names() == ["alert_raised"]


async def test_a_hundred_times_the_gust_is_never_believed(desk: Desk) -> None:
    await desk.register()
    official(desk, grid_of(windSpeed=("wmoUnit:km_h-1", 30.0), windGust=("wmoUnit:km_h-1", 4_000.0)))

    for step in range(3):
        await desk.asks_at(NOON + minutes(15 * step), "conditions")

    assert await desk.said() == []


async def test_missing_conditions_clear_nothing(desk: Desk) -> None:
    await desk.register()
    official(desk, hot(107))
    await desk.ask("conditions")
    desk.provider.says("/gridpoints", Reply(PROBLEM, 500))
    desk.provider.says("/gridpoints/ALY/71,67", Reply(PROBLEM, 500))
    desk.provider.says("/meteo", Reply(forecast(None)))

    for step in range(1, 20):
        await desk.asks_at(NOON + minutes(15 * step), "conditions")

    assert await desk.names() == ["alert_raised", "data_stale"]
    assert len(await desk.open()) == 1


async def test_outside_the_united_states_open_meteo_is_asked(desk: Desk) -> None:
    await desk.register(latitude=51.5, longitude=-0.1, time_zone="Europe/London")
    desk.provider.says(
        "/points", Reply({"title": "Data Unavailable For Requested Point", "status": 404}, 404)
    )
    desk.provider.says("/meteo", Reply(forecast(celsius(108))))

    await desk.ask("conditions")
    await desk.asks_at(NOON + minutes(15), "conditions")

    said = await desk.said()
    assert [(body["source"], body["attribution"]) for _, body in said] == [
        ("open_meteo", "Weather data by Open-Meteo.com")
    ]
    assert desk.provider.asked("/points") == 1
    assert {row.source for row in await desk.rows(observations)} == {"open_meteo"}


async def test_an_official_alert_after_ours_names_it_as_replaced(desk: Desk) -> None:
    await desk.register(**ALBANY)
    official(desk, hot(107))
    desk.provider.says(
        ALERTS, Reply(answer(feature(event="Extreme Heat Warning", code=vtec(event="KALY.XH.W.0001"))))
    )

    await desk.ask("conditions")
    await desk.ask("alerts")
    await desk.asks_at(NOON + minutes(15), "conditions")

    said = await desk.said()
    assert [name for name, _ in said] == ["weather_alert_raised", "weather_alert_updated"]
    assert said[1][1]["replaces"] == [said[0][1]["incident_id"]]
    assert said[1][1]["official"] is True


async def test_without_conditions_only_official_alerts_are_raised(desk: Desk) -> None:
    await desk.register()
    official(desk, hot(107))

    await desk.ask("conditions", official_only=True)

    assert await desk.said() == []


async def test_a_gust_in_metres_a_second_is_told_in_miles_an_hour(desk: Desk) -> None:
    await desk.register()
    official(desk, grid_of(windGust=("wmoUnit:m_s-1", metres_a_second(60))))
    desk.provider.says(ALERTS, Reply(OUT_OF_BOUNDS, 400))

    await desk.ask("conditions")

    ((_, body),) = await desk.said()
    assert (body["observed_value"], body["unit"], body["event_name"]) == (60.0, "mph", "High Wind Warning")
    assert body["ends_at"] == (NOON + hours(25)).strftime("%Y-%m-%dT%H:%M:%SZ")
