"""Filling a range: so many runs at a time, beside the schedule's own, and no further than somebody wants."""

import asyncio
import json
import re
from collections import Counter
from datetime import timedelta

import pytest

from services.scheduler.backfilling import backfill, cancel, instants_between
from services.scheduler.controlling import pause
from services.scheduler.domain.backfills import Backfill
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.handlers import router
from services.scheduler.store import BackfillStore
from services.scheduler.ticking import release_next
from shared.contracts.scheduler import TriggerOutcome
from shared.identity import new_id
from shared.messaging.transaction import Tx
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_cli import Shell
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers

MONTHS = 24


@pytest.fixture
async def asked(scheduler: Scheduler, clock: SetClock) -> Backfill:
    """Two years of a monthly schedule that was added today, three months at a time."""
    await scheduler.add(cron="0 6 1 * *")
    return await fill(scheduler, clock, max_in_flight=3)


async def fill(scheduler: Scheduler, clock: SetClock, *, max_in_flight: int) -> Backfill:
    async def act(tx: Tx, schedule: Schedule) -> Backfill:
        since = clock.now() - timedelta(days=730)
        gaps = [gap for gap in await instants_between(tx.connection, schedule, since, tx.at) if gap.missing]
        return await backfill(tx, schedule, gaps, by="ana", max_in_flight=max_in_flight)

    return await scheduler.change(act)


async def filled(scheduler: Scheduler, state: str) -> list[Occurrence]:
    """The runs of backfills that are so far, oldest instants first."""
    found = [one for one in await scheduler.history() if (one.origin, one.state) == ("backfill", state)]
    return sorted(found, key=lambda one: one.scheduled_for)


async def answer(scheduler: Scheduler, one: Occurrence, state: str = "succeeded") -> None:
    outcome = {"occurrence_id": one.id, "trigger": one.trigger, "consumer": "billing", "state": state}
    finished = {"finished_at": scheduler.clock.now()}
    await deliver(scheduler.transactions, router, TriggerOutcome.model_validate(outcome | finished))


async def states(scheduler: Scheduler) -> Counter[str]:
    return Counter(one.state for one in await scheduler.history() if one.origin == "backfill")


async def test_no_more_than_so_many_are_announced_and_the_oldest_first(
    scheduler: Scheduler, asked: Backfill
) -> None:
    await scheduler.round()

    assert await states(scheduler) == {"waiting": 3, "queued": MONTHS - 3}
    assert len(await emitted(scheduler.transactions)) == 3
    waiting, queued = await filled(scheduler, "waiting"), await filled(scheduler, "queued")
    assert waiting[-1].scheduled_for < queued[0].scheduled_for
    assert {one.seq for one in [*waiting, *queued]} == {str(asked.id)}


@pytest.mark.parametrize("state", ["succeeded", "failed"])
async def test_each_outcome_lets_the_next_one_go(scheduler: Scheduler, asked: Backfill, state: str) -> None:
    [first, *_] = await filled(scheduler, "waiting")
    [following, *_] = await filled(scheduler, "queued")

    await answer(scheduler, first, state)
    await scheduler.round()

    assert await states(scheduler) == {state: 1, "waiting": 3, "queued": MONTHS - 4}
    assert (await filled(scheduler, "waiting"))[-1].id == following.id
    assert asked.max_in_flight == 3


async def test_a_run_that_nobody_answers_makes_room_at_its_deadline(
    scheduler: Scheduler, asked: Backfill
) -> None:
    scheduler.clock.advance(hours=1, seconds=1)

    await scheduler.round()

    assert await states(scheduler) == {"timed_out": 3, "waiting": 3, "queued": MONTHS - 6}
    assert asked.max_in_flight == 3


async def test_replicas_that_release_at_once_announce_no_more_than_there_is_room_for(
    scheduler: Scheduler, asked: Backfill
) -> None:
    async def release() -> None:
        async with scheduler.transactions.command("replica") as tx:
            await release_next(tx)

    for one in (await filled(scheduler, "waiting"))[:2]:
        await answer(scheduler, one)
    await asyncio.gather(*(release() for _ in range(4)))

    assert await states(scheduler) == {"succeeded": 2, "waiting": 3, "queued": MONTHS - 5}
    assert len(await emitted(scheduler.transactions)) == asked.max_in_flight + 2


