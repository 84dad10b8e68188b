"""A run that nobody takes up is told apart from one that takes long."""

from datetime import datetime, timedelta

import pytest

from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.rules import Rules
from services.scheduler.handlers import router
from services.scheduler.manual import run_now
from services.scheduler.overview import overview
from services.scheduler.reporting import outcome_words
from shared.contracts.scheduler import MonthlyBillingDue, TriggerStarted
from shared.identity import new_id
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_policies import answer
from tests.support.messages import deliver

pytestmark = pytest.mark.servers

FIVE_MINUTES = Rules(start_deadline=timedelta(minutes=5), run_timeout=timedelta(minutes=30), overlap="skip")


async def announced(scheduler: Scheduler, clock: SetClock) -> Occurrence:
    """A run that was announced at 12:05."""
    await scheduler.add(rules=FIVE_MINUTES)
    clock.advance(minutes=5)
    await scheduler.round()
    return await newest(scheduler)


async def newest(scheduler: Scheduler) -> Occurrence:
    return (await scheduler.history())[0]


async def start(scheduler: Scheduler, occurrence: Occurrence, at: datetime) -> None:
    fact = TriggerStarted(
        occurrence_id=occurrence.id, trigger=MonthlyBillingDue.topic, consumer="billing", started_at=at
    )
    await deliver(scheduler.transactions, router, fact)


async def test_what_starts_in_time_is_not_late_however_long_it_takes(
    scheduler: Scheduler, clock: SetClock
) -> None:
    run = await announced(scheduler, clock)
    clock.advance(minutes=2)
    await start(scheduler, run, clock.now())

    clock.advance(minutes=20)
    await scheduler.round()
    await answer(scheduler)

    run = await newest(scheduler)
    assert (run.state, run.unstarted, outcome_words(run)) == ("succeeded", False, "succeeded")


async def test_what_nobody_takes_up_is_not_started_and_then_never_was(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await announced(scheduler, clock)
    clock.advance(minutes=5)
    await scheduler.round()
    waiting = await newest(scheduler)
    async with scheduler.transactions.engine.connect() as connection:
        [row] = await overview(connection, clock.now())

    clock.advance(minutes=25)
    await scheduler.round()

    assert outcome_words(waiting) == row["flag"] == "waiting for billing, not started in time"
    assert outcome_words(await newest(scheduler)) == "timed out: nothing from billing, never started"


async def test_what_starts_late_says_so_and_succeeds(scheduler: Scheduler, clock: SetClock) -> None:
    run = await announced(scheduler, clock)
    clock.advance(minutes=7)
    await scheduler.round()
    await start(scheduler, run, clock.now())
    under_way = outcome_words(await newest(scheduler))
    await answer(scheduler)

    assert under_way == "waiting for billing, started late"
    assert outcome_words(await newest(scheduler)) == "succeeded, started late"


async def test_a_start_in_time_that_is_heard_of_late_was_in_time(
    scheduler: Scheduler, clock: SetClock
) -> None:
    run = await announced(scheduler, clock)
    began = clock.now() + timedelta(minutes=1)
    clock.advance(minutes=10)
    await scheduler.round()
    marked = (await newest(scheduler)).unstarted

    await start(scheduler, run, began)

    assert (marked, (await newest(scheduler)).unstarted) == (True, False)


async def test_an_outcome_is_a_start_too(scheduler: Scheduler, clock: SetClock) -> None:
    await announced(scheduler, clock)
    clock.advance(minutes=1)

    await answer(scheduler)
    clock.advance(minutes=30)
    await scheduler.round()

    run = await newest(scheduler)
    assert (run.state, run.unstarted, run.started_at == run.finished_at) == ("succeeded", False, True)


async def test_the_start_of_an_occurrence_that_is_gone_changes_nothing(
    scheduler: Scheduler, clock: SetClock
) -> None:
    fact = TriggerStarted(
        occurrence_id=new_id(), trigger=MonthlyBillingDue.topic, consumer="billing", started_at=clock.now()
    )

    assert await deliver(scheduler.transactions, router, fact) == "done"
    assert await scheduler.history() == []


async def test_a_run_by_hand_has_the_deadlines_of_its_schedule(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(rules=FIVE_MINUTES)

    async with scheduler.transactions.command("test") as tx:
        await run_now(tx, "rent")

    run = await newest(scheduler)
    assert (run.start_by, run.deadline_at) == (
        clock.now() + timedelta(minutes=5),
        clock.now() + timedelta(minutes=30),
    )


def test_a_run_cannot_be_given_up_before_it_has_to_start() -> None:
    rules = Rules(start_deadline=timedelta(hours=2), run_timeout=timedelta(hours=1))

    assert rules.problems() == ["it would be given up before it had to start"]
