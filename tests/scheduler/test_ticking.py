"""The due loop on a real database: once per instant, whoever ticks, and nobody waits for a bad schedule."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import sqlalchemy as sa

from services.scheduler.announcing import occurrence_id
from services.scheduler.schema import occurrences, schedules
from services.scheduler.ticking import TOGETHER, DueLoop, fire_due, sleep_seconds
from shared.db import create_engine, driver_url
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.scheduler.driver import START, Scheduler, SetClock, until
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers

FIVE_PAST = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


async def test_nothing_runs_before_it_is_due(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=4, seconds=59)

    assert await scheduler.tick() == []
    assert await emitted(scheduler.transactions) == []


async def test_a_due_schedule_is_announced_once_with_its_occurrence(
    scheduler: Scheduler, clock: SetClock
) -> None:
    schedule = await scheduler.add(period="2026-12")
    clock.advance(minutes=5, seconds=1)

    await scheduler.drain()

    [occurrence] = await scheduler.history()
    [(topic, trigger)] = await emitted(scheduler.transactions)
    assert occurrence.id == occurrence_id(schedule.id, "UTC", FIVE_PAST, "schedule")
    assert (occurrence.state, occurrence.expected, occurrence.scheduled_for) == (
        "waiting",
        ("billing",),
        FIVE_PAST,
    )
    assert topic == "scheduler.monthly_billing_due.v1"
    assert (trigger["occurrence_id"], trigger["schedule_key"]) == (str(occurrence.id), "rent")
    assert (trigger["as_of"], trigger["period"]) == ("2026-11-20T12:05:00Z", "2026-12")


async def test_the_trigger_begins_a_story_under_the_id_of_its_occurrence(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add()
    clock.advance(minutes=6)

    await scheduler.drain()

    [occurrence] = await scheduler.history()
    async with scheduler.transactions.engine.connect() as connection:
        row = (await connection.execute(sa.select(outbox))).one()
    assert row.message_id == row.correlation_id == occurrence.id
    assert json.loads(row.body)["origin"] == "schedule"


async def test_the_next_run_is_the_next_instant_after_now(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=6)

    await scheduler.drain()

    schedule = await scheduler.schedule()
    assert schedule.next_run_at == FIVE_PAST + timedelta(hours=1)
    assert schedule.last_run_at == FIVE_PAST


async def test_missed_runs_become_one_that_says_how_many(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(days=2, minutes=10)

    await scheduler.drain()

    [occurrence, *others] = await scheduler.history()
    [(_topic, trigger)] = await emitted(scheduler.transactions)
    assert (occurrence.coalesced, occurrence.coalesced_from) == (49, FIVE_PAST)
    assert {(other.state, other.reason, other.coalesced) for other in others} == {("skipped", "coalesced", 1)}
    assert len({other.scheduled_for for other in others}) == 48
    assert (occurrence.origin, trigger["origin"]) == ("catch_up", "catch_up")
    assert trigger["as_of"] == "2026-11-22T12:05:00Z"


async def test_replicas_that_tick_at_once_create_each_occurrence_once(
    scheduler: Scheduler, clock: SetClock
) -> None:
    for number in range(40):
        await scheduler.add(f"rent-{number}")
    clock.advance(minutes=5, seconds=1)

    await asyncio.gather(*(scheduler.drain() for _ in range(8)))
    await scheduler.drain()

    assert TOGETHER < 40, "or one replica would take them all"
    assert len(await scheduler.history()) == 40
    assert len({item["occurrence_id"] for _topic, item in await emitted(scheduler.transactions)}) == 40
    assert len(await emitted(scheduler.transactions)) == 40


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"spec": {"kind": "cron", "expr": "not a cron at all", "timezone": "UTC"}}, "InvalidSpec"),
        ({"trigger": "scheduler.unknown_due.v1"}, "UnknownTrigger"),
        ({"payload": {"period": "soon"}}, "InvalidPayload"),
        ({"spec": {"kind": "cron", "expr": "5 * * * *", "timezone": "Mars/Base"}}, "InvalidSpec"),
        ({"runs": 2**31 - 1}, "out of int32 range"),  # its trigger is emitted by then
    ],
)
async def test_a_bad_schedule_fails_alone(
    scheduler: Scheduler, clock: SetClock, damage: dict[str, object], reason: str
) -> None:
    await scheduler.add("bad")
    await scheduler.add("good")
    async with scheduler.transactions.engine.begin() as connection:
        earlier = clock.now() - timedelta(days=1)
        await connection.execute(
            sa.update(schedules).where(schedules.c.key == "bad").values(next_run_at=earlier, **damage)
        )
    clock.advance(minutes=5, seconds=1)

    await scheduler.drain()

    bad = await scheduler.schedule("bad")
    assert [occurrence.schedule_key for occurrence in await scheduler.history()] == ["good"]
    assert (bad.state, bad.error_count, bad.retry_at) == ("error", 1, clock.now() + timedelta(seconds=5))
    assert reason in str(bad.last_error)
    assert len(await emitted(scheduler.transactions)) == 1


async def test_a_repaired_schedule_recovers_by_itself(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.update(schedules).values(spec={"kind": "broken"}))
    clock.advance(minutes=5, seconds=1)
    await scheduler.drain()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(
            sa.update(schedules).values(spec={"kind": "cron", "expr": "5 * * * *", "timezone": "UTC"})
        )
    clock.advance(seconds=6)

    await scheduler.drain()

    schedule = await scheduler.schedule()
    assert (schedule.state, schedule.error_count, schedule.last_error) == ("active", 0, None)
    assert len(await scheduler.history()) == 1


async def test_a_failing_schedule_is_left_alone_until_its_retry(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.update(schedules).values(spec={"kind": "broken"}))
    clock.advance(minutes=6)

    await scheduler.drain()
    await scheduler.drain()

    assert (await scheduler.schedule()).error_count == 1


async def test_a_crash_before_the_commit_leaves_nothing_behind(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=6)

    with pytest.raises(RuntimeError, match="killed"):
        await crash_while_firing(scheduler)

    assert await scheduler.history() == []
    assert await emitted(scheduler.transactions) == []
    assert (await scheduler.schedule()).next_run_at == FIVE_PAST


async def crash_while_firing(scheduler: Scheduler) -> None:
    async with scheduler.transactions.command("test") as tx:
        await fire_due(tx)
        raise RuntimeError("killed")


async def test_an_occurrence_that_is_there_already_is_not_announced_again(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add()
    clock.advance(minutes=5, seconds=1)
    await scheduler.drain()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.update(schedules).values(next_run_at=FIVE_PAST))

    await scheduler.drain()

    assert await count_rows(scheduler.transactions, occurrences) == 1
    assert len(await emitted(scheduler.transactions)) == 1
    assert (await scheduler.schedule()).next_run_at == FIVE_PAST + timedelta(hours=1)


@pytest.mark.parametrize(
    ("cron", "around", "expected"),
    [
        ("30 2 * * *", "2025-03-08T12:00:00Z", ["2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"]),
        ("30 1 * * *", "2025-11-01T12:00:00Z", ["2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"]),
        ("0 0 1 * *", "2026-03-15T12:00:00Z", ["2026-04-01T04:00:00Z", "2026-05-01T04:00:00Z"]),
    ],
)
async def test_a_clock_change_neither_loses_nor_doubles_a_run(
    scheduler: Scheduler, clock: SetClock, cron: str, around: str, expected: list[str]
) -> None:
    clock.moment = datetime.fromisoformat(around)
    await scheduler.add(cron=cron, time_zone="America/New_York")

    while len(await scheduler.history()) < len(expected):
        clock.moment = (await scheduler.schedule()).next_run_at or clock.moment
        await scheduler.drain()

    assert [trigger["as_of"] for _topic, trigger in await emitted(scheduler.transactions)] == expected
    assert {trigger["zone"] for _topic, trigger in await emitted(scheduler.transactions)} == {
        "America/New_York"
    }


def test_the_loop_sleeps_until_the_next_run_within_its_limits() -> None:
    assert sleep_seconds(START + timedelta(seconds=0.4), START) == pytest.approx(0.4)
    assert sleep_seconds(START + timedelta(days=1), START) == 1.0
    assert sleep_seconds(START - timedelta(days=1), START) == 0.05
    assert sleep_seconds(None, START) == 1.0


async def test_the_loop_fires_what_is_due_and_stops_when_asked(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=6)
    loop = DueLoop(scheduler.transactions)

    task = asyncio.create_task(loop.run())
    await until(scheduler.history)
    loop.stop()
    await asyncio.wait_for(task, timeout=2)

    assert len(await scheduler.history()) == 1


async def test_the_loop_outlives_a_database_that_goes_away(
    scheduler: Scheduler, clock: SetClock, databases: TestDatabases
) -> None:
    await scheduler.add()
    loop = DueLoop(scheduler.transactions)
    task = asyncio.create_task(loop.run())
    await asyncio.sleep(0.2)

    await cut_connections(databases, scheduler.transactions)
    clock.advance(minutes=6)
    elsewhere = create_engine(await databases.url("scheduler"), application="observer")  # a pool nobody cut
    observer = Scheduler(Transactions(elsewhere, clock), clock)
    await until(observer.history, within=10)
    await elsewhere.dispose()

    assert not task.done()
    loop.stop()
    await asyncio.wait_for(task, timeout=2)


async def cut_connections(databases: TestDatabases, transactions: Transactions) -> None:
    """End every session of the service, as a restart of PostgreSQL does."""
    admin = await asyncpg.connect(driver_url(databases.admin_url("scheduler")))
    try:
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
            transactions.engine.url.username,
        )
    finally:
        await admin.close()