async def test_the_whole_range_is_run_once(scheduler: Scheduler, asked: Backfill) -> None:
    while waiting := await filled(scheduler, "waiting"):
        assert len(waiting) <= asked.max_in_flight
        for one in waiting:
            await answer(scheduler, one)
        await scheduler.round()

    assert await states(scheduler) == {"succeeded": MONTHS}
    announced = [said["occurrence_id"] for _, said in await emitted(scheduler.transactions)]
    assert len(announced) == len(set(announced)) == MONTHS


async def test_the_schedule_s_own_runs_go_on_beside_a_backfill(scheduler: Scheduler, clock: SetClock) -> None:
    for key, overlap in (("rent", "skip"), ("fees", "queue_one")):
        await scheduler.add(key, cron="0 6 1 * *", rules=Rules(overlap=overlap))  # type: ignore[arg-type]
    await fill(scheduler, clock, max_in_flight=1)
    clock.moment = (await scheduler.schedule()).next_run_at or clock.moment

    await scheduler.round()

    own = {(one.schedule_key, one.state) for one in await scheduler.history() if one.origin == "schedule"}
    assert own == {("rent", "waiting"), ("fees", "waiting")}


async def test_a_pause_does_not_stop_a_backfill_and_a_cancel_does(
    scheduler: Scheduler, asked: Backfill
) -> None:
    await scheduler.change(lambda tx, one: pause(tx, one, by="ana", reason=None, until=None))
    [first, *_] = await filled(scheduler, "waiting")
    await answer(scheduler, first)
    await scheduler.round()
    assert await states(scheduler) == {"succeeded": 1, "waiting": 3, "queued": MONTHS - 4}

    dropped = await scheduler.change(lambda tx, _one: cancel(tx, asked, by="eva"))
    for one in await filled(scheduler, "waiting"):
        await answer(scheduler, one)
    await scheduler.round()

    assert dropped == MONTHS - 4
    assert await states(scheduler) == {"succeeded": 4, "skipped": MONTHS - 4}
    async with scheduler.transactions.engine.connect() as connection:
        [(kept, far)] = await BackfillStore(connection).newest(5)
    assert (kept.cancelled_by, far.state(kept), far.total) == ("eva", "cancelled", MONTHS)


async def test_what_waits_in_a_backfill_is_not_filled_again(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="0 6 1 * *")
    await fill(scheduler, clock, max_in_flight=2)

    await fill(scheduler, clock, max_in_flight=2)

    assert await states(scheduler) == {"waiting": 2, "queued": MONTHS - 2}


async def test_the_commands_fill_list_and_cancel(
    scheduler: Scheduler, clock: SetClock, databases: TestDatabases
) -> None:
    shell = Shell(await databases.url("scheduler"))
    await scheduler.add(cron="0 6 * * *")
    since, until = ("--from", "2026-10-01T00:00:00Z"), ("--to", "2026-10-31T00:00:00Z")
    words = (*since, *until, "--max-in-flight", "4", "--yes")

    _, err = await shell.run("scheduler", "backfill", "rent", *words)
    assert re.search(r"4 runs of rent are announced, 26 wait for their turn; backfill [0-9a-f-]{36}\.", err)
    [listed] = json.loads((await shell.run("scheduler", "backfills", "list", "--json"))[0])
    _, err = await shell.run("scheduler", "backfills", "cancel", listed["id"])
    out, _ = await shell.run("scheduler", "backfills", "list")

    assert (listed["queued"], listed["under_way"], listed["state"]) == (26, 4, "running")
    assert "26 runs of rent will not come." in err
    assert re.search(r"running +4 +0 +4 +0 +0 +26", out)
    assert "waiting for its turn" not in (await shell.run("scheduler", "history"))[0]
    assert "skipped (cancelled)" in (await shell.run("scheduler", "history"))[0]
    _, err = await shell.run("scheduler", "backfills", "cancel", str(new_id()), exit_code=2)
    assert "There is no backfill" in err
