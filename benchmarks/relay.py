"""Part 1: an outbox of 20,000 rows to a quorum queue, each confirmed and then deleted."""

import asyncio
import time
from uuid import uuid4

import asyncpg
import uvloop
from prometheus_client import CollectorRegistry

from benchmarks import sample
from benchmarks.bare.relay import relay as bare_relay
from benchmarks.report import BenchmarkFailed, Figure
from benchmarks.servers import Place, depth, in_fresh_process, purge, start_even
from shared.clock import SystemClock
from shared.hosting import spare_the_collector
from shared.logging import configure_logging
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import EVENTS
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay

_FILL = """insert into outbox (message_id, topic, subject, correlation_id, must_be_heard, body, occurred_at)
    select gen_random_uuid(), $2, gen_random_uuid()::text, $3, false, $4, now()
    from generate_series(1, $1::int)"""


async def measure(place: Place, count: int, repeat: int) -> Figure:
    """Our relay and the bare one, in turn, on the same rows."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(repeat):
        await _fill(place, count)
        ours.append(await in_fresh_process(relay, place))
        await _check(place, count)
        await _fill(place, count)
        bare.append(await in_fresh_process(bare_relay, place.dsn, place.broker_url, EVENTS))
        await _check(place, count)
    return Figure(
        part="relay",
        work="outbox to a quorum queue, confirmed, deleted",
        unit="messages",
        count=count,
        ours_seconds=tuple(ours),
        bare_seconds=tuple(bare),
        aim=4_000,
        documented_bound="3,080-4,250",
    )


def relay(place: Place) -> float:
    """Empty the outbox with our relay; returns the seconds it took, connecting included."""
    configure_logging(level="info", style="json")
    spare_the_collector()
    return uvloop.run(_relay(place))


async def _relay(place: Place) -> float:
    emptying = Relay(
        service=sample.CONSUMER,
        dsn=place.dsn,
        publisher=Publisher(place.broker_url, name="propman-benchmarks-relay"),
        metrics=MessagingMetrics(CollectorRegistry()),
        clock=SystemClock(),
    )
    started = time.perf_counter()
    running = asyncio.create_task(emptying.run())
    await asyncio.sleep(0)
    emptying.stop()  # it returns when the outbox is empty
    await running
    return time.perf_counter() - started


async def _fill(place: Place, count: int) -> None:
    await start_even(place.admin_url, ["outbox"])
    connection = await asyncpg.connect(place.dsn)
    try:
        await connection.execute(_FILL, count, sample.ItemMeasured.topic, uuid4(), sample.a_body())
    finally:
        await connection.close()


async def _check(place: Place, count: int) -> None:
    queue = sample.single.subscriptions[0].queue
    arrived = await depth(place.broker_url, queue)
    connection = await asyncpg.connect(place.dsn)
    try:
        left = await connection.fetchval("select count(*) from outbox")
    finally:
        await connection.close()
    if (arrived, left) != (count, 0):
        raise BenchmarkFailed(f"relay: {arrived} of {count} messages arrived, {left} rows are left")
    await purge(place.broker_url, queue)
