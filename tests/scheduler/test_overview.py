"""What `info` and `monitor` say of a run that is under way while others are left out for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from propman.console.doctor import remedy_of
from services.scheduler.domain.rules import Rules
from services.scheduler.overview import overview
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_policies import answer

pytestmark = pytest.mark.servers

EACH_MINUTE = "* * * * *"
PATIENT = Rules(overlap="skip", run_timeout=timedelta(hours=6))
HELD = "waiting for billing (since 12:01 UTC)"


async def rows(scheduler: Scheduler) -> dict[str, dict[str, Any]]:
    async with scheduler.transactions.engine.connect() as connection:
        return {row["key"]: row for row in await overview(connection, scheduler.clock.now())}


async def go_on(scheduler: Scheduler, minutes: int) -> None:
    """A round a minute: the first announces a run that nobody answers."""
    for _ in range(minutes):
        scheduler.clock.advance(minutes=1)
        await scheduler.round()


@pytest.mark.parametrize("rule", ["skip", "queue_one"])
async def test_a_run_that_makes_others_skip_is_flagged_with_what_it_waits_for(
    scheduler: Scheduler, rule: Any
) -> None:
    await scheduler.add(cron=EACH_MINUTE, rules=replace(PATIENT, overlap=rule))
    queued = rule == "queue_one"

    await go_on(scheduler, 6 + queued)

    row = (await rows(scheduler))["rent"]
    assert row["recent"] == ("?~-----" if queued else "?-----")
    assert row["flag"] == row["outcome"] == f"{HELD}; 5 skipped"
    assert remedy_of(f"schedule rent: {row['flag']}").startswith("Does what it waits for run?")


async def test_one_run_that_gave_way_is_told_and_is_not_wrong(scheduler: Scheduler) -> None:
    await scheduler.add(cron=EACH_MINUTE, rules=PATIENT)

    await go_on(scheduler, 2)

    row = (await rows(scheduler))["rent"]
    assert (row["outcome"], row["flag"]) == (f"{HELD}; 1 skipped", None)


async def test_few_that_gave_way_for_long_are_flagged_too(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="1,2 * * * *", rules=PATIENT)
    await go_on(scheduler, 2)

    clock.advance(minutes=30)

    assert (await rows(scheduler))["rent"]["flag"] == f"{HELD}; 1 skipped"


async def test_of_a_day_before_the_date_is_said(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron=EACH_MINUTE, rules=replace(PATIENT, run_timeout=timedelta(days=2)))
    await go_on(scheduler, 2)

    clock.advance(days=1)

    assert "(since 2026-11-20 12:01 UTC)" in (await rows(scheduler))["rent"]["outcome"]


async def test_after_its_answer_nothing_is_held_up_and_what_came_before_does_not_count(
    scheduler: Scheduler,
) -> None:
    await scheduler.add(cron=EACH_MINUTE, rules=PATIENT)
    await go_on(scheduler, 5)
    await answer(scheduler)
    after_answer = (await rows(scheduler))["rent"]

    await go_on(scheduler, 2)

    assert (after_answer["outcome"], after_answer["flag"]) == ("skipped (overlap)", None)
    row = (await rows(scheduler))["rent"]
    assert (row["outcome"], row["flag"]) == ("waiting for billing (since 12:06 UTC); 1 skipped", None)


async def test_a_run_holds_up_its_own_schedule_alone(scheduler: Scheduler) -> None:
    await scheduler.add("stuck", cron=EACH_MINUTE, rules=PATIENT)
    await scheduler.add("other", cron=EACH_MINUTE, rules=replace(PATIENT, overlap="allow"))

    await go_on(scheduler, 5)

    found = await rows(scheduler)
    assert (found["stuck"]["flag"], found["other"]["flag"]) == (f"{HELD}; 4 skipped", None)
