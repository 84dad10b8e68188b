"""`python -m benchmarks.scheduler_replicas`: schedules of every second, and schedulers that are killed.

First without kills: how late a trigger is heard by somebody who only listens, and how late a consumer that
takes one at a time has done its work. Then one of three replicas is killed every 100 ms: every instant is
there once, every trigger was delivered, a second time only as the same message, and its effect came once.

Real PostgreSQL and RabbitMQ. A replica is the due loop and the relay of `propman run scheduler`, forked from
a process that has loaded them: one that takes two seconds to start would never be up to be killed.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import UUID

import aio_pika
import asyncpg
import sqlalchemy as sa
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from prometheus_client import CollectorRegistry

from benchmarks.machine import machine_facts
from benchmarks.report import BenchmarkFailed
from benchmarks.servers import Place, execute, make_place, private_servers
from propman.catalog import app_module
from propman.dev import ServerUrls
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.schema import WAKE_CHANNEL
from services.scheduler.store import ScheduleStore
from services.scheduler.ticking import DueLoop
from shared.cli import print_record, say
from shared.clock import SystemClock
from shared.contracts.scheduler import MonthlyBillingDue
from shared.db import create_engine
from shared.hosting import spare_the_collector
from shared.logging import configure_logging
from shared.messaging import topology
from shared.messaging.consumers import Consumers
from shared.messaging.edge import Edge, probe_database
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import EVENTS
from shared.messaging.outage import OutageGate
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Router
from shared.messaging.tables import V1
from shared.messaging.transaction import Transactions, Tx
from shared.wake import WakeUp

REPLICAS: Final = 3
SECOND: Final = timedelta(seconds=1)
WARMING_UP: Final = timedelta(seconds=3)
PATIENCE_SECONDS: Final = 300
SETTLING_SECONDS: Final = 2
AT_WORK: Final = 0.5
"""What part of the instants must have been announced when the killing ends."""

MANY_KILLS: Final = 300
"""So many leave some trigger that was sent and not yet known to be: it must have come again."""

EFFECTS: Final = """create table effects (
    message_id uuid not null, as_of timestamptz not null, seen_at timestamptz not null)"""
_EFFECT: Final = sa.text("insert into effects values (:message_id, :as_of, :seen_at)")

consumer: Final = Router("billing")


@consumer.on(MonthlyBillingDue)
async def take_effect(due: MonthlyBillingDue, tx: Tx) -> None:
    """A row without a key of its own: but for the inbox, a second delivery would be a second row."""
    seen = {"message_id": tx.cause.message_id, "as_of": due.as_of, "seen_at": SystemClock().now()}
    await tx.connection.execute(_EFFECT, seen)


def replica(place: Place) -> None:
    """One scheduler, until it is killed."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure_logging(level="warning", style="json", stream=nowhere)
        spare_the_collector()
        uvloop.run(_schedule(place))


async def _schedule(place: Place) -> None:
    engine = create_engine(place.database_url, application="bench")
    transactions = Transactions(engine, SystemClock())
    relay = Relay(
        service="scheduler",
        dsn=place.dsn,
        publisher=Publisher(place.broker_url, name="bench"),
        metrics=MessagingMetrics(CollectorRegistry()),
        clock=transactions.clock,
    )
    await asyncio.gather(DueLoop(transactions, WakeUp(place.dsn, WAKE_CHANNEL)).run(), relay.run())


class Listener:
    """Hears every trigger, in a process that does nothing else."""

    def __init__(self, broker_url: str) -> None:
        """Starts it; `heard` waits until it listens."""
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = _FORKS.Process(target=listen, args=(broker_url, theirs), daemon=True)
        self._process.start()

    async def heard(self) -> dict[UUID, datetime]:
        """When it first heard each, until now."""
        self._pipe.send(None)
        found: dict[UUID, datetime] = await asyncio.to_thread(self._pipe.recv)
        return found

    def stop(self) -> None:
        """It hears no more."""
        self._process.kill()
        self._process.join()


def listen(broker_url: str, pipe: "Connection[Any, Any]") -> None:
    """Until it is killed: whenever it is asked, say when each trigger was first heard."""
    uvloop.run(_listen(broker_url, pipe))


