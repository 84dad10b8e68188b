"""What people do with a schedule: nothing fires for the past, and nothing that was missed is hidden."""

import asyncio
from datetime import timedelta

import pytest

from services.scheduler.backfilling import backfill, instants_between
from services.scheduler.controlling import Change, archive, edit, pause, resume
from services.scheduler.definitions import InvalidSchedule
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from shared.messaging.transaction import Tx
from tests.scheduler.driver import START, Scheduler, SetClock
from tests.scheduler.test_policies import answer, states
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

EVERY_HOUR = {"kind": "cron", "expr": "0 * * * *", "timezone": "UTC"}


async def hold(tx: Tx, schedule: Schedule) -> None:
    await pause(tx, schedule, by="ana", reason="rents are being corrected", until=None)


async def paused_for_three_hours(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    await scheduler.change(hold)
    clock.advance(hours=3, minutes=10)
    await scheduler.round()


async def test_a_paused_schedule_keeps_who_and_why_and_runs_nothing(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await paused_for_three_hours(scheduler, clock)

    schedule = await scheduler.schedule()
    assert (schedule.state, schedule.paused_by, schedule.paused_reason) == (
        "paused",
        "ana",
        "rents are being corrected",
    )
    assert await scheduler.history() == []


async def test_resuming_keeps_each_missed_run_and_announces_none(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await paused_for_three_hours(scheduler, clock)

    resumed, announced = await scheduler.change(resume)

    assert await states(scheduler) == ["missed:paused"] * 4
    assert (announced, await emitted(scheduler.transactions)) == (0, [])
    assert resumed.next_run_at == START + timedelta(hours=4, minutes=5)
    assert (await scheduler.schedule()).paused_by is None


async def test_resuming_may_announce_the_latest_for_all(scheduler: Scheduler, clock: SetClock) -> None:
    await paused_for_three_hours(scheduler, clock)

    await scheduler.change(lambda tx, schedule: resume(tx, schedule, catch_up="latest"))

    assert await states(scheduler) == ["skipped:coalesced"] * 3 + ["waiting"]


async def test_resuming_may_announce_all(scheduler: Scheduler, clock: SetClock) -> None:
    await paused_for_three_hours(scheduler, clock)

    await scheduler.change(lambda tx, schedule: resume(tx, schedule, catch_up="all"))

    assert await states(scheduler) == ["waiting"] * 4


async def test_resuming_what_runs_changes_nothing(scheduler: Scheduler, clock: SetClock) -> None:
    before = await scheduler.add()
    clock.advance(minutes=10)

    await scheduler.change(resume)

    assert (await scheduler.schedule()).next_run_at == before.next_run_at
    assert await scheduler.history() == []


async def test_a_pause_ends_by_itself_and_fires_nothing_for_the_past(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add()
    ends = START + timedelta(hours=2)
    await scheduler.change(lambda tx, item: pause(tx, item, by="ana", reason=None, until=ends))
    clock.advance(hours=1, minutes=59)
    await scheduler.round()
    before = (await scheduler.schedule()).state
    clock.advance(minutes=1)

    await scheduler.round()

    assert (before, (await scheduler.schedule()).state) == ("paused", "active")
    assert await states(scheduler) == ["missed:paused"] * 2
    assert await emitted(scheduler.transactions) == []


async def test_a_pause_that_is_over_already_is_refused(scheduler: Scheduler) -> None:
    await scheduler.add()

    with pytest.raises(InvalidSchedule, match="would be over already"):
        await scheduler.change(lambda tx, item: pause(tx, item, by=None, reason=None, until=START))


async def test_an_edit_is_a_new_version_from_now_on(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=1)

    await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=EVERY_HOUR)))

    schedule = await scheduler.schedule()
    assert (schedule.spec_version, schedule.next_run_at) == (2, START + timedelta(hours=1))
    assert (schedule.spec, schedule.rules) == (EVERY_HOUR, Rules())


async def test_an_edit_fires_nothing_that_the_new_times_would_have_had(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(cron="0 0 1 1 *")
    clock.advance(days=3)

    await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=EVERY_HOUR)))
    await scheduler.round()

    assert await scheduler.history() == []


async def test_an_edit_loses_nothing_that_had_come_due_before(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()
    clock.advance(minutes=5, seconds=10)

    yearly = {"kind": "cron", "expr": "0 0 1 1 *", "timezone": "UTC"}
    await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=yearly)))

    [occurrence] = await scheduler.history()
    assert (occurrence.state, occurrence.spec_version) == ("waiting", 1)


async def test_an_edit_that_makes_no_sense_changes_nothing(scheduler: Scheduler) -> None:
    before = await scheduler.add()

    with pytest.raises(InvalidSchedule, match="never be due"):
        await scheduler.change(
            lambda tx, item: edit(tx, item, Change(spec={"kind": "once", "at": "2020-01-01T00:00:00Z"}))
        )

    assert await scheduler.schedule() == before


