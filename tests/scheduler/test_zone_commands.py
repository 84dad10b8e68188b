"""The commands on a schedule that follows the properties: each shows its zones."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.scheduler.domain.schedules import Schedule
from services.scheduler.reporting import next_run
from shared.clock import SystemClock
from shared.identity import new_id
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_cli import Shell
from tests.scheduler.test_zones import EAST, WEST, settle
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers

FEES = ("scheduler", "add", "fees", "--trigger", "late-fees", "--cron", "0 9 * * *", "--zone", "@property")
NINE = '{"kind":"cron","expr":"0 9 * * *","timezone":"@property"}'
AFTER = ("--after", "2026-11-20T12:00:00Z")


@pytest.fixture
async def clock() -> SetClock:
    return SetClock(SystemClock().now())


@pytest.fixture
async def shell(scheduler: Scheduler, databases: TestDatabases) -> Shell:
    return Shell(await databases.url("scheduler"))


async def test_add_next_list_and_show_say_where(shell: Shell, scheduler: Scheduler) -> None:
    await settle(scheduler, EAST)
    await settle(scheduler, WEST)

    added, _ = await shell.run(*FEES)
    coming, _ = await shell.run("scheduler", "next", "fees", "--count", "2")
    listed, _ = await shell.run("scheduler", "list")
    shown, _ = await shell.run("scheduler", "show", "fees")
    document = json.loads((await shell.run("scheduler", "show", "fees", "--json"))[0])

    assert all(zone in added and zone in coming for zone in (EAST, WEST))
    assert "in each property's time zone" in listed
    assert f"; {EAST} " in shown
    assert [found["zone"] for found in document["zones"]] == [WEST, EAST]
    assert document["next_run_at"] == min(found["next_run_at"] for found in document["zones"])


async def test_add_says_what_it_waits_for_without_a_property(shell: Shell) -> None:
    added, err = await shell.run(*FEES)
    listed, _ = await shell.run("scheduler", "list")
    shown, _ = await shell.run("scheduler", "show", "fees")

    assert "propman leasing republish" in added + err
    assert "  no property yet  " in listed
    assert "next run               no property yet" in shown


@pytest.mark.parametrize("state", ["paused", "ended", "archived"])
def test_a_schedule_without_a_next_run_says_why(state: Any) -> None:
    schedule = Schedule(new_id(), "fees", "scheduler.late_fees_due.v1", json.loads(NINE), state, None)

    assert next_run(schedule) == state
    assert next_run(replace(schedule, state="active")) == "no property yet"


async def test_an_edit_of_the_time_keeps_following(shell: Shell, scheduler: Scheduler) -> None:
    await settle(scheduler, EAST)
    await shell.run(*FEES)

    await shell.run("scheduler", "edit", "fees", "--cron", "30 9 * * *")

    schedule = await scheduler.schedule("fees")
    assert schedule.spec == {"kind": "cron", "expr": "30 9 * * *", "timezone": "@property"}
    assert (schedule.next_zone, schedule.next_run_at and schedule.next_run_at.minute) == (EAST, 30)


async def test_preview_shows_where_there_are_properties_or_where_it_is_told(
    shell: Shell, scheduler: Scheduler
) -> None:
    preview = ("scheduler", "preview", "--spec", NINE, *AFTER, "--count", "3", "--json")
    _out, nowhere = await shell.run(*preview, exit_code=2)
    await settle(scheduler, EAST)
    here = json.loads((await shell.run(*preview))[0])
    there = json.loads((await shell.run(*preview, "--zone", EAST, "--zone", WEST))[0])

    assert "heard of no property yet" in nowhere
    assert here["expected_local"][0] == "2026-11-20T09:00:00-05:00"
    assert there["zones"] == [EAST, WEST, EAST]
    assert there["expected"][1] == "2026-11-20T17:00:00Z"


async def test_history_and_backfill_say_which_zone(
    shell: Shell, scheduler: Scheduler, clock: SetClock
) -> None:
    clock.moment = datetime(2026, 11, 19, 12, tzinfo=UTC)
    await settle(scheduler, EAST)
    await scheduler.add("fees", spec={"kind": "cron", "expr": "0 9 * * *", "timezone": "@property"})
    clock.moment = datetime(2026, 11, 19, 14, tzinfo=UTC)
    await scheduler.round()

    history, _ = await shell.run("scheduler", "history", "fees")
    preview, _ = await shell.run(
        *("scheduler", "backfill", "fees", "--from", "2026-11-19T00:00:00Z", "--to", "2026-11-20T00:00:00Z"),
        "--dry-run",
    )

    assert EAST in history
    assert EAST in preview
