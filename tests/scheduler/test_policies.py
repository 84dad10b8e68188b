"""The policies on a real database: slots, timeouts, limits, jitter, and a row for whatever did not run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.scheduler.announcing import occurrence_id
from services.scheduler.domain.rules import Rules
from services.scheduler.handlers import router
from services.scheduler.overview import overview
from services.scheduler.reporting import outcome_words
from services.scheduler.schema import WAKE_CHANNEL, occurrences
from services.scheduler.ticking import DueLoop
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome
from shared.db import driver_url
from shared.messaging.tables import outbox
from shared.wake import WakeUp
from tests.scheduler.driver import START, Scheduler, SetClock, until
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers

MINUTE = timedelta(minutes=1)


async def answer(scheduler: Scheduler, index: int = 0, **parts: Any) -> None:
    """Billing answers the newest announced run, or one before it."""
    announced = [item for item in await scheduler.history() if item.announced_at]
    outcome = TriggerOutcome(
        occurrence_id=announced[index].id,
        trigger=MonthlyBillingDue.topic,
        consumer="billing",
        finished_at=scheduler.clock.now(),
        **{"state": "succeeded", **parts},
    )
    await deliver(scheduler.transactions, router, outcome)


async def states(scheduler: Scheduler) -> list[str]:
    """What came of each instant, oldest first."""
    found = sorted(await scheduler.history(), key=lambda item: item.scheduled_for)
    return [f"{item.state}:{item.reason}" if item.reason else item.state for item in found]


async def test_a_run_that_waits_is_held_by_its_own_schedule_alone(
    scheduler: Scheduler, clock: SetClock
) -> None:
    one_at_a_time = Rules(overlap="queue_one", run_timeout=timedelta(minutes=2, seconds=30))
    await scheduler.add("short", cron="* * * * *", rules=one_at_a_time)
    await scheduler.add(
        "long", cron="0 13 * * *", rules=replace(one_at_a_time, run_timeout=timedelta(days=1))
    )
    clock.moment = START + timedelta(hours=1)
    await scheduler.round()
    clock.advance(minutes=1)
    await scheduler.round()

    clock.advance(minutes=1, seconds=45)
    await scheduler.round()

    short = sorted(await scheduler.history("short"), key=lambda item: item.scheduled_for)
    assert [item.state for item in short[-3:]] == ["timed_out", "waiting", "skipped"]
    assert [item.state for item in await scheduler.history("long")] == ["waiting"]


async def test_a_run_is_skipped_while_another_is_under_way(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(overlap="skip"))
    for _ in range(2):
        clock.advance(minutes=1)
        await scheduler.round()
    await answer(scheduler)
    clock.advance(minutes=1)
    await scheduler.round()

    assert await states(scheduler) == ["succeeded", "skipped:overlap", "waiting"]
    assert len(await emitted(scheduler.transactions)) == 2


async def test_runs_may_overlap_where_that_is_allowed(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(overlap="allow"))
    for _ in range(3):
        clock.advance(minutes=1)
        await scheduler.round()

    assert await states(scheduler) == ["waiting"] * 3


async def test_one_run_waits_for_the_end_of_another(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(overlap="queue_one"))
    for _ in range(3):
        clock.advance(minutes=1)
        await scheduler.round()
    before = await states(scheduler)

    await answer(scheduler)
    await scheduler.round()

    assert before == ["waiting", "queued", "skipped:overlap"]
    assert await states(scheduler) == ["succeeded", "waiting", "skipped:overlap"]
    ids = [item["occurrence_id"] for _topic, item in await emitted(scheduler.transactions)]
    assert len(set(ids)) == 2


async def test_replicas_release_a_waiting_run_once(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(overlap="queue_one"))
    for _ in range(2):
        clock.advance(minutes=1)
        await scheduler.round()
    await answer(scheduler)

    await asyncio.gather(*(scheduler.round() for _ in range(6)))

    assert len(await emitted(scheduler.transactions)) == 2


async def test_a_timed_out_run_frees_its_slot(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(run_timeout=timedelta(seconds=90)))
    for _ in range(3):
        clock.advance(minutes=1)
        await scheduler.round()

    assert await states(scheduler) == ["timed_out", "skipped:overlap", "waiting"]
    [first, *_] = sorted(await scheduler.history(), key=lambda item: item.scheduled_for)
    assert outcome_words(first) == "timed out: nothing from billing"


async def test_a_success_after_the_timeout_is_a_late_one(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(rules=Rules(run_timeout=MINUTE))
    clock.advance(minutes=5)
    await scheduler.round()
    clock.advance(minutes=2)
    await scheduler.round()

    await answer(scheduler)

    assert await states(scheduler) == ["succeeded_late"]


async def test_what_is_older_than_the_window_is_missed_and_the_rest_announced_each(
    scheduler: Scheduler, clock: SetClock
) -> None:
    rules = Rules(catch_up="all", catch_up_window=timedelta(hours=3), catch_up_max=2, overlap="allow")
    await scheduler.add(cron="0 * * * *", rules=rules)
    clock.advance(hours=5, minutes=30)

    await scheduler.round()

    assert await states(scheduler) == ["missed:window", "missed:window", "missed:cap", "waiting", "waiting"]
    announced = [trigger["as_of"] for _topic, trigger in await emitted(scheduler.transactions)]
    assert announced == ["2026-11-20T16:00:00Z", "2026-11-20T17:00:00Z"]


async def test_what_is_late_is_missed_where_nothing_is_to_be_caught_up(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(cron="0 * * * *", rules=Rules(catch_up="skip"))
    clock.advance(hours=2, minutes=30)

    await scheduler.round()

    assert await states(scheduler) == ["missed:policy", "missed:policy"]
    assert await emitted(scheduler.transactions) == []
    assert (await scheduler.schedule()).next_run_at == START + timedelta(hours=3)


async def test_a_schedule_ends_after_its_last_run(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(max_runs=2, overlap="allow"))
    for _ in range(4):
        clock.advance(minutes=1)
        await scheduler.round()

    schedule = await scheduler.schedule()
    assert await states(scheduler) == ["waiting", "waiting"]
    assert (schedule.state, schedule.next_run_at, schedule.runs) == ("ended", None, 2)


async def test_what_is_due_once_runs_once_and_ends(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(spec={"kind": "once", "at": "2026-11-20T12:30:00Z"})
    clock.advance(hours=1)

    await scheduler.round()
    await scheduler.round()

    assert await states(scheduler) == ["waiting"]
    assert (await scheduler.schedule()).state == "ended"


async def test_the_31st_comes_back_after_a_short_month(scheduler: Scheduler, clock: SetClock) -> None:
    month_ends = {
        "kind": "monthly",
        "start_month": "2027-01",
        "every_months": 1,
        "day": 31,
        "time": "09:00",
        "timezone": "America/New_York",
    }
    await scheduler.add(spec=month_ends, rules=Rules(overlap="allow"))
    for _ in range(3):
        clock.moment = (await scheduler.schedule()).next_run_at or clock.moment
        await scheduler.round()

    days = [str(trigger["as_of"])[:10] for _topic, trigger in await emitted(scheduler.transactions)]
    assert days == ["2027-01-31", "2027-02-28", "2027-03-31"]


async def test_jitter_puts_a_run_off_and_leaves_its_identity(scheduler: Scheduler, clock: SetClock) -> None:
    schedule = await scheduler.add(cron="0 * * * *", rules=Rules(jitter=timedelta(minutes=30)))
    nominal = START + timedelta(hours=1)
    assert timedelta() < schedule.delay < timedelta(minutes=30)

    clock.moment = nominal + schedule.delay - timedelta(milliseconds=1)
    await scheduler.round()
    assert await scheduler.history() == []
    clock.moment = nominal + schedule.delay
    await scheduler.round()

    [occurrence] = await scheduler.history()
    assert occurrence.id == occurrence_id(schedule.id, "UTC", nominal, "schedule")
    assert occurrence.scheduled_for == nominal


async def test_catching_up_leaves_alone_what_jitter_still_puts_off(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(cron="0 * * * *", rules=Rules(jitter=timedelta(minutes=59), catch_up="all"))
    clock.moment = START + timedelta(hours=3)

    await scheduler.round()

    announced = [trigger["as_of"] for _topic, trigger in await emitted(scheduler.transactions)]
    assert announced == ["2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z"]
    assert (await scheduler.schedule()).next_run_at == START + timedelta(hours=3)


async def test_a_trigger_that_no_queue_took_says_so(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=5)
    await scheduler.round()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.update(outbox).values(last_error="unroutable: no queue is bound"))

    [occurrence] = await scheduler.history()
    async with scheduler.transactions.engine.connect() as connection:
        [row] = await overview(connection, clock.now())

    assert outcome_words(occurrence) == "not delivered: unroutable: no queue is bound"
    assert row["flag"] == "not delivered: unroutable: no queue is bound"


async def test_a_change_wakes_the_loop_long_before_it_would_look(
    scheduler: Scheduler, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.scheduler.ticking.LONGEST_SLEEP", 60.0)
    wake = WakeUp(driver_url(await databases.url("scheduler")), WAKE_CHANNEL)
    loop = DueLoop(scheduler.transactions, wake)
    task = asyncio.create_task(loop.run())
    await asyncio.sleep(0.5)  # it listens, and has nothing to do for a minute

    await scheduler.add(cron="* * * * *")
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.text("update schedules set next_run_at = :now"), {"now": START})
    await until(scheduler.history, within=5)

    loop.stop()
    await asyncio.wait_for(task, timeout=5)
    assert await count_waiting(scheduler) == 1


@pytest.mark.parametrize("minutes", [0, 6], ids=["nothing due", "one due"])
async def test_neither_looking_for_work_nor_announcing_it_wakes_anybody(
    scheduler: Scheduler, clock: SetClock, databases: TestDatabases, minutes: int
) -> None:
    await scheduler.add()
    clock.advance(minutes=minutes)

    async with a_bell(databases) as bell:
        ticket = bell.ticket
        await scheduler.round()

        assert not await bell.after(ticket, 0.5), "or the loops would wake each other for ever"
    assert await count_waiting(scheduler) == (minutes > 0)


async def test_whatever_may_make_a_schedule_due_earlier_wakes_the_loop(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    await scheduler.add()

    async with a_bell(databases) as bell:
        for change in (
            "next_run_at = next_run_at - interval '1 minute'",
            "spec_version = spec_version + 1, next_run_at = next_run_at + interval '1 day'",
            "state = 'paused', paused_until = now() + interval '1 day'",
            "paused_until = now()",
            "state = 'ended', next_run_at = null",
        ):
            ticket = bell.ticket
            async with scheduler.transactions.engine.begin() as connection:
                await connection.execute(sa.text(f"update schedules set {change}"))

            assert await bell.after(ticket, 5), change


@asynccontextmanager
async def a_bell(databases: TestDatabases) -> AsyncIterator[WakeUp]:
    """What wakes the due loops, listening."""
    bell = WakeUp(driver_url(await databases.url("scheduler")), WAKE_CHANNEL)
    listening = asyncio.create_task(bell.listen())
    await bell.after(bell.ticket, 5)
    yield bell
    bell.stop()
    await listening


async def count_waiting(scheduler: Scheduler) -> int:
    async with scheduler.transactions.engine.connect() as connection:
        query = sa.select(sa.func.count()).where(occurrences.c.state == "waiting")
        return int(await connection.scalar(query) or 0)