async def test_an_edit_loses_nothing_that_jitter_had_put_off(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="0 * * * *", rules=Rules(jitter=timedelta(minutes=59)))
    clock.advance(hours=1)
    await scheduler.round()
    before = await scheduler.history()

    await scheduler.change(lambda tx, item: edit(tx, item, Change(rules=Rules())))

    assert (before, await states(scheduler)) == ([], ["waiting"])


async def test_an_archived_schedule_is_resumed_before_it_is_edited(scheduler: Scheduler) -> None:
    await scheduler.add()
    await scheduler.change(archive)

    with pytest.raises(InvalidSchedule, match="resume it first"):
        await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=EVERY_HOUR)))


async def test_an_edited_pause_stays_a_pause(scheduler: Scheduler, clock: SetClock) -> None:
    await paused_for_three_hours(scheduler, clock)

    await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=EVERY_HOUR)))

    assert (await scheduler.schedule()).state == "paused"
    assert await states(scheduler) == ["missed:paused"] * 4


async def test_an_archived_schedule_rests_with_its_history(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(cron="* * * * *", rules=Rules(overlap="queue_one"))
    for _ in range(2):
        clock.advance(minutes=1)
        await scheduler.round()

    await scheduler.change(archive)
    clock.advance(hours=1)
    await scheduler.round()
    asleep = (await scheduler.schedule()).state
    await scheduler.change(resume)

    assert (asleep, (await scheduler.schedule()).state) == ("archived", "active")
    assert await states(scheduler) == ["timed_out", "skipped:archived"]


async def a_gap(scheduler: Scheduler, clock: SetClock) -> None:
    """Of four hours the first was missed and three ran, of which one failed."""
    await scheduler.add(spec=EVERY_HOUR, rules=Rules(catch_up="skip", overlap="allow"))
    clock.advance(hours=1, minutes=30)
    await scheduler.round()
    for state in ("succeeded", "failed", "succeeded"):
        clock.moment = (await scheduler.schedule()).next_run_at or clock.moment
        await scheduler.round()
        await answer(scheduler, state=state)


async def fill(tx: Tx, schedule: Schedule) -> int:
    gaps = await instants_between(tx.connection, schedule, START, START + timedelta(hours=4))
    missing = [gap for gap in gaps if gap.missing]
    await backfill(tx, schedule, missing, by="ana", max_in_flight=1_000)
    return len(missing)


async def test_a_backfill_runs_only_what_has_not_succeeded(scheduler: Scheduler, clock: SetClock) -> None:
    await a_gap(scheduler, clock)

    await scheduler.change(fill)

    filled = [item for item in await scheduler.history() if item.origin == "backfill"]
    assert sorted((item.scheduled_for - START).seconds // 3_600 for item in filled) == [1, 3]
    assert len({item.seq for item in filled}) == 1
    assert {item.requested_by for item in filled} == {"ana"}
    assert (await scheduler.schedule()).runs == 3


async def test_two_backfills_of_one_range_run_it_once(scheduler: Scheduler, clock: SetClock) -> None:
    await a_gap(scheduler, clock)

    filled = await asyncio.gather(*(scheduler.change(fill) for _ in range(3)))

    assert sorted(filled) == [0, 0, 2]


async def test_a_range_includes_its_end_and_not_its_beginning(scheduler: Scheduler, clock: SetClock) -> None:
    schedule = await scheduler.add(spec=EVERY_HOUR)
    async with scheduler.transactions.command("test") as tx:
        gaps = await instants_between(tx.connection, schedule, START, START + timedelta(hours=2))

    assert [gap.scheduled_for for gap in gaps] == [START + timedelta(hours=hours) for hours in (1, 2)]


async def test_a_range_with_too_many_instants_is_refused(scheduler: Scheduler) -> None:
    schedule = await scheduler.add(cron="* * * * *")
    async with scheduler.transactions.command("test") as tx:
        with pytest.raises(InvalidSchedule, match="more than 1000"):
            await instants_between(tx.connection, schedule, START, START + timedelta(days=1))


async def test_a_pause_over_the_end_of_a_month_says_which_rent_it_kept_back(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(cron="0 0 1 * *", time_zone="America/New_York")
    clock.advance(days=9)
    await scheduler.change(hold)
    clock.advance(days=3)
    await scheduler.round()

    resumed, announced = await scheduler.change(resume)

    [missed] = await scheduler.history()
    assert (announced, missed.state, missed.reason) == (0, "missed", "paused")
    assert f"{missed.scheduled_for:%Y-%m-%d %H:%M}" == "2026-12-01 05:00"
    assert resumed.next_run_at is not None
    assert f"{resumed.next_run_at:%Y-%m-%d %H:%M}" == "2027-01-01 05:00"


async def test_an_edit_at_the_moment_of_a_tick_comes_before_or_after_it_and_loses_no_instant(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add()
    clock.advance(minutes=5, seconds=1)

    await asyncio.gather(
        scheduler.round(),
        scheduler.change(lambda tx, item: edit(tx, item, Change(spec=EVERY_HOUR))),
        scheduler.round(),
    )

    assert await states(scheduler) == ["waiting"]
    assert (await scheduler.schedule()).next_run_at == START + timedelta(hours=1)
    assert len(await emitted(scheduler.transactions)) == 1
