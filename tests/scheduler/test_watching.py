"""Each thing that is wrong with a schedule raises its alert once, and is over by itself."""

import asyncio
import json
import re
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Literal

import pytest
import sqlalchemy as sa

from services.scheduler.controlling import pause, resume
from services.scheduler.domain.alerts import Alert
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.services import QueueState
from services.scheduler.domain.watching import Deaf
from services.scheduler.gateways.queues import BrokerSilent
from services.scheduler.handlers import router
from services.scheduler.schema import occurrences, schedules
from services.scheduler.store.alerts import AlertStore
from services.scheduler.triggers import known_triggers
from services.scheduler.watching import Watchdog, acknowledge, watch
from shared import heartbeats
from shared.clock import SystemClock
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome, TriggerStarted
from shared.identity import new_id
from shared.messaging.naming import queue_for
from shared.messaging.tables import outbox
from tests.scheduler.driver import Scheduler, until
from tests.scheduler.test_cli import Shell
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers

DAILY = "0 9 * * *"
BILLING = Deaf("billing", MonthlyBillingDue.topic)
State = Literal["succeeded", "partial", "failed"]


async def beat(scheduler: Scheduler, ago: timedelta = timedelta()) -> None:
    """A scheduler that is alive at this moment, or was so long ago; by the machine's clock."""
    row: dict[str, Any] = dict.fromkeys(
        (
            "pid",
            "http_port",
            "rss_bytes",
            "rss_start_bytes",
            "rss_peak_bytes",
            "open_files",
            "handled",
            "failed",
        ),
        1,
    )
    now = SystemClock().now() - ago
    row |= {"instance_id": new_id(), "service": "scheduler", "host": "h", "version": "1", "state": "running"}
    row |= {"started_at": now - timedelta(days=3_000), "seen_at": now, "cpu_percent": 0.0, "per_second": 0.0}
    async with scheduler.transactions.engine.begin() as connection:
        await heartbeats.write(connection, row)


NOBODY: frozenset[Deaf] = frozenset()


def queue_of(pair: Deaf) -> str:
    return queue_for(pair.consumer, known_triggers()[pair.trigger])


async def look(
    scheduler: Scheduler, deaf: Collection[Deaf] | None = NOBODY, *, alive: bool = True
) -> list[str]:
    """What is open after a look."""
    if alive:
        await beat(scheduler)
    async with scheduler.transactions.engine.begin() as connection:  # no relay takes what was said before
        await connection.execute(
            sa.update(outbox).where(outbox.c.topic.contains("alert")).values(last_error="kept for the test")
        )
    async with scheduler.transactions.command("test") as tx:
        await watch(tx, None if deaf is None else {queue_of(pair): QueueState(1, 0) for pair in deaf})
    return [f"{alert.kind} {alert.about}" for alert in await alerts(scheduler)]


async def alerts(scheduler: Scheduler, *, also_resolved: bool = False) -> list[Alert]:
    async with scheduler.transactions.engine.connect() as connection:
        return await AlertStore(connection).newest(also_resolved=also_resolved, limit=100)


async def said(scheduler: Scheduler) -> list[str]:
    """Which alerts were published as raised and resolved."""
    told = [item for item in await emitted(scheduler.transactions) if ".alert_" in item[0]]
    return [f"{topic.split('.')[1]} {fact['alert_kind']}" for topic, fact in told]


async def run(
    scheduler: Scheduler,
    state: State | None = "succeeded",
    *,
    created: int = 1,
    waited: float = 0,
    minutes: float = 1,
) -> None:
    """The next run of the schedule, and what came of it so many minutes after its consumer took it up."""
    schedule = await scheduler.schedule()
    assert schedule.next_run_at is not None
    scheduler.clock.moment = schedule.next_run_at
    await scheduler.round()
    await published(scheduler)
    occurrence = (await scheduler.history())[0]
    scheduler.clock.advance(minutes=waited)
    if state is None:
        scheduler.clock.advance(minutes=minutes)
        return
    started = TriggerStarted(
        occurrence_id=occurrence.id,
        trigger=occurrence.trigger,
        consumer="billing",
        started_at=scheduler.clock.now(),
    )
    await deliver(scheduler.transactions, router, started)
    scheduler.clock.advance(minutes=minutes)
    outcome = TriggerOutcome(
        occurrence_id=occurrence.id,
        trigger=occurrence.trigger,
        consumer="billing",
        state=state,
        counts={"examined": 29, "created": created},
        problems=("lease 7: no rent",) if state != "succeeded" else (),
        finished_at=scheduler.clock.now(),
    )
    await deliver(scheduler.transactions, router, outcome)


async def published(scheduler: Scheduler) -> None:
    """The relay has taken the triggers."""
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.delete(outbox).where(outbox.c.topic == MonthlyBillingDue.topic))


