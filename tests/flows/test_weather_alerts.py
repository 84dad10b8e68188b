"""Dangerous weather across the services, as processes: from a recorded alert to whoever has to know."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from propman.dev import ServerUrls
from tests.support.eventually import eventually
from tests.support.system import System, a_system
from tests.weather.desk import ALERTS
from tests.weather.nws import answer, feature
from tests.weather.provider import Provider, Reply, a_provider

pytestmark = pytest.mark.timeout(300)  # three processes, and a command is one more each time

MOBILE = (31.4331, -88.0363)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with a_provider() as found:
        yield found


async def load_houses(system: System, folder: Path, *points: tuple[float, float]) -> None:
    """A house with one tenant at each of these points; weather and notifications have heard of all."""
    rows = ["property,time_zone,latitude,longitude,unit,tenant_name,tenant_email,rent,starts_on"]
    rows += [
        f"House {number},America/Chicago,{latitude},{longitude},1,Tenant {number},w{number}@example.com,900,2026-01-01"
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
            *(system.command("trigger", "weather-check", "--wait") for _ in range(2)),
            system.command("weather", "check-weather-alerts", "--official-only"),
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
