"""Schedules that follow the properties: once in each zone there is, whatever comes, goes or fails meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.scheduler.backfilling import backfill, instants_between
from services.scheduler.controlling import Change, archive, edit, pause, resume
from services.scheduler.definitions import InvalidSchedule, new_schedule
from services.scheduler.domain.rules import Rules
from services.scheduler.handlers import router
from services.scheduler.manual import run_now
from services.scheduler.store import ZoneStore
from services.scheduler.ticking import follow_zones
from shared.contracts.leasing import PropertyChanged
from shared.identity import new_id
from tests.scheduler.driver import START, Scheduler, SetClock
from tests.scheduler.test_policies import answer
from tests.support.builders import a_property
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers

EAST, WEST = "America/New_York", "America/Los_Angeles"
DAILY = {"kind": "cron", "expr": "0 9 * * *", "timezone": "@property"}
MONTHLY = {
    "kind": "monthly",
    "start_month": "2026-01",
    "every_months": 1,
    "day": 1,
    "time": "00:00",
    "timezone": "@property",
}


async def settle(scheduler: Scheduler, zone: str, property_id: UUID | None = None, version: int = 1) -> UUID:
    """A property is in a zone from now on."""
    identity = property_id or new_id()
    fact = a_property(property_id=identity, version=version, time_zone=zone)
    message = fact if version == 1 else PropertyChanged(**fact.model_dump())
    assert await deliver(scheduler.transactions, router, message) == "done"
    await scheduler.round()
    return identity


async def story(scheduler: Scheduler) -> list[tuple[str, str, str]]:
    """Zone, local time and fate of each instant, in the order of time."""
    found = sorted(await scheduler.history(), key=lambda item: (item.scheduled_for, item.zone))
    return [
        (
            item.zone,
            f"{item.scheduled_for:%d %H:%M}",
            f"{item.state}:{item.reason}" if item.reason else item.state,
        )
        for item in found
    ]


async def zones_of(scheduler: Scheduler) -> list[str]:
    schedule = await scheduler.schedule()
    async with scheduler.transactions.engine.connect() as connection:
        return [cursor.zone for cursor in await ZoneStore(connection).cursors(schedule.id)]


async def test_one_definition_is_announced_at_the_local_time_of_each_zone(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=MONTHLY)

    for hour in (5, 8):
        clock.moment = datetime(2026, 12, 1, hour, tzinfo=UTC)
        await scheduler.round()

    triggers = [trigger for _topic, trigger in await emitted(scheduler.transactions)]
    assert [(item["only_zone"], item["zone"], item["as_of"]) for item in triggers] == [
        (EAST, EAST, "2026-12-01T05:00:00Z"),
        (WEST, WEST, "2026-12-01T08:00:00Z"),
    ]


async def test_zones_with_the_same_clock_are_occurrences_of_their_own(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, "America/Toronto")
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 14, tzinfo=UTC)

    await asyncio.gather(*(scheduler.round() for _ in range(6)))

    assert await story(scheduler) == [
        ("America/New_York", "20 14:00", "waiting"),
        ("America/Toronto", "20 14:00", "waiting"),
    ]
    assert len({item.id for item in await scheduler.history()}) == 2


async def test_every_schedule_follows_whatever_others_follow_already(scheduler: Scheduler) -> None:
    await scheduler.add("first", spec=DAILY)
    await settle(scheduler, EAST)
    await scheduler.add("second", spec=DAILY)
    await scheduler.add("third", spec=MONTHLY)
    await settle(scheduler, WEST)

    found = {key: await scheduler.schedule(key) for key in ("first", "second", "third")}
    async with scheduler.transactions.engine.connect() as connection:
        store = ZoneStore(connection)
        zones = {key: [cursor.zone for cursor in await store.cursors(item.id)] for key, item in found.items()}
        astray = await store.any_astray()

    assert zones == {key: [WEST, EAST] for key in found}
    assert not astray


async def test_a_schedule_without_any_property_waits_for_one(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add(spec=DAILY)
    clock.advance(days=2)
    await scheduler.round()
    waiting = await scheduler.schedule()

    await settle(scheduler, EAST)

    schedule = await scheduler.schedule()
    assert (waiting.state, waiting.next_run_at) == ("active", None)
    assert (schedule.next_run_at, schedule.time_zone) == (datetime(2026, 11, 22, 14, tzinfo=UTC), EAST)
    assert await scheduler.history() == []


async def test_every_schedule_that_follows_gets_its_places(scheduler: Scheduler) -> None:
    for key in ("rent", "fees", "autopay"):
        await scheduler.add(key, spec=DAILY)

    await settle(scheduler, EAST)

    zones = [(await scheduler.schedule(key)).next_zone for key in ("rent", "fees", "autopay")]
    assert zones == [EAST] * 3


async def test_a_new_zone_counts_since_its_first_property_however_late_the_loop_notices(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 13, 59, tzinfo=UTC)
    await deliver(scheduler.transactions, router, a_property(time_zone=EAST))

    clock.moment = datetime(2026, 11, 20, 14, 0, 30, tzinfo=UTC)
    await scheduler.round()
    await scheduler.round()

    assert await story(scheduler) == [(EAST, "20 14:00", "waiting")]


async def test_a_zone_that_nobody_is_in_any_more_runs_no_more_and_hides_nothing(
    scheduler: Scheduler, clock: SetClock
) -> None:
    moved = await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)  # the scheduler was down at 14:00
    fact = a_property(property_id=moved, version=2, time_zone=WEST)
    await deliver(scheduler.transactions, router, PropertyChanged(**fact.model_dump()))

    async with scheduler.transactions.command("test") as tx:
        await follow_zones(tx)
    clock.moment = datetime(2026, 11, 20, 17, tzinfo=UTC)
    await scheduler.round()

    assert await story(scheduler) == [
        (EAST, "20 14:00", "skipped:zone_left"),
        (WEST, "20 17:00", "waiting"),
    ]
    assert await zones_of(scheduler) == [WEST]


async def test_a_zone_stays_while_one_property_is_left_in_it(scheduler: Scheduler) -> None:
    moved, stays = await settle(scheduler, EAST), await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)

    await settle(scheduler, WEST, moved, version=2)
    both = await zones_of(scheduler)
    await settle(scheduler, WEST, stays, version=2)

    assert (both, await zones_of(scheduler)) == ([WEST, EAST], [WEST])


async def test_an_older_fact_about_a_property_changes_no_zone(scheduler: Scheduler) -> None:
    identity = await settle(scheduler, WEST, version=2)
    await scheduler.add(spec=DAILY)

    await settle(scheduler, EAST, identity, version=1)

    assert await zones_of(scheduler) == [WEST]


async def test_properties_that_swap_zones_at_once_leave_both_in_use(scheduler: Scheduler) -> None:
    one, other = await settle(scheduler, EAST), await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY)

    await asyncio.gather(settle(scheduler, WEST, one, version=2), settle(scheduler, EAST, other, version=2))
    await scheduler.round()

    assert await zones_of(scheduler) == [WEST, EAST]


async def test_a_zone_that_nobody_knows_holds_no_other_back(scheduler: Scheduler, clock: SetClock) -> None:
    await settle(scheduler, "Mars/Olympus")
    await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 14, tzinfo=UTC)

    await scheduler.round()

    assert await story(scheduler) == [(EAST, "20 14:00", "waiting")]


async def test_each_zone_catches_up_by_itself(scheduler: Scheduler, clock: SetClock) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 22, 15, tzinfo=UTC)  # the west's day has not come that far

    await scheduler.round()

    assert await story(scheduler) == [
        (EAST, "20 14:00", "skipped:coalesced"),
        (WEST, "20 17:00", "skipped:coalesced"),
        (EAST, "21 14:00", "skipped:coalesced"),
        (WEST, "21 17:00", "waiting"),
        (EAST, "22 14:00", "waiting"),
    ]
    assert {item.zone: item.coalesced for item in await scheduler.history() if item.state == "waiting"} == {
        EAST: 3,
        WEST: 2,
    }


async def test_a_run_that_hangs_in_one_zone_holds_back_that_zone_alone(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY, rules=Rules(overlap="queue_one", run_timeout=timedelta(days=2)))
    for day, hour in ((20, 14), (20, 17)):
        clock.moment = datetime(2026, 11, day, hour, tzinfo=UTC)
        await scheduler.round()
    await answer(scheduler)  # the west

    for hour in (14, 17):
        clock.moment = datetime(2026, 11, 21, hour, tzinfo=UTC)
        await scheduler.round()

    assert [fate for _zone, _at, fate in await story(scheduler)] == [
        "waiting",
        "succeeded",
        "queued",
        "waiting",
    ]


async def test_a_run_that_waits_goes_on_when_its_own_zone_is_free(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY, rules=Rules(overlap="queue_one", run_timeout=timedelta(hours=30)))
    for day in (20, 21):
        clock.moment = datetime(2026, 11, day, 17, tzinfo=UTC)
        await scheduler.round()

    clock.moment = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    await scheduler.round()

    assert [fate for _zone, _at, fate in await story(scheduler)] == [
        "timed_out",
        "timed_out",
        "waiting",
        "waiting",
    ]


async def test_a_pause_over_a_new_zone_s_time_is_missed_there_too(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)
    await scheduler.change(lambda tx, item: pause(tx, item, by="ana", reason=None, until=None))
    await settle(scheduler, WEST)
    clock.moment = datetime(2026, 11, 20, 18, tzinfo=UTC)
    await scheduler.round()

    resumed, announced = await scheduler.change(resume)

    assert announced == 0
    assert await story(scheduler) == [
        (EAST, "20 14:00", "missed:paused"),
        (WEST, "20 17:00", "missed:paused"),
    ]
    assert (resumed.state, resumed.next_run_at) == ("active", datetime(2026, 11, 21, 14, tzinfo=UTC))


async def test_an_edit_settles_what_came_due_and_fires_nothing_for_the_past(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 15, tzinfo=UTC)

    changed = await scheduler.change(
        lambda tx, item: edit(tx, item, Change(spec=DAILY | {"expr": "30 8 * * *"}))
    )
    await scheduler.round()

    assert await story(scheduler) == [(EAST, "20 14:00", "waiting")]
    assert (changed.next_run_at, changed.time_zone) == (datetime(2026, 11, 20, 16, 30, tzinfo=UTC), WEST)


async def test_an_edit_leads_from_a_zone_to_the_properties_and_back(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY | {"timezone": EAST})

    follows = await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=DAILY)))
    back = await scheduler.change(lambda tx, item: edit(tx, item, Change(spec=DAILY | {"timezone": EAST})))
    await scheduler.round()

    assert (follows.time_zone, back.time_zone, await zones_of(scheduler)) == (WEST, EAST, [])
    assert (await scheduler.schedule()).next_run_at == datetime(2026, 11, 20, 14, tzinfo=UTC)


async def test_what_is_archived_follows_nobody_until_it_is_resumed(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)
    await scheduler.change(archive)
    await settle(scheduler, WEST)
    clock.moment = datetime(2026, 11, 20, 18, tzinfo=UTC)
    await scheduler.round()
    while_archived = await zones_of(scheduler)

    resumed, announced = await scheduler.change(resume)

    assert (while_archived, announced, await scheduler.history()) == ([], 0, [])
    assert (await zones_of(scheduler), resumed.time_zone) == ([WEST, EAST], EAST)


async def test_each_zone_may_run_as_often_as_the_limit_says(scheduler: Scheduler, clock: SetClock) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY, rules=Rules(max_runs=1))
    clock.moment = datetime(2026, 11, 20, 18, tzinfo=UTC)
    await scheduler.round()
    ended = (await scheduler.schedule()).state

    await settle(scheduler, "Pacific/Honolulu")

    assert (ended, (await scheduler.schedule()).state) == ("ended", "active")
    assert [zone for zone, _at, _fate in await story(scheduler)] == [EAST, WEST]


async def test_a_backfill_fills_what_is_missing_in_each_zone(scheduler: Scheduler, clock: SetClock) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec=DAILY)
    clock.moment = datetime(2026, 11, 20, 14, tzinfo=UTC)
    await scheduler.round()
    await answer(scheduler)
    clock.moment = datetime(2026, 11, 20, 18, tzinfo=UTC)

    async with scheduler.transactions.command("test") as tx:
        gaps = await instants_between(tx.connection, await scheduler.schedule(), START, clock.moment)
        await backfill(tx, await scheduler.schedule(), [gap for gap in gaps if gap.missing], by="ana")

    assert [(gap.zone, gap.missing) for gap in gaps] == [(EAST, False), (WEST, True)]
    assert (await emitted(scheduler.transactions))[-1][1]["only_zone"] == WEST


async def test_a_run_by_hand_is_about_every_zone_or_the_one_that_is_named(scheduler: Scheduler) -> None:
    await settle(scheduler, EAST)
    await scheduler.add(spec=DAILY)

    async with scheduler.transactions.command("test") as tx:
        await run_now(tx, "rent", force=True)
        await run_now(tx, "rent", payload={"only_zone": EAST}, force=True)

    said = [trigger for _topic, trigger in await emitted(scheduler.transactions)]
    assert [(item["only_zone"], item["zone"]) for item in said] == [(None, "UTC"), (EAST, EAST)]


@pytest.mark.parametrize(
    ("trigger", "payload", "reason"),
    [
        ("weather-check", {}, "cannot be for one zone only"),
        ("late-fees", {"only_zone": EAST}, "give one or the other"),
    ],
)
def test_only_what_can_be_for_one_zone_may_follow_the_properties(
    trigger: str, payload: dict[str, str], reason: str
) -> None:
    with pytest.raises(InvalidSchedule, match=reason):
        new_schedule("x", trigger=trigger, spec=DAILY, payload=payload, now=START)


async def test_a_moment_without_an_offset_comes_at_each_property(
    scheduler: Scheduler, clock: SetClock
) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)
    await scheduler.add(spec={"kind": "once", "at": "2026-12-01T09:00", "timezone": "@property"})
    clock.moment = datetime(2026, 12, 1, 17, tzinfo=UTC)

    await scheduler.round()

    assert [(zone, at) for zone, at, _fate in await story(scheduler)] == [
        (EAST, "01 14:00"),
        (WEST, "01 17:00"),
    ]
    assert (await scheduler.schedule()).state == "ended"
