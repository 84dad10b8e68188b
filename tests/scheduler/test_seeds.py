"""An upgraded system's schedules become those of a new one, when somebody says so and not before."""

import json

import pytest

from services.scheduler.controlling import Change, edit
from services.scheduler.seeds import SEEDS
from tests.scheduler.driver import Scheduler
from tests.scheduler.test_cli import Shell
from tests.scheduler.test_zones import settle
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers


@pytest.fixture
async def shell(scheduler: Scheduler, databases: TestDatabases) -> Shell:
    """An upgraded system: hourly, for all zones at once; one schedule was edited since."""
    for seed in SEEDS:
        [(spec, rules)] = seed.former
        await scheduler.add(seed.key, spec=dict(spec), rules=rules)
    own = Change(spec={"kind": "cron", "expr": "0 4 * * *", "timezone": "UTC"})
    await scheduler.change(lambda tx, schedule: edit(tx, schedule, own), key="autopay")
    return Shell(await databases.url("scheduler"))


async def specs(scheduler: Scheduler) -> dict[str, object]:
    return {seed.key: (await scheduler.schedule(seed.key)).spec for seed in SEEDS}


async def test_a_look_shows_each_difference_and_changes_nothing(shell: Shell, scheduler: Scheduler) -> None:
    await settle(scheduler, "America/New_York")
    former = await specs(scheduler)

    out, err = await shell.run("scheduler", "adopt-seeds", "--dry-run")

    assert "in each property's time zone" in out
    assert "late-fees: catches up: with the latest for all, 7d back; was: with the latest for all, 31d" in err
    assert "daily-billing" in out
    assert "Left alone, because somebody has made them their own: autopay." in err
    assert await specs(scheduler) == former


async def test_what_nobody_has_edited_is_adopted_once(shell: Shell, scheduler: Scheduler) -> None:
    await settle(scheduler, "America/New_York")

    document = json.loads((await shell.run("scheduler", "adopt-seeds", "--yes", "--json"))[0])
    _, again = await shell.run("scheduler", "adopt-seeds", "--yes")

    adopted = {seed.key: seed.spec for seed in SEEDS if seed.key != "autopay"}
    assert {key: spec for key, spec in (await specs(scheduler)).items() if key != "autopay"} == adopted
    assert (await scheduler.schedule("autopay")).spec["expr"] == "0 4 * * *"
    assert {item["key"] for item in document["changed"]} == {*adopted, "daily-billing"}
    assert (await scheduler.schedule("daily-billing")).follows_properties
    assert "is as it is put today, or is your own" in again


async def test_without_a_yes_nothing_is_changed(shell: Shell, scheduler: Scheduler) -> None:
    await settle(scheduler, "America/New_York")
    former = await specs(scheduler)

    await shell.run("scheduler", "adopt-seeds", exit_code=2)  # nobody is there to be asked

    assert await specs(scheduler) == former


async def test_a_scheduler_that_knows_no_property_says_how_to_hear_of_them(shell: Shell) -> None:
    _, err = await shell.run("scheduler", "adopt-seeds", "--yes", exit_code=1)

    assert "propman leasing republish" in err
