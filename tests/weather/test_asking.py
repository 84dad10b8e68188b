"""Asking providers over real HTTP: patience, manners, and what each kind of answer means."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.weather.asking import Asked, Asker
from services.weather.gateways.errors import NoAnswer
from services.weather.gateways.hosts import Host
from services.weather.gateways.http import Http
from services.weather.gateways.nws import Nws
from services.weather.gateways.open_meteo import OpenMeteo
from services.weather.store.answers import Answer
from services.weather.store.places import Location
from shared.identity import new_id
from tests.weather.clocks import HandClock
from tests.weather.nws import NOON, answer, feature, minutes
from tests.weather.provider import Provider, Reply, a_provider, page

PROBLEM = {"title": "Unexpected Problem", "status": 500, "detail": "An unexpected problem has occurred."}
OUT_OF_BOUNDS = {
    "title": "Invalid Parameter",
    "detail": 'Parameter "point" is invalid: out of bounds',
    "status": 400,
}
POINT = {
    "properties": {
        "gridId": "ALY",
        "gridX": 71,
        "gridY": 67,
        "county": "https://api.weather.gov/zones/county/NYC001",
        "forecastZone": "https://api.weather.gov/zones/forecast/NYZ052",
        "fireWeatherZone": "https://api.weather.gov/zones/fire/NYZ208",
    }
}
STATIONS = {"features": [{"properties": {"stationIdentifier": name}} for name in ("KALB", "KSCH")]}


def grid(celsius: float = 25.0, *, updated: datetime = NOON) -> dict[str, Any]:
    layer = {"uom": "wmoUnit:degC", "values": [{"validTime": f"{NOON.isoformat()}/P2D", "value": celsius}]}
    return {"properties": {"updateTime": updated.isoformat(), "temperature": layer}}


def observation(celsius: float | None = 24.0) -> dict[str, Any]:
    value = {"unitCode": "wmoUnit:degC", "value": celsius}
    return {"properties": {"timestamp": NOON.isoformat(), "temperature": value}}


def forecast(celsius: float | None = 25.0) -> dict[str, Any]:
    times = [int((NOON + timedelta(hours=number)).timestamp()) for number in range(25)]
    return {
        "hourly_units": {"temperature_2m": "°C"},
        "hourly": {"time": times, "temperature_2m": [celsius] * len(times)},
    }


@dataclass
class Outside:
    """A provider and somebody who asks it."""

    provider: Provider
    clock: HandClock
    http: Http
    asker: Asker

    async def alerts(self, known: Answer | None = None, **place: Any) -> Asked:
        return await self.asker.alerts(a_location(**place), known)

    async def conditions(self, **place: Any) -> Asked:
        return await self.asker.conditions(a_location(**place), None)


def a_location(**changes: Any) -> Location:
    values: dict[str, Any] = {
        "location_id": new_id(),
        "latitude": "42.745",
        "longitude": "-73.752",
        "nws_supported": True,
        "grid": "ALY/71,67",
        "zones": ("NYC001", "NYZ052"),
        "stations": ("KALB", "KSCH"),
        "station_choice": 0,
        "resolved_at": NOON,
    }
    return Location(**values | changes)


def someone_who_asks(
    provider: Provider, clock: HandClock, *, read_timeout: float = 0.3
) -> tuple[Http, Asker]:
    client = httpx.AsyncClient(timeout=httpx.Timeout(read_timeout))
    http = Http(
        client,
        clock,
        lambda name: Host(name, clock.stopwatch, clock.sleep),
        clock.sleep,
        spread=lambda _low, high: high / 2,
        deadline=1.0,
    )
    nws = Nws(http, provider.url, "ops@example.com")
    return http, Asker(nws, OpenMeteo(http, f"{provider.url}/meteo", SecretStr("key-1")), clock.now)


@pytest.fixture
async def outside() -> Any:
    clock = HandClock()
    with a_provider() as provider:
        http, asker = someone_who_asks(provider, clock)
        yield Outside(provider, clock, http, asker)
        await asker.close()


ALERTS = "/alerts/active?point"


async def test_who_asks_says_who_they_are_and_what_they_want(outside: Outside) -> None:
    outside.provider.says(ALERTS, Reply(answer(feature())))

    asked = await outside.alerts()

    request = outside.provider.requests[0]
    assert asked.poll is not None
    assert len(asked.poll.alerts) == 1
    assert request.path == "/alerts/active?point=42.745,-73.752"
    assert request.headers["User-Agent"] == "Propman/0.1 (ops@example.com)"
    assert request.headers["Accept"] == "application/geo+json"


@pytest.mark.parametrize("failure", [Reply(PROBLEM, 500), Reply(PROBLEM, 503), page(), page(502), page(504)])
async def test_what_passes_is_tried_again_after_about_one_five_and_twelve_seconds(
    outside: Outside, failure: Reply
) -> None:
    outside.provider.says(ALERTS, failure, failure, failure, Reply(answer()))

    asked = await outside.alerts()

    assert asked.poll is not None
    assert [pause for pause in outside.clock.slept if pause >= 1] == [1.0, 5.0, 12.0]
    assert outside.provider.asked(ALERTS) == 4


async def test_after_four_tries_there_is_no_answer_and_a_reason(outside: Outside) -> None:
    outside.provider.says("/alerts", Reply(PROBLEM, 500))

    asked = await outside.alerts(zones=())

    assert (asked.poll, asked.problem) == (None, "500 Unexpected Problem")
    assert outside.provider.asked() == 4


async def test_a_host_that_hangs_is_given_up(outside: Outside) -> None:
    outside.provider.says("/alerts", Reply(answer(), hang=0.6))

    asked = await outside.alerts(zones=())

    assert asked.poll is None
    assert asked.problem is not None
    assert "ReadTimeout" in asked.problem


async def test_a_host_that_is_not_there_is_no_answer(outside: Outside) -> None:
    nowhere = Nws(outside.http, "http://127.0.0.1:9", "ops@example.com")
    asker = Asker(nowhere, None, outside.clock.now)

    asked = await asker.alerts(a_location(zones=()), None)

    assert asked.problem is not None
    assert "ConnectError" in asked.problem


@pytest.mark.parametrize("how", ["seconds", "date"])
async def test_retry_after_wins_over_our_own_pauses(outside: Outside, how: str) -> None:
    moment = format_datetime((NOON + timedelta(seconds=7)).astimezone(UTC), usegmt=True)
    after = "7" if how == "seconds" else moment
    outside.provider.says(ALERTS, Reply({}, 429, {"Retry-After": after}), Reply(answer()))

    asked = await outside.alerts()

    assert asked.poll is not None
    assert outside.clock.slept == [pytest.approx(7, abs=0.6)]


async def test_a_host_that_wants_a_long_pause_gets_it(outside: Outside) -> None:
    outside.provider.says("/alerts", Reply({}, 429, {"Retry-After": "3600"}), Reply(answer()))

    first = await outside.alerts(zones=())
    second = await outside.alerts(zones=())
    asked_meanwhile = outside.provider.asked()
    outside.clock.advance(hours=1)
    third = await outside.alerts(zones=())

    assert (first.poll, second.poll) == (None, None)
    assert asked_meanwhile == 1
    assert third.poll is not None


@pytest.mark.parametrize(
    ("reason", "pause"),
    [
        ("Minutely API request limit exceeded. Please try again in one minute.", 60),
        ("Hourly API request limit exceeded. Please try again in the next hour.", 3600),
        ("Daily API request limit exceeded. Please try again tomorrow.", 12 * 3600),
    ],
)
async def test_open_meteo_is_left_alone_until_its_limit_is_over(
    outside: Outside, reason: str, pause: float
) -> None:
    outside.provider.says("/meteo", Reply({"error": True, "reason": reason}, 429), Reply(forecast()))

    asked = await outside.conditions(nws_supported=False)

    assert asked.conditions is None
    assert outside.http.host(outside.provider.url).paused_for() == pytest.approx(pause, abs=1)


async def test_two_requests_a_second_go_to_one_host(outside: Outside) -> None:
    outside.provider.says("/alerts", Reply(answer()))
    began = outside.clock.stopwatch()

    for _ in range(9):
        await outside.alerts()

    assert outside.clock.stopwatch() - began == pytest.approx(4.0)


async def test_a_host_that_failed_eight_times_in_a_row_is_left_alone_and_then_tried_with_one_request(
    outside: Outside,
) -> None:
    outside.provider.says("/alerts", Reply(PROBLEM, 500))
    for _ in range(3):
        await outside.alerts(zones=())
    assert outside.provider.asked() == 8

    outside.clock.advance(seconds=61)
    await outside.alerts(zones=())
    assert outside.provider.asked() == 9

    outside.provider.says("/alerts", Reply(answer()))
    outside.clock.advance(seconds=61)
    assert (await outside.alerts(zones=())).poll is not None
    assert (await outside.alerts(zones=())).poll is not None


async def test_what_did_not_change_is_not_sent_again(outside: Outside) -> None:
    outside.provider.says(
        ALERTS,
        Reply(answer(feature()), headers={"ETag": '"abc"', "Last-Modified": "Wed, 15 Jul 2026 12:00:00 GMT"}),
    )
    first = (await outside.alerts()).answers[0]
    outside.provider.says(ALERTS, Reply(status=304))

    again = await outside.alerts(first)

    headers = outside.provider.requests[-1].headers
    assert headers["If-None-Match"] == '"abc"'
    assert headers["If-Modified-Since"] == "Wed, 15 Jul 2026 12:00:00 GMT"
    assert again.poll is not None
    assert len(again.poll.alerts) == 1
    assert again.answers[0].hash == first.hash


async def test_a_list_that_is_a_quarter_of_an_hour_old_is_read_anew(outside: Outside) -> None:
    # "Not modified" would leave its time as it was, and the list would count as stale.
    outside.provider.says(ALERTS, Reply(answer(feature()), headers={"ETag": '"abc"'}))
    first = (await outside.alerts()).answers[0]
    outside.clock.advance(minutes=20)

    await outside.alerts(first)

    assert "If-None-Match" not in outside.provider.requests[-1].headers


async def test_outside_the_united_states_both_refusals_mean_the_same(outside: Outside) -> None:
    outside.provider.says(ALERTS, Reply(OUT_OF_BOUNDS, 400))
    outside.provider.says(
        "/points", Reply({"title": "Data Unavailable For Requested Point", "status": 404}, 404)
    )
    outside.provider.says("/meteo", Reply(forecast()))

    alerts = await outside.alerts()
    conditions = await outside.conditions(nws_supported=None, grid=None, resolved_at=None)

    assert (alerts.covered, conditions.covered) == (False, False)
    assert conditions.conditions is not None
    assert conditions.conditions.source == "open_meteo"


async def test_a_bad_question_is_our_fault_and_not_asked_again(outside: Outside) -> None:
    refusal = {"title": "Invalid Parameter", "detail": 'Parameter "points" is unknown', "status": 400}
    outside.provider.says("/alerts", Reply(refusal, 400))

    asked = await outside.alerts(zones=())

    assert asked.our_fault
    assert asked.problem == '400 Parameter "points" is unknown'
    assert outside.provider.asked() == 1


async def test_where_the_point_cannot_be_asked_the_zones_are(outside: Outside) -> None:
    outside.provider.says(ALERTS, Reply(PROBLEM, 500))
    outside.provider.says("/alerts/active?zone", Reply(answer(feature())))

    asked = await outside.alerts()

    assert (asked.by_zones, asked.problem) == (True, None)
    assert outside.provider.requests[-1].path == "/alerts/active?zone=NYC001,NYZ052"


async def test_a_place_is_resolved_once_and_its_forecast_and_observation_are_read(outside: Outside) -> None:
    outside.provider.says("/points", Reply(POINT))
    outside.provider.says("/gridpoints/ALY/71,67", Reply(grid()))
    outside.provider.says("/gridpoints/ALY/71,67/stations", Reply(STATIONS))
    outside.provider.says("/stations", Reply(observation()))

    asked = await outside.conditions(nws_supported=None, grid=None, zones=(), stations=(), resolved_at=None)
    again = await outside.conditions()

    assert asked.point is not None
    assert asked.point.zones == ("NYC001", "NYZ052", "NYZ208")
    assert asked.conditions is not None
    assert [sample.observed for sample in asked.conditions.samples[:2]] == [True, False]
    assert again.point is None
    assert outside.provider.by_kind() == {"points": 1, "gridpoints": 3, "stations": 2}


async def test_a_grid_that_was_remapped_is_looked_up_again(outside: Outside) -> None:
    outside.provider.says("/points", Reply(POINT))
    outside.provider.says("/gridpoints/ALY/1,1", Reply({"status": 404}, 404))
    outside.provider.says("/gridpoints/ALY/71,67", Reply(grid()))
    outside.provider.says("/gridpoints/ALY/71,67/stations", Reply(STATIONS))
    outside.provider.says("/stations", Reply(observation()))

    asked = await outside.conditions(grid="ALY/1,1")

    assert asked.conditions is not None
    assert asked.point is not None
    assert asked.point.grid == "ALY/71,67"


async def test_a_station_that_says_nothing_gives_way_to_the_next(outside: Outside) -> None:
    outside.provider.says("/gridpoints", Reply(grid()))
    outside.provider.says("/stations", Reply(observation(None)))

    asked = await outside.conditions()

    assert asked.station_choice == 1
    assert asked.conditions is not None


@pytest.mark.parametrize(
    "broken", [Reply(PROBLEM, 500), Reply({"properties": {}}), Reply(grid(updated=NOON - minutes(60 * 30)))]
)
async def test_where_the_grid_fails_or_is_old_the_second_provider_is_asked(
    outside: Outside, broken: Reply
) -> None:
    outside.provider.says("/gridpoints", broken)
    outside.provider.says("/meteo", Reply(forecast()))

    asked = await outside.conditions()

    assert asked.conditions is not None
    assert asked.conditions.source == "open_meteo"
    request = outside.provider.requests[-1]
    assert request.headers["X-Api-Key"] == "key-1"
    assert "timeformat=unixtime" in request.path
    assert "wind_speed_unit=ms" in request.path


async def test_a_forecast_full_of_null_is_no_forecast(outside: Outside) -> None:
    outside.provider.says("/meteo", Reply(forecast(None)))

    asked = await outside.conditions(nws_supported=False)

    assert (asked.conditions, asked.problem) == (None, "the forecast has no values")


async def test_a_body_without_an_end_is_cut_off(outside: Outside) -> None:
    outside.provider.says("/alerts", Reply({"features": ["x" * (9 * 1024 * 1024)]}))

    with pytest.raises(NoAnswer, match="too large"):
        await outside.http.get(f"{outside.provider.url}/alerts", headers={}, tries=1)
