"""A portfolio of 500 properties at 120 places: how often providers are asked, and how long it takes."""

import asyncio
import time
from collections import Counter

import pytest
import structlog

from services.weather.handlers import router
from tests.support.builders import a_property
from tests.support.messages import delivery_for, edge_for, subscription_for
from tests.weather.desk import ALERTS, Desk
from tests.weather.nws import NOON, answer, feature, minutes
from tests.weather.provider import Reply, Request
from tests.weather.test_asking import STATIONS, grid, observation

pytestmark = pytest.mark.timeout(300)  # 500 properties are registered one by one

log = structlog.get_logger()

PROPERTIES = 500
PLACES = 120


async def settle_in(desk: Desk) -> None:
    """Register the portfolio, four or five properties at each place."""
    facts = [a_property(latitude=30 + number % PLACES / 10, longitude=-90.0) for number in range(PROPERTIES)]
    edge = edge_for(desk.transactions)
    for fact in facts:
        await edge.take(subscription_for(router, fact), delivery_for(fact))


def point_of(request: Request) -> Reply:
    """Each place has a grid cell of its own, as places that are miles apart have."""
    row = round((float(request.path.split("/")[2].split(",")[0]) - 30) * 10)
    return Reply({"properties": {"gridId": "LIX", "gridX": row, "gridY": 1, "county": "zones/county/LAC001"}})


async def in_parallel(desk: Desk, check: str) -> float:
    """Ask everybody with four pollers at once; seconds of the real clock."""
    await desk.due(check)
    poller = desk.poller()

    async def work() -> None:
        while await poller.ask_next():
            pass

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(4)))
    return time.perf_counter() - began


async def test_one_poll_asks_each_place_once_per_kind_for_all_its_properties(desk: Desk) -> None:
    await settle_in(desk)
    desk.provider.says(ALERTS, Reply(answer(feature())))
    desk.provider.computes("/points", point_of)
    desk.provider.says("/gridpoints", Reply(grid()))
    for row in range(PLACES):
        desk.provider.says(f"/gridpoints/LIX/{row},1/stations", Reply(STATIONS))
    desk.provider.says("/stations", Reply(observation()))

    alerts = await in_parallel(desk, "alerts")
    first = Counter(desk.provider.by_kind())
    await in_parallel(desk, "conditions")
    desk.provider.requests.clear()
    desk.clock.moment = NOON + minutes(15)
    conditions = await in_parallel(desk, "conditions")

    told = Counter(body["property_id"] for _, body in await desk.said())
    log.info("measured", places=PLACES, alerts_seconds=alerts, conditions_seconds=conditions)
    assert first == {"alerts": PLACES}
    assert desk.provider.by_kind() == {"gridpoints": PLACES, "stations": PLACES}
    assert len(told) == PROPERTIES
    assert set(told.values()) == {1}