async def _listen(broker_url: str, pipe: "Connection[Any, Any]") -> None:
    first: dict[UUID, datetime] = {}

    async def hear(message: AbstractIncomingMessage) -> None:
        first.setdefault(UUID(message.message_id), SystemClock().now())

    async with await aio_pika.connect(broker_url) as connection:
        queue = await (await connection.channel()).declare_queue(exclusive=True)
        await queue.bind(EVENTS, MonthlyBillingDue.topic)
        await queue.consume(hear, no_ack=True)
        while True:
            await asyncio.to_thread(pipe.recv)
            pipe.send(first)


@dataclass
class Replicas:
    """Schedulers in processes of their own."""

    place: Place
    running: list[BaseProcess] = field(default_factory=list)

    def start(self) -> None:
        """One more."""
        process = _FORKS.Process(target=replica, args=(self.place,), daemon=True)
        process.start()
        self.running.append(process)

    def kill(self, victim: BaseProcess) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        victim.kill()
        victim.join()
        self.running.remove(victim)


_FORKS: Final = multiprocessing.get_context("forkserver")


async def measure(urls: ServerUrls, options: argparse.Namespace) -> None:
    """Both parts; raises `BenchmarkFailed` where an instant is missing, came twice or had two effects."""
    _FORKS.set_forkserver_preload(["services.scheduler.app", "propman.catalog", "propman.dev", "aio_pika"])
    own = await make_place(urls, "scheduler", app_module("scheduler").MIGRATIONS)
    theirs = await make_place(urls, "billing", [*V1, EFFECTS])
    async with await aio_pika.connect(own.broker_url) as connection:
        await topology.declare(await connection.channel(), consumer.subscriptions)
    facts = await machine_facts(urls)
    consumers, metrics = await _consume(theirs)
    replicas, listener = Replicas(own), Listener(own.broker_url)
    await listener.heard()
    run = partial(_run, replicas, theirs, listener, options.schedules)
    try:
        calm = await run(options.seconds, kill_every=None)
        wild = await run(options.kills, kill_every=0.1)
    finally:
        listener.stop()
        for process in list(replicas.running):
            replicas.kill(process)
        await consumers.stop()
    again = metrics.handled.labels(MonthlyBillingDue.topic, "repeat")._value.get()  # noqa: SLF001
    if not again and options.kills * 10 >= MANY_KILLS:
        raise BenchmarkFailed("no trigger was delivered a second time: nothing was shown about that")
    print_record({"without kills": calm, "a kill every 100 ms": wild, "delivered again": f"{again:.0f}"})
    print_record(facts)


async def _consume(place: Place) -> tuple[Consumers, MessagingMetrics]:
    metrics = MessagingMetrics(CollectorRegistry())
    transactions = Transactions(create_engine(place.database_url, application="bench"), SystemClock())
    ladder = RetryLadder(Publisher(place.broker_url, name="unused"), source="billing")
    edge = Edge(transactions, ladder, metrics, OutageGate(lambda: probe_database(transactions)))
    consumers = Consumers(
        place.broker_url, service="billing", subscriptions=consumer.subscriptions, edge=edge
    )
    await consumers.start()
    return consumers, metrics


async def _run(
    replicas: Replicas,
    theirs: Place,
    listener: Listener,
    schedules: int,
    seconds: float,
    *,
    kill_every: float | None,
) -> str:
    own = replicas.place
    await execute(own.admin_url, "truncate schedules, occurrences, outbox cascade")
    await execute(theirs.admin_url, "truncate effects")
    while len(replicas.running) < REPLICAS:
        replicas.start()
    await asyncio.sleep(2)  # until they listen
    first = await _add(own, schedules)
    kills = await _let_run(replicas, seconds, kill_every)
    announced = (await _rows(own, "select count(*) from occurrences"))[0][0]
    if announced < schedules * seconds * AT_WORK:
        raise BenchmarkFailed(f"{announced} instants were announced by the end: most came afterwards")
    await _until_punctual(own)
    await execute(own.admin_url, "update schedules set state = 'paused'")
    await _until(own, "select not exists (select from outbox)")
    rows = await _rows(own, "select id, schedule_key, scheduled_for from occurrences")
    until = {row["key"]: row["next_run_at"] for row in await _rows(own, "select * from schedules")}
    await _until(theirs, f"select (select count(distinct message_id) from effects) >= {len(rows)}")
    await asyncio.sleep(SETTLING_SECONDS)  # a second effect of the last ones would come now
    effects = await _rows(theirs, "select * from effects")
    _check(rows, effects, {key: (since, until[key]) for key, since in first.items()})
    return f"{len(rows)} instants, {kills} kills; {_lateness(rows, await listener.heard(), effects)}"


