"""Parts 2 and 3: messages of a queue into rows, each with its inbox row, one by one and in batches."""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import uvloop
from prometheus_client import CollectorRegistry

from benchmarks import sample
from benchmarks.bare.consuming import in_batches, one_by_one
from benchmarks.report import BenchmarkFailed, Figure
from benchmarks.servers import Place, depth, in_fresh_process, start_even
from shared.clock import SystemClock
from shared.db import create_engine
from shared.hosting import spare_the_collector
from shared.identity import new_id
from shared.logging import configure_logging
from shared.messaging.consumers import Consumers
from shared.messaging.edge import Edge, probe_database
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import EVENTS
from shared.messaging.outage import OutageGate
from shared.messaging.publisher import Outgoing, Publisher, properties
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Router
from shared.messaging.transaction import Transactions

QUEUE = sample.single.subscriptions[0].queue


async def measure_single(place: Place, count: int, repeat: int) -> Figure:
    """A transaction per message, in one process."""
    ours, bare = await _measure(place, count, repeat, take_singly, one_by_one)
    return Figure(
        part="single",
        work="inbox and one row, a transaction per message, one process",
        unit="messages",
        count=count,
        ours_seconds=ours,
        bare_seconds=bare,
        aim=600,
        documented_bound="1,350-1,950",
    )


async def measure_batch(place: Place, count: int, repeat: int) -> Figure:
    """A transaction for up to 200 messages."""
    ours, bare = await _measure(place, count, repeat, take_batched, in_batches)
    return Figure(
        part="batch",
        work="inbox and one row, a transaction per 200 messages, one process",
        unit="messages",
        count=count,
        ours_seconds=ours,
        bare_seconds=bare,
        aim=4_000,
        documented_bound="6,000-9,600",
    )


async def _measure(
    place: Place,
    count: int,
    repeat: int,
    our_way: Callable[[Place, int], float],
    bare_way: Callable[[str, str, str, int], float],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(repeat):
        await _fill(place, count)
        ours.append(await in_fresh_process(our_way, place, count))
        await _check(place, count)
        await _fill(place, count)
        bare.append(await in_fresh_process(bare_way, place.dsn, place.broker_url, QUEUE, count))
        await _check(place, count)
    return tuple(ours), tuple(bare)


def take_singly(place: Place, count: int) -> float:
    """Take `count` messages one by one; returns the seconds it took, connecting included."""
    return _run(place, sample.single, count)


def take_batched(place: Place, count: int) -> float:
    """Take `count` messages in batches; returns the seconds it took, connecting included."""
    return _run(place, sample.batched, count)


def _run(place: Place, router: Router, count: int) -> float:
    # Every line is made as a service makes it, and goes nowhere.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure_logging(level="info", style="json", stream=nowhere)
        spare_the_collector()
        return uvloop.run(_take(place, router, count))


async def _take(place: Place, router: Router, count: int) -> float:
    started = time.perf_counter()
    metrics = MessagingMetrics(CollectorRegistry())
    engine = create_engine(place.database_url, application=sample.CONSUMER)
    transactions = Transactions(engine, SystemClock())
    ladder = RetryLadder(Publisher(place.broker_url, name="unused"), source=sample.CONSUMER)
    edge = Edge(transactions, ladder, metrics, OutageGate(lambda: probe_database(transactions)))
    consumers = Consumers(
        place.broker_url, service=sample.CONSUMER, subscriptions=router.subscriptions, edge=edge
    )
    await consumers.start()
    handled = metrics.handled.labels(sample.ItemMeasured.topic, "done")
    async with asyncio.timeout(300):
        # The counter itself: collecting a whole registry every 5 ms would be measured too.
        while handled._value.get() < count:  # noqa: SLF001, ASYNC110
            await asyncio.sleep(0.005)
    seconds = time.perf_counter() - started
    await consumers.stop()
    await engine.dispose()
    return seconds


async def _fill(place: Place, count: int) -> None:
    await start_even(place.admin_url, ["inbox", "outbox", "items", "dead_letters"])
    publisher = Publisher(place.broker_url, name="propman-benchmarks-fill")
    for first in range(0, count, 500):
        size = min(500, count - first)
        await publisher.publish([_outgoing() for _ in range(size)])
    await publisher.close()


def _outgoing() -> Outgoing:
    identity, topic = str(new_id()), sample.ItemMeasured.topic
    described = properties(
        message_id=identity,
        topic=topic,
        correlation_id=identity,
        source=sample.CONSUMER,
        timestamp=datetime.now(UTC),
        headers={"ce-specversion": "1.0", "ce-subject": identity},
    )
    return Outgoing(EVENTS, topic, sample.a_body(), described)


async def _check(place: Place, count: int) -> None:
    connection = await asyncpg.connect(place.dsn)
    try:
        stored = await connection.fetchrow(
            "select (select count(*) from items), (select count(*) from inbox)"
        )
    finally:
        await connection.close()
    left = await depth(place.broker_url, QUEUE)
    if (*stored, left) != (count, count, 0):
        raise BenchmarkFailed(
            f"of {count} messages {stored[0]} rows, {stored[1]} inbox rows; {left} are left"
        )
