"""Three schedulers over schedules of every second, one of them killed again and again: nothing lost or doubled."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aio_pika
import pytest

from propman.dev import ServerUrls
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.store import ScheduleStore
from shared.clock import SystemClock
from shared.contracts.scheduler import MonthlyBillingDue
from shared.db import create_engine
from shared.messaging.naming import queue_for
from shared.messaging.transaction import Transactions
from tests.support.eventually import eventually
from tests.support.system import System, a_system

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

SCHEDULES = 20
KILLS = 5
QUEUE = queue_for("billing", MonthlyBillingDue)
ANNOUNCED = "select id::text from occurrences where announced_at is not null"


@pytest.fixture
async def system(servers: ServerUrls, tmp_path: Path) -> AsyncIterator[System]:
    """Three replicas, and nobody who takes what they announce."""
    async with a_system(servers, tmp_path) as made:
        await made.ask("scheduler", "delete from schedules")
        for number in range(3):
            made.start("scheduler", instance=str(number))
        yield made


async def add_schedules(system: System) -> None:
    engine = create_engine(system.environment["SCHEDULER_DATABASE_URL"], application="test")
    async with Transactions(engine, SystemClock()).command("test") as tx:
        for number in range(SCHEDULES):
            schedule = new_schedule(
                f"second-{number}",
                trigger="monthly-billing-due",
                spec={"kind": "interval", "anchor": "2026-01-01T00:00:00Z", "every_seconds": 1},
                rules=Rules(overlap="allow", run_timeout=None),
                now=tx.at,
            )
            assert await ScheduleStore(tx.connection).add_schedule(schedule, now=tx.at)
    await engine.dispose()


async def delivered(system: System) -> Counter[str]:
    """Every trigger in the consumer's queue, by its message id."""
    found: Counter[str] = Counter()
    connection = await aio_pika.connect(system.broker_url, timeout=5)
    async with connection:
        queue = await (await connection.channel()).get_queue(QUEUE)
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            found[str(message.message_id)] += 1
    return found


async def test_replicas_that_are_killed_lose_no_instant_and_announce_none_twice(system: System) -> None:
    chance = random.Random(20261124)
    await eventually(lambda: heartbeats(system), within=60)
    await add_schedules(system)

    for victim in chance.choices(system.names, k=KILLS):
        await asyncio.sleep(
            chance.uniform(1.0, 3.0)
        )  # so that those that were killed have a chance to be back
        system.kill(victim)
        system.restart(victim)
    await eventually(lambda: is_punctual(system), within=60)
    await system.ask("scheduler", "update schedules set state = 'paused'")
    await eventually(lambda: outbox_is_empty(system), within=60)

    rows = await system.ask(
        "scheduler", "select schedule_key, array_agg(scheduled_for) as instants from occurrences group by 1"
    )
    assert len(rows) == SCHEDULES
    for row in rows:
        first, last = min(row["instants"]), max(row["instants"])
        seconds = int((last - first) / timedelta(seconds=1)) + 1
        assert seconds >= KILLS
        wanted = [first + timedelta(seconds=number) for number in range(seconds)]
        assert sorted(row["instants"]) == wanted, "each second is there, and once"
    announced = {row["id"] for row in await system.ask("scheduler", ANNOUNCED)}
    assert announced
    assert set(await delivered(system)) == announced, (
        "each was sent, and a second time only as the same message"
    )


async def heartbeats(system: System) -> bool:
    return await system.number("scheduler", "select count(*) from instances") >= len(system.names)


async def is_punctual(system: System) -> bool:
    """Whether no schedule is more than a second behind."""
    behind = "select count(*) from schedules where next_run_at < now() - interval '1 second'"
    return await system.number("scheduler", behind) == 0


async def outbox_is_empty(system: System) -> bool:
    return await system.number("scheduler", "select count(*) from outbox") == 0