async def test_nothing_is_wrong_on_a_good_day(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    for _ in range(4):
        await run(scheduler)

        assert await look(scheduler) == []


async def test_a_trigger_that_no_queue_takes(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    schedule = await scheduler.schedule()
    assert schedule.next_run_at is not None
    scheduler.clock.moment = schedule.next_run_at
    await scheduler.round()
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(
            sa.update(outbox).values(last_error="unroutable: no queue is bound to its topic")
        )

    assert await look(scheduler) == await look(scheduler) == ["unroutable rent"]
    await published(scheduler)  # the queue was bound, and the relay's next try went through
    assert await look(scheduler) == []
    assert await said(scheduler) == ["alert_raised unroutable", "alert_resolved unroutable"]


async def test_a_consumer_that_is_down(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    await run(scheduler, None)
    assert await look(scheduler, {BILLING}) == []
    scheduler.clock.advance(minutes=5)

    assert await look(scheduler, {BILLING}) == await look(scheduler, {BILLING}) == ["not_started rent"]
    assert await look(scheduler, None) == ["not_started rent"]  # a broker that is silent resolves nothing
    assert await look(scheduler) == []
    assert await said(scheduler) == ["alert_raised not_started", "alert_resolved not_started"]


async def test_a_consumer_that_never_answers(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY, rules=Rules(run_timeout=timedelta(minutes=20)))
    await run(scheduler, None)
    scheduler.clock.advance(minutes=25)
    assert await look(scheduler) == ["overdue rent"]
    await scheduler.round()  # it times out

    assert await look(scheduler) == ["overdue rent"]
    await run(scheduler)
    assert await look(scheduler) == []
    assert await said(scheduler) == ["alert_raised overdue", "alert_resolved overdue"]


async def test_a_consumer_that_fails_once_and_then_again_and_again(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    await run(scheduler, "failed")
    assert await look(scheduler) == ["failed rent"]
    await run(scheduler, "partial")
    await run(scheduler, "failed")
    assert sorted(await look(scheduler)) == ["failed rent", "failure_streak rent"]
    [alert] = [item for item in await alerts(scheduler) if item.kind == "failed"]
    assert "lease 7: no rent" in alert.detail

    await run(scheduler)

    assert await look(scheduler) == []
    assert sorted(await said(scheduler)) == [
        "alert_raised failed",
        "alert_raised failure_streak",
        "alert_resolved failed",
        "alert_resolved failure_streak",
    ]


async def test_a_schedule_that_did_nothing_for_three_days(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    await run(scheduler)
    await scheduler.change(lambda tx, schedule: pause(tx, schedule, by="ana", reason=None, until=None))
    scheduler.clock.advance(days=3)
    assert await look(scheduler) == []
    scheduler.clock.advance(hours=1)

    assert await look(scheduler) == await look(scheduler) == ["silent rent"]
    [alert] = await alerts(scheduler)
    assert "it is paused" in alert.detail
    await scheduler.change(resume)
    await run(scheduler)
    assert await look(scheduler) == []


async def test_a_run_without_effect_where_there_always_was_one(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    for _ in range(3):
        await run(scheduler, created=27)
    await run(scheduler, created=0)
    assert await look(scheduler) == ["zero_effect rent"]

    await run(scheduler, created=26)

    assert await look(scheduler) == []


async def test_a_zone_without_anybody_to_bill_is_measured_by_itself(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    for _ in range(3):
        await run(scheduler, created=27)
    await run(scheduler, created=0)
    async with scheduler.transactions.engine.begin() as connection:  # as a run in another zone
        newest = sa.select(sa.func.max(occurrences.c.created_at)).scalar_subquery()
        elsewhere = sa.update(occurrences).where(occurrences.c.created_at == newest)
        await connection.execute(elsewhere.values(zone="Pacific/Honolulu"))

    assert await look(scheduler) == []


async def test_an_hourly_run_without_effect_is_nothing_special(scheduler: Scheduler) -> None:
    await scheduler.add()
    for _ in range(3):
        await run(scheduler, created=27)
    await run(scheduler, created=0)

    assert await look(scheduler) == []


async def test_a_run_that_takes_three_times_as_long_as_ever(scheduler: Scheduler) -> None:
    await scheduler.add()
    for _ in range(21):
        await run(scheduler, minutes=2)
    await run(scheduler, minutes=7)

    assert await look(scheduler) == ["slow rent"]


async def test_a_run_that_waited_for_its_consumer_is_not_slow(scheduler: Scheduler) -> None:
    await scheduler.add()
    for _ in range(21):
        await run(scheduler, minutes=2)
    await run(scheduler, waited=40, minutes=2)

    assert await look(scheduler) == []


async def test_what_is_due_by_its_definition_and_was_not_announced(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    await run(scheduler)
    async with scheduler.transactions.engine.begin() as connection:  # a fault leapt over tomorrow's run
        await connection.execute(
            sa.update(schedules).values(next_run_at=schedules.c.next_run_at + timedelta(days=2))
        )
    scheduler.clock.advance(hours=25)
    assert await look(scheduler) == ["not_published rent"]

    await run(scheduler)

    assert await look(scheduler) == []


async def test_a_next_run_that_its_definition_does_not_name(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    async with scheduler.transactions.engine.begin() as connection:  # as newer time zone data would leave it
        await connection.execute(
            sa.update(schedules).values(next_run_at=schedules.c.next_run_at + timedelta(hours=1))
        )

    assert await look(scheduler) == ["tzdata_changed rent"]


async def test_a_schedule_that_is_held_back(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.update(schedules).values(payload={"nonsense": 1}))
    scheduler.clock.advance(days=1)
    await scheduler.tick()

    assert await look(scheduler) == ["held_back rent"]


async def test_a_scheduler_that_is_dead_is_one_alert_however_many_schedules_wait(
    scheduler: Scheduler,
) -> None:
    await scheduler.add("rent")
    await scheduler.add("fees")
    await beat(scheduler, ago=timedelta(hours=2))
    scheduler.clock.advance(hours=2)

    assert await look(scheduler, alive=False) == ["scheduler_stalled scheduler"]
    assert sorted(await look(scheduler)) == ["not_published fees", "not_published rent"]
    await scheduler.round()
    await published(scheduler)
    assert await look(scheduler) == []


async def test_messages_that_wait_in_the_outbox(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    scheduler.clock.advance(days=1)
    await scheduler.round()
    scheduler.clock.advance(minutes=2)

    assert await look(scheduler) == ["outbox_lag scheduler"]


async def test_an_alert_that_somebody_sees_to_goes_on_until_it_is_over(scheduler: Scheduler) -> None:
    await scheduler.add(cron=DAILY)
    await run(scheduler, "failed")
    await look(scheduler)
    [alert] = await alerts(scheduler)
    for name in ("ana", "ben"):
        async with scheduler.transactions.command("test") as tx:
            [alert] = await AlertStore(tx.connection).open()
            await acknowledge(tx, alert, by=name, note=None)

    await look(scheduler)
    [alert] = await alerts(scheduler)
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "ana")
    await run(scheduler)
    await look(scheduler)

    [alert] = await alerts(scheduler, also_resolved=True)
    assert (alert.state, alert.acknowledged_by) == ("resolved", "ana")
    assert await said(scheduler) == [
        "alert_raised failed",
        "alert_acknowledged failed",
        "alert_resolved failed",
    ]


async def test_one_watchdog_acts_at_a_time(scheduler: Scheduler) -> None:
    async with scheduler.transactions.command("a") as one, scheduler.transactions.command("b") as other:
        turns = [await AlertStore(tx.connection).take_turn() for tx in (one, other)]

    assert turns == [True, False]


async def test_a_watchdog_that_runs_apart_says_what_begins_what_is_over_and_who_is_silent(
    scheduler: Scheduler,
) -> None:
    told: list[str] = []
    silent = True

    async def ask(_names: Collection[str]) -> dict[str, QueueState]:
        if silent:
            raise BrokerSilent
        return {}

    async def said_so(words: str) -> bool:
        return any(line.startswith(words) for line in told)

    dog = Watchdog(scheduler.transactions, ask, every=0.05, tell=told.append)
    task = asyncio.create_task(dog.run())
    await until(lambda: said_so("Raised: scheduler_stalled of scheduler, announces nothing"))
    silent = False
    await beat(scheduler)
    await until(lambda: said_so("Over: scheduler_stalled of scheduler."))
    dog.stop()
    await task

    assert told[0].startswith("The broker does not answer")
    assert told.count("It can be looked at again.") == 1


async def test_the_commands_list_show_and_acknowledge_an_alert(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    shell = Shell(await databases.url("scheduler"))
    await scheduler.add(cron=DAILY)
    await run(scheduler, "failed")
    await look(scheduler)
    out, _ = await shell.run("scheduler", "alerts", "list")
    assert re.search(r"failed +rent +raised", out)
    [alert] = json.loads((await shell.run("scheduler", "alerts", "list", "--json"))[0])

    _, err = await shell.run(
        "scheduler", "alerts", "acknowledge", alert["id"], "--by", "ana", "--note", "on it"
    )

    assert "ana sees to failed of rent." in err
    out, _ = await shell.run("scheduler", "alerts", "show", alert["id"])
    assert re.search(r"note +on it", out)
    _, err = await shell.run("scheduler", "alerts", "show", str(new_id()), exit_code=2)
    assert "There is no alert" in err


async def test_one_look_by_command_fails_where_something_is_wrong(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    shell = Shell(await databases.url("scheduler"))
    await scheduler.add(cron=DAILY)

    out, err = await shell.run("scheduler", "watchdog", "--once", exit_code=1)

    assert "scheduler_stalled" in out
    assert "1 alerts are open" in err or "2 alerts are open" in err
