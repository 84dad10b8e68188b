"""`propman weather`: asking in the foreground, incidents, thresholds and observations."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from services.weather.handlers import router
from services.weather.schema import answers, checks, feeds, incidents, thresholds
from services.weather.settings import Settings
from shared.identity import new_id
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.support.builders import a_property
from tests.support.commands import Ran, run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, deliver, emitted
from tests.weather.desk import ALBANY, ALERTS
from tests.weather.nws import answer, feature, hours
from tests.weather.provider import Provider, Reply, a_provider
from tests.weather.test_asking import OUT_OF_BOUNDS, POINT, STATIONS


@dataclass
class Shell:
    """A person at a terminal, with a provider that answers about the present."""

    environment: dict[str, str]
    transactions: Transactions
    provider: Provider

    async def run(self, *words: str) -> Ran:
        return await run_propman("weather", *words, environment=self.environment)

    async def register(self, **changes: Any) -> UUID:
        fact = a_property(**ALBANY | changes)
        await deliver(self.transactions, router, fact)
        return fact.property_id

    def warns(self) -> None:
        """There is a tornado warning, and a fine forecast."""
        now = self.transactions.clock.now()
        warning = feature(sent=now, expires=now + hours(1), ends=now + hours(2))
        other = feature(sent=now, status="Test", identity="urn:test")
        layer = {
            "uom": "wmoUnit:degC",
            "values": [{"validTime": f"{now.replace(microsecond=0).isoformat()}/P2D", "value": 20}],
        }
        grid = {"properties": {"updateTime": now.isoformat(), "temperature": layer}}
        self.provider.says(ALERTS, Reply(answer(warning, other, updated=now)))
        self.provider.says("/points", Reply(POINT))
        self.provider.says("/gridpoints/ALY/71,67", Reply(grid))
        self.provider.says("/gridpoints/ALY/71,67/stations", Reply(STATIONS))


@pytest.fixture
async def shell(databases: TestDatabases) -> AsyncIterator[Shell]:
    with a_provider() as provider:
        async with databases.transactions("weather") as transactions:
            environment = {
                "WEATHER_DATABASE_URL": await databases.url("weather"),
                "PROPMAN_RABBITMQ_URL": "amqp://nobody@127.0.0.1:1/",
                "WEATHER_NWS_URL": provider.url,
                "WEATHER_REQUESTS_PER_SECOND": "50",
            }
            yield Shell(environment, transactions, provider)


async def test_a_dry_run_shows_what_the_real_run_then_does_and_writes_nothing(shell: Shell) -> None:
    place = await shell.register()
    shell.warns()

    dry = await shell.run("check-weather-alerts", "--dry-run", "--json")
    written = [
        await count_rows(shell.transactions, table) for table in (incidents, outbox, answers, feeds, checks)
    ]
    real = await shell.run("check-weather-alerts", "--json")

    assert (dry.code, real.code, written) == (0, 0, [0, 0, 0, 0, 0])
    shown = [
        {key: value for key, value in event.items() if key != "incident_id"} for event in dry.json["events"]
    ]
    done = [
        {key: value for key, value in event.items() if key != "incident_id"} for event in real.json["events"]
    ]
    assert shown == done
    assert (done[0]["property_id"], done[0]["type"], done[0]["level"]) == (str(place), "raised", "emergency")
    assert real.json["ignored"] == [{"id": "urn:test", "why": "its status is Test"}]
    assert [topic for topic, _ in await emitted(shell.transactions)] == ["weather.weather_alert_raised.v1"]


async def test_asking_twice_tells_once_and_says_so(shell: Shell) -> None:
    await shell.register(name="Elm Street")
    await shell.register(name="Nowhere", latitude=None, longitude=None)
    shell.warns()

    first, second = await shell.run("check-weather-alerts"), await shell.run("check_weather_alerts")

    assert "Elm Street" in first.out
    assert "Tornado Warning" in first.out
    assert "Nowhere has no coordinates and is not watched." in first.err
    assert (second.code, second.out) == (0, "")
    assert "0 new alerts at 1 place" in second.err


async def test_one_property_alone_is_asked_about(shell: Shell) -> None:
    await shell.register(latitude=30.0)
    wanted = await shell.register()
    shell.warns()

    ran = await shell.run("check-weather-alerts", "--property", str(wanted), "--official-only", "--json")

    assert [event["property_id"] for event in ran.json["events"]] == [str(wanted)]
    assert len(shell.provider.requests) == 1


async def test_a_place_that_nobody_can_be_asked_about_is_named(shell: Shell) -> None:
    await shell.register(name="Harbour House", latitude=53.5, longitude=10.0)
    shell.provider.says(ALERTS, Reply(OUT_OF_BOUNDS, 400))
    shell.provider.says("/points", Reply({"title": "Data Unavailable For Requested Point"}, 404))

    ran = await shell.run("check-weather-alerts")

    assert ran.code == 0
    assert "Harbour House is not watched: no official source covers it" in ran.err


async def test_what_cannot_be_asked_is_a_problem_and_exit_one(shell: Shell) -> None:
    await shell.register()
    refusal = {"title": "Forbidden", "detail": "no contact", "status": 403}
    shell.provider.says("/", Reply(refusal, 403))

    ran = await shell.run("check-weather-alerts")

    assert ran.code == 1
    assert "403 no contact" in ran.err
    assert "2 questions stayed without an answer" in ran.err
    assert "Elm Street: location " in ran.err
    assert "`propman weather observations` shows since when" in ran.err


async def test_a_property_nobody_knows_is_one_line(shell: Shell) -> None:
    ran = await shell.run("check-weather-alerts", "--property", str(new_id()))

    assert ran.code == 2
    assert ran.err.startswith("Error: Weather knows no property")
    assert ran.err.count("\n") == 1


async def test_enqueue_leaves_the_asking_to_the_service(shell: Shell) -> None:
    ran = await shell.run("check-weather-alerts", "--enqueue", "--json")

    said = [(topic, body["check"]) for topic, body in await emitted(shell.transactions)]
    assert len(ran.json["occurrence_ids"]) == 2
    assert said == [("scheduler.weather_check_due.v1", kind) for kind in ("alerts", "conditions")]


async def test_incidents_are_listed_shown_and_explained(shell: Shell) -> None:
    place = await shell.register()
    shell.warns()
    await shell.run("check-weather-alerts")

    (listed,) = (await shell.run("incidents", "list", "--open", "--json")).json
    shown = await shell.run("incidents", "show", listed["id"])
    found = (await shell.run("incidents", "show", listed["id"], "--json")).json
    why = await shell.run("incidents", "explain", listed["id"])

    assert (listed["property_id"], listed["level"]) == (str(place), "emergency")
    assert "nws:KALY.TO.W.0012" in shown.out
    assert [fact["kind"] for fact in found["history"]] == ["raised"]
    assert "one danger because every message of it has the key nws:KALY.TO.W.0012" in why.out
    assert "It is still open until" in why.out


async def test_explaining_a_property_says_why_each_message_was_told_or_not(shell: Shell) -> None:
    place = await shell.register()
    unplaced = await shell.register(latitude=None, longitude=None)
    before = await shell.run("incidents", "explain", str(place))
    shell.warns()
    await shell.run("check-weather-alerts")

    after = (await shell.run("incidents", "explain", str(place), "--json")).json["reasons"]

    assert "No official alerts were ever read" in before.out
    assert any(line.startswith("told: Tornado Warning (emergency") for line in after)
    assert "not told: urn:test: its status is Test." in after
    assert "is not watched" in (await shell.run("incidents", "explain", str(unplaced))).out


async def test_an_incident_nobody_knows_is_exit_two(shell: Shell) -> None:
    assert (await shell.run("incidents", "show", str(new_id()))).code == 2
    assert (await shell.run("incidents", "explain", str(new_id()))).code == 2


async def test_a_threshold_is_set_for_the_portfolio_and_for_one_property(shell: Shell) -> None:
    place = await shell.register()
    heat = ("thresholds", "set", "--metric", "heat_index", "--level", "advisory")

    dry = await shell.run(*heat, "--raise", "95F", "--clear", "92F", "--dry-run")
    untouched = await count_rows(shell.transactions, thresholds)
    await shell.run(*heat, "--raise", "95F", "--clear", "92F", "--hold-hours", "3")
    await shell.run(*heat, "--raise", "32C", "--clear", "30C", "--property", str(place))
    await shell.run(*heat, "--raise", "32.2C", "--clear", "30C", "--property", str(place))

    everywhere = (await shell.run("thresholds", "show", "--json")).json
    here = (await shell.run("thresholds", "show", "--property", str(place), "--json")).json
    assert (dry.code, untouched, await count_rows(shell.transactions, thresholds)) == (0, 0, 2)
    line = next(row for row in everywhere if row["metric"] == "heat_index")
    assert (line["raise"], line["hold_hours"]) == (95.0, 3.0)
    assert next(row["raise"] for row in here if row["metric"] == "heat_index") == 90.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--metric", "heat", "--level", "advisory", "--raise", "95F", "--clear", "92F"),
            "is not a threshold",
        ),
        (
            ("--metric", "gust", "--level", "advisory", "--raise", "95F", "--clear", "92F"),
            "is no value of gust",
        ),
        (
            ("--metric", "gust", "--level", "emergency", "--raise", "70mph", "--clear", "60mph"),
            "advisory or a warning",
        ),
        (
            ("--metric", "heat_index", "--level", "warning", "--raise", "95F", "--clear", "96F"),
            "has to lie below",
        ),
        (("--metric", "gust", "--level", "warning", "--raise=-5mph", "--clear=-9mph"), "check the value"),
        (
            (
                "--metric",
                "gust",
                "--level",
                "warning",
                "--raise",
                "60mph",
                "--clear",
                "50mph",
                "--hours",
                "inf",
            ),
            "is too large; give ",
        ),
        (
            (
                *[
                    "--metric",
                    "gust",
                    "--level",
                    "warning",
                    "--raise",
                    "60mph",
                    "--clear",
                    "50mph",
                    "--hold-hours",
                    "1e9",
                ],
            ),
            "is too large; give ",
        ),
    ],
)
async def test_a_threshold_that_makes_no_sense_is_exit_two(
    shell: Shell, words: tuple[str, ...], said: str
) -> None:
    ran = await shell.run("thresholds", "set", *words)

    assert ran.code == 2
    assert said in ran.err


async def test_observations_show_the_forecast_and_how_well_places_are_asked(shell: Shell) -> None:
    place = await shell.register()
    shell.warns()
    await shell.run("check-weather-alerts")
    shell.provider.says(ALERTS, Reply({"title": "Forbidden", "detail": "no contact", "status": 403}, 403))
    await shell.run("check-weather-alerts", "--official-only")

    here = await shell.run("observations", "--property", str(place))
    found = {feed["check"]: feed for feed in (await shell.run("observations", "--json")).json["feeds"]}

    assert "68.0" in here.out
    assert found["conditions"]["stale_since"] is None
    assert found["alerts"]["stale_since"] is not None
    assert found["alerts"]["problem"] == "403 no contact"


async def test_the_free_host_of_open_meteo_needs_the_word_that_the_use_is_non_commercial(
    shell: Shell,
) -> None:
    free = {"WEATHER_OPEN_METEO_URL": "https://api.open-meteo.com"}
    shell.environment |= free

    refused = await shell.run("observations")
    shell.environment["WEATHER_OPEN_METEO_NON_COMMERCIAL"] = "true"
    allowed = await shell.run("observations")

    assert (refused.code, allowed.code) == (2, 0)
    assert "non-commercial" in refused.err


def test_phenomena_are_a_list_of_codes() -> None:
    settings = Settings.model_validate(
        {"database_url": "postgresql://x@y/z", "PROPMAN_RABBITMQ_URL": "amqp://x", "also_warn_of": "fw, SU"}
    )

    assert settings.also_warn_of == ("FW", "SU")


async def test_a_warning_that_comes_before_its_advisory_is_said_to_do_so(shell: Shell) -> None:
    words = "thresholds set --metric heat_index --level warning --raise 90F --clear 85F --dry-run"

    ran = await shell.run(*words.split())

    assert ran.code == 0
    assert "The warning is passed before the advisory" in ran.err


async def test_incidents_of_a_property_nobody_knows_are_not_called_none(shell: Shell) -> None:
    ran = await shell.run("incidents", "list", "--property", str(new_id()))

    assert ran.code == 2
    assert "Weather knows no property" in ran.err


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({}, True),
        ({"contact": "office@example.com"}, False),
        ({"nws_url": "http://127.0.0.1:9"}, False),
    ],
)
def test_who_asks_without_a_contact_is_advised_to_set_one(changes: dict[str, str], advised: bool) -> None:
    required = {"database_url": "postgresql://x@y/z", "PROPMAN_RABBITMQ_URL": "amqp://x"}

    settings = Settings.model_validate({"nws_url": "https://api.weather.gov"} | required | changes)

    assert any("WEATHER_CONTACT" in words for words in settings.advice) is advised
