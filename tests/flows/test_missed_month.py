"""Nobody says what time it is as a month begins: its rent is billed once, what is over stays over, all is told."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pydantic import SecretStr

from services.billing import app as billing
from services.scheduler import app as scheduling
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.store import ScheduleStore
from services.weather.handlers import router as weather
from shared.contracts.scheduler import WeatherCheckDue
from shared.hosting import ServiceHost
from shared.messaging import topology
from shared.messaging.naming import queue_for
from shared.messaging.transaction import Transactions
from tests.billing.runs import billed
from tests.scheduler.driver import Scheduler, SetClock
from tests.support.brokers import TestVhost
from tests.support.builders import a_lease, a_property
from tests.support.databases import TestDatabases
from tests.support.eventually import eventually
from tests.support.messages import deliver, deliver_batch

pytestmark = pytest.mark.servers

BEFORE = datetime(2026, 11, 29, 12, 1, tzinfo=UTC)
AFTER = datetime(2026, 12, 3, 10, 10, tzinfo=UTC)
MIDNIGHTS = {"America/New_York": 5, "America/Los_Angeles": 8}
MONTHLY: dict[str, Any] = {
    "kind": "monthly",
    "start_month": "2026-01",
    "every_months": 1,
    "day": 1,
    "time": "00:00",
}
SCHEDULES: dict[str, tuple[str, dict[str, Any], Rules]] = {
    "monthly-billing": ("monthly-billing", MONTHLY | {"timezone": "@property"}, Rules(catch_up="all")),
    "daily-billing": (
        "monthly-billing",
        {"kind": "cron", "expr": "5 0,12,23 * * *", "timezone": "@property"},
        Rules(),
    ),
    "weather": (
        "weather-check",
        {"kind": "cron", "expr": "*/15 * * * *", "timezone": "UTC"},
        Rules(catch_up="skip"),
    ),
}
"""As a new system has them; the weather less often."""


@asynccontextmanager
async def running(app: ModuleType, url: str, vhost: TestVhost, clock: SetClock) -> AsyncIterator[ServiceHost]:
    """A service, from its start to its orderly end."""
    settings = app.Settings(database_url=SecretStr(url), broker_url=SecretStr(vhost.url), http_port=0)
    host: ServiceHost = app.create_app(settings, clock)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@asynccontextmanager
async def weather_queue(vhost: TestVhost) -> AsyncIterator[AbstractChannel]:
    """Every queue of the three, and no weather service: what it is sent stays to be counted."""
    connection = await aio_pika.connect(vhost.url)
    async with connection:
        channel = await connection.channel()
        routers = (scheduling.router, billing.router, weather)
        await topology.declare(channel, [item for router in routers for item in router.subscriptions])
        await (await channel.get_queue(queue_for("weather", WeatherCheckDue))).purge()
        yield channel


async def prepare(scheduler: Scheduler, transactions: Transactions) -> None:
    """A property and a lease in each of two zones, and the schedules."""
    places = [a_property(time_zone=name) for name in MIDNIGHTS]
    for place in places:
        await deliver(scheduler.transactions, scheduling.router, place)
        await deliver(transactions, billing.router, place)
    leases = [a_lease(property_id=place.property_id, time_zone=place.time_zone) for place in places]
    await deliver_batch(transactions, billing.router, leases)
    for key, (trigger, spec, rules) in SCHEDULES.items():
        schedule = new_schedule(key, trigger=trigger, spec=spec, rules=rules, now=scheduler.clock.now())
        async with scheduler.transactions.command("test") as tx:
            await ScheduleStore(tx.connection).add_schedule(schedule, now=tx.at)


async def test_a_month_that_began_without_a_scheduler_is_billed_once_and_the_weather_is_not_replayed(
    databases: TestDatabases, vhost: TestVhost
) -> None:
    clock = SetClock(BEFORE)
    urls = {name: await databases.url(name) for name in ("scheduler", "billing")}
    async with (
        databases.transactions("scheduler", clock) as own,
        databases.transactions("billing", clock) as transactions,
        weather_queue(vhost) as channel,
    ):
        scheduler = Scheduler(own, clock)
        await prepare(scheduler, transactions)
        async with running(billing, urls["billing"], vhost, clock):
            async with running(scheduling, urls["scheduler"], vhost, clock):
                await eventually(lambda: has_places(scheduler))
            clock.moment = AFTER
            async with running(scheduling, urls["scheduler"], vhost, clock):
                await eventually(lambda: is_settled(scheduler))

        assert await billed(transactions) == [("2026-12-01", 157_500)] * 2
        await check_history(scheduler)
        asked = await (await channel.get_queue(queue_for("weather", WeatherCheckDue))).get(fail=False)
        assert asked is None, "no check of a weather that is over was announced"


async def check_history(scheduler: Scheduler) -> None:
    monthly = await scheduler.history("monthly-billing")
    assert {(item.zone, item.scheduled_for, item.origin, item.state) for item in monthly} == {
        (zone, datetime(2026, 12, 1, hour, tzinfo=UTC), "catch_up", "succeeded")
        for zone, hour in MIDNIGHTS.items()
    }
    daily = Counter((item.state, item.reason) for item in await scheduler.history("daily-billing"))
    assert daily == {("succeeded", None): 2, ("skipped", "coalesced"): daily["skipped", "coalesced"]}
    assert daily["skipped", "coalesced"] > 2 * 3 * 3
    checks = await scheduler.history("weather")
    assert {(item.state, item.reason) for item in checks} == {("missed", "policy")}
    # From 12:15 on the 29th to 10:00 on the 3rd; the one of 10:15 is still to come.
    assert len(checks) == 4 * 94


async def has_places(scheduler: Scheduler) -> bool:
    """Whether each schedule knows when it is due next: the due loop gives the places in the zones."""
    keys = [key for key in SCHEDULES if (await scheduler.schedule(key)).next_run_at is not None]
    return len(keys) == len(SCHEDULES)


async def is_settled(scheduler: Scheduler) -> bool:
    announced = [item for item in await scheduler.history() if item.announced_at is not None]
    return len(announced) == 4 and all(item.settled for item in announced)
