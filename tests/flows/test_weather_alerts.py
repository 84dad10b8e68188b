"""Dangerous weather across the services, as processes: from a recorded alert to whoever has to know."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from propman.dev import ServerUrls
from tests.notifications.text_provider import SID, TOKEN, TextProvider
from tests.support.eventually import eventually
from tests.support.system import System, a_system, mails_in
from tests.weather.conftest import SHARED
from tests.weather.desk import ALERTS
from tests.weather.nws import answer, feature
from tests.weather.provider import Provider, Reply, a_provider

pytestmark = pytest.mark.timeout(300)  # three processes, and a command is one more each time

MOBILE = (31.4331, -88.0363)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with a_provider() as found:
        yield found


def recorded_heat_warning() -> dict[str, Any]:
    """A continuation of an Extreme Heat Warning as it was recorded, every time of it moved to the present."""
    file = SHARED / "samples" / "weather" / "nws_alerts_active_20260715_heat_subset.json"
    if not file.exists():
        pytest.skip("the recorded payloads are not on this machine (PROPMAN_SHARED)")
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    found = next(item for item in features if item["properties"]["event"] == "Extreme Heat Warning")
    said = dict(found["properties"])
    shift = datetime.now(UTC) - datetime.fromisoformat(said["sent"])
    for name in ("sent", "effective", "onset", "expires", "ends"):
        said[name] = (datetime.fromisoformat(said[name]) + shift).isoformat()
    return {**found, "properties": said}


def zone_of_early_afternoon() -> str:
    """A zone where it is a decent hour for a text message, whenever the test runs."""
    hours = datetime.now(UTC).hour - 13
    return f"Etc/GMT{hours:+d}"  # in these names the sign is the other way round


async def load_houses(
    system: System,
    folder: Path,
    *points: tuple[float, float],
    zone: str = "America/Chicago",
    texts: bool = False,
) -> None:
    """A house with one tenant at each of these points; weather and notifications have heard of all."""
    rows = [
        "property,time_zone,latitude,longitude,unit,tenant_name,tenant_email,rent,starts_on,tenant_phone,channel"
    ]
    rows += [
        f"House {number},{zone},{latitude},{longitude},1,Tenant {number},w{number}@example.com,900,2026-01-01,"
        + (f"+1205555010{number},sms" if texts and number == 0 else ",email")
        for number, (latitude, longitude) in enumerate(points)
    ]
    file = folder / "houses.csv"
    file.write_text("\n".join(rows) + "\n")
    await system.command("leasing", "import", str(file))

    async def heard() -> bool:
        watched = await system.number(
            "weather", "select count(*) from properties where location_id is not null"
        )
        told = await system.number("notifications", "select count(*) from contacts where email is not null")
        return watched == told == len(points)

    await eventually(heard, within=60)
    await system.quiet()


async def test_two_replicas_that_poll_at_once_raise_each_incident_once(
    servers: ServerUrls, tmp_path: Path, provider: Provider
) -> None:
    now = datetime.now(UTC)
    warning = feature(sent=now, expires=now + timedelta(hours=1), ends=now + timedelta(hours=2))
    provider.says(ALERTS, Reply(answer(warning, updated=now)))
    async with a_system(servers, tmp_path) as system:
        system.environment |= {"WEATHER_NWS_URL": provider.url, "WEATHER_REQUESTS_PER_SECOND": "50"}
        system.start("leasing", "billing", "notifications", "scheduler")
        system.start("weather", instance="1")
        system.start("weather", instance="2")
        await load_houses(system, tmp_path, MOBILE, MOBILE, (40.0, -100.0))

        await asyncio.gather(
            *(system.command("trigger", "weather-check", "--wait", as_process=True) for _ in range(2)),
            system.command("weather", "check-weather-alerts", "--official-only", as_process=True),
        )
        await system.quiet()

        raised = await system.ask(
            "weather", "select property_id, count(*) from incidents group by property_id"
        )
        facts = await system.number("weather", "select count(*) from incident_revisions")
        outcomes = await system.number(
            "scheduler", "select count(*) from occurrences where state = 'succeeded'"
        )
        assert [row[1] for row in raised] == [1, 1, 1]
        assert (facts, outcomes) == (3, 2)
        assert 2 <= provider.asked() <= 3 * 2  # three who ask, about two places
        assert set(system.terminate().values()) == {0}


@pytest.mark.shared_data
async def test_one_trace_leads_from_a_recorded_alert_to_an_e_mail_and_a_text_message(
    servers: ServerUrls, tmp_path: Path, provider: Provider
) -> None:
    provider.says(ALERTS, Reply(answer(recorded_heat_warning(), updated=datetime.now(UTC))))
    before = set(servers.mail_dir.glob("*.eml"))
    async with TextProvider() as texts, a_system(servers, tmp_path) as system:
        system.environment |= {
            "WEATHER_NWS_URL": provider.url,
            "WEATHER_REQUESTS_PER_SECOND": "50",
            "NOTIFICATIONS_TWILIO_URL": texts.url,
            "NOTIFICATIONS_TWILIO_ACCOUNT_SID": SID,
            "NOTIFICATIONS_TWILIO_AUTH_TOKEN": TOKEN,
            "NOTIFICATIONS_TWILIO_FROM": "+12055550199",
        }
        system.start("leasing", "notifications", "scheduler", "weather")
        await load_houses(system, tmp_path, MOBILE, MOBILE, zone=zone_of_early_afternoon(), texts=True)

        _, out, _ = await system.command("trigger", "weather-check", "--wait", "--json")
        await system.quiet()

        _, out, _ = await system.command("trace", json.loads(out)["id"], "--json")
        steps = [(step["service"], step["what"]) for step in json.loads(out)]
        assert steps[0][0] == "scheduler"
        assert ("weather", "scheduler.weather_check_due.v1") in steps
        assert ("notifications", "weather.weather_alert_raised.v1") in steps
        assert {("notifications", "email sent"), ("notifications", "sms sent")} <= set(steps)
        assert set(system.terminate().values()) == {0}
    mails = set(servers.mail_dir.glob("*.eml")) - before
    assert set(mails_in(mails)) == {"w1@example.com"}
    assert [post["To"] for post in texts.posts] == ["+12055550100"]
    assert "Extreme Heat Warning" in texts.posts[0]["Body"]