async def _let_run(replicas: Replicas, seconds: float, kill_every: float | None) -> int:
    chance, kills = random.Random(20261124), 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    if kill_every is None:
        await asyncio.sleep(seconds)
        return 0
    while loop.time() < began + seconds:
        await asyncio.sleep(began + (kills + 1) * kill_every - loop.time())
        replicas.kill(chance.choice(replicas.running))
        replicas.start()
        kills += 1
    return kills


async def _add(place: Place, count: int) -> dict[str, datetime]:
    """Schedules of every second; the first instant of each."""
    first: dict[str, datetime] = {}
    engine = create_engine(place.database_url, application="bench")
    async with Transactions(engine, SystemClock()).command("bench") as tx:
        for number in range(count):
            schedule = new_schedule(
                f"second-{number}",
                trigger=MonthlyBillingDue.topic,
                spec={"kind": "interval", "anchor": "2026-01-01T00:00:00Z", "every_seconds": 1},
                rules=Rules(catch_up="all", overlap="allow", run_timeout=None),
                now=tx.at,
            )
            await ScheduleStore(tx.connection).add_schedule(schedule, now=tx.at)
            assert schedule.next_run_at is not None
            first[schedule.key] = schedule.next_run_at
    await engine.dispose()
    return first


async def _until_punctual(place: Place) -> None:
    behind = "select not exists (select from schedules where next_run_at < now() - interval '1 second')"
    await _until(place, behind)


async def _until(place: Place, query: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await _rows(place, query))[0][0]:  # noqa: ASYNC110 - other processes do it
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BenchmarkFailed(f"not so after {PATIENCE_SECONDS} s: {query}") from None


async def _rows(place: Place, query: str) -> list[Any]:
    connection = await asyncpg.connect(place.dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def _check(rows: list[Any], effects: list[Any], spans: dict[str, tuple[datetime, datetime]]) -> None:
    """Each second of each schedule once, from its first to the one it waits for; each with one effect."""
    instants: dict[str, list[datetime]] = {key: [] for key in spans}
    for row in rows:
        instants[row["schedule_key"]].append(row["scheduled_for"])
    for key, (since, until) in spans.items():
        wanted = [since + number * SECOND for number in range((until - since) // SECOND)]
        if not wanted or sorted(instants[key]) != wanted:
            raise BenchmarkFailed(f"{key}: {len(instants[key])} occurrences of {len(wanted)} seconds")
    ids: list[UUID] = [row["message_id"] for row in effects]
    if len(ids) != len(set(ids)) or set(ids) != {row["id"] for row in rows}:
        raise BenchmarkFailed(f"{len(ids)} effects of {len(set(ids))} triggers, {len(rows)} occurrences")


def _lateness(rows: list[Any], heard: Mapping[UUID, datetime], effects: list[Any]) -> str:
    since = min(row["scheduled_for"] for row in rows) + WARMING_UP
    said = [heard[row["id"]] - row["scheduled_for"] for row in rows if row["scheduled_for"] >= since]
    done = [row["seen_at"] - row["as_of"] for row in effects if row["as_of"] >= since]
    return f"heard {_spread(said)}, done {_spread(done)}"


def _spread(found: list[timedelta]) -> str:
    milliseconds = quantiles([item.total_seconds() * 1_000 for item in found], n=100)
    return f"p50 {milliseconds[49]:.0f} ms, p99 {milliseconds[98]:.0f} ms"


def main() -> None:
    """Parse, start servers, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30, help="without kills")
    parser.add_argument("--kills", type=float, default=60, help="seconds with one every 100 ms, at least 10")
    options = parser.parse_args()
    configure_logging(level="error", style="console", stream=sys.stderr)
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    with private_servers() as (urls, _directory), suppress(KeyboardInterrupt):
        uvloop.run(measure(urls, options))


if __name__ == "__main__":
    main()
