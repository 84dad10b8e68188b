"""The commands that define and control schedules, as a person or a script meets them."""

import json
import re
from datetime import timedelta

import pytest

from services.scheduler.domain.rules import Rules
from shared.clock import SystemClock
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_cli import Shell
from tests.support.databases import TestDatabases
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

MONTH_ENDS = {
    "kind": "monthly",
    "start_month": "2026-12",
    "every_months": 1,
    "day": "last",
    "time": "09:00",
    "timezone": "America/Chicago",
}


@pytest.fixture
async def clock() -> SetClock:
    """What the commands take for now, so that what a test sets up lies a little before them."""
    return SetClock(SystemClock().now())


@pytest.fixture
async def shell(scheduler: Scheduler, databases: TestDatabases) -> Shell:
    return Shell(await databases.url("scheduler"))


async def add(shell: Shell, *words: str, exit_code: int = 0) -> tuple[str, str]:
    return await shell.run(
        "scheduler", "add", "rent", "--trigger", "monthly-billing-due", *words, exit_code=exit_code
    )


async def test_add_takes_any_kind_with_its_rules_and_show_says_them_in_words(
    shell: Shell, scheduler: Scheduler
) -> None:
    await add(
        shell,
        *("--spec", json.dumps(MONTH_ENDS), "--rule", "catch-up=all", "--rule", "jitter=10m"),
        *("--rule", "exclude=2027-05-31,2026-12-31", "--rule", "exclude-weekends=yes"),
        *("--rule", "on-excluded=next-business-day", "--rule", "run-timeout=20m", "--rule", "max-runs=12"),
    )
    shown, _err = await shell.run("scheduler", "show", "rent")

    schedule = await scheduler.schedule("rent")
    assert (schedule.spec, schedule.rules.run_timeout) == (MONTH_ENDS, timedelta(minutes=20))
    for words in (
        "on the last day of every month at 09:00 from 2026-12 on, America/Chicago",
        "with each, 31d back, the newest 100",
        "2026-12-31, 2027-05-31, weekends (moved to the next business day)",
        "up to 10m, the same for each instant",
        "a run is skipped while another is under way",
        "12 runs",
    ):
        assert words in " ".join(shown.split()), words


async def test_every_so_often_counts_from_now(shell: Shell, scheduler: Scheduler, clock: SetClock) -> None:
    out, said = await add(shell, "--every", "90s")

    schedule = await scheduler.schedule("rent")
    assert schedule.next_run_at is not None
    assert re.search(r"\d\d:\d\d:\d\d UTC", out)
    assert re.search(r"^every 90s from \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC on\.$", said, re.MULTILINE), said
    assert timedelta(seconds=85) < schedule.next_run_at - clock.now() < timedelta(seconds=150)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Give --cron, --every or --spec"),
        (("--cron", "@daily", "--every", "1h"), "There are several times"),
        (("--every", "soon"), "every: 'soon' is not a length of time"),
        (("--every", "1500000000d"), "more than a hundred years"),
        (("--every", "0s"), "every_seconds: 0 is not between"),
        (("--spec", '{"kind": "once", "at": "2020-01-01T00:00:00Z"}'), "it would never be due"),
        (("--spec", '{"kind": "sometimes"}'), "kind: 'sometimes' is not one of"),
        (("--cron", "@daily", "--rule", "patience=1h"), "patience: is no rule"),
        (("--cron", "@daily", "--rule", "overlap=maybe"), "overlap: 'maybe' is not one of skip"),
        (("--cron", "@daily", "--rule", "run-timeout=none"), "overlap skip needs a run timeout"),
        (
            ("--cron", "@daily", "--rule", "exclude=25.12."),
            "exclude: '25.12.' is not a date such as 2026-12-25",
        ),
        (("--cron", "@daily", "--rule", "max-runs=0"), "max-runs: '0' is not a whole number"),
        (
            ("--cron", "@daily", "--rule", "end-at=2026-12-01T00:00:00"),
            "end-at: .* is not a moment with a zone, such as",
        ),
        (("--cron", "@daily", "--rule", "on-excluded=next_business_day"), "no excluded day to move from"),
        (
            (
                *("--cron", "@daily", "--rule", "start-at=2099-01-02T00:00:00Z"),
                *("--rule", "end-at=2099-01-01T00:00:00Z"),
            ),
            "it would end before it begins",
        ),
    ],
)
async def test_add_refuses_what_makes_no_sense_in_one_line(
    shell: Shell, words: tuple[str, ...], reason: str
) -> None:
    _out, err = await add(shell, *words, exit_code=2)

    [line] = err.strip().splitlines()
    assert re.search(reason, line), line


async def test_edit_shows_the_next_five_before_and_after(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent", cron="0 0 1 1 *")

    words = ("scheduler", "edit", "rent", "--cron", "0 0 1 * *", "--zone", "America/New_York")
    dry, _err = await shell.run(*words, "--dry-run", "--json")
    untouched = (await scheduler.schedule("rent")).spec_version
    out, err = await shell.run(*words)

    shown = json.loads(dry)
    assert (len(shown["before"]), len(shown["after"])) == (5, 5)
    assert shown["changes"] == [
        {
            "name": "when",
            "was": "At 00:00 on January 1, UTC",
            "now": "At 00:00 on the first day of every month, America/New_York",
        }
    ]
    assert (untouched, (await scheduler.schedule("rent")).spec_version) == (1, 2)
    assert len(out.strip().splitlines()) == 6
    assert "rent is version 2: At 00:00 on the first day of every month, America/New_York." in err


async def test_an_edit_that_moves_no_run_says_what_it_changes(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent", period="2026-12")
    words = ("scheduler", "edit", "rent", "--rule", "max-runs=5", "--payload", "period=2027-01")

    out, err = await shell.run(*words, "--dry-run")

    assert out.splitlines()[0].split() == ["next", "runs,", "as", "before", "zone"]
    assert err.splitlines() == [
        "payload: period=2027-01 (was: period=2026-12)",
        "at most: 5 runs (was: not set)",
        "Dry run: nothing was changed.",
    ]


async def test_runs_less_than_a_minute_apart_are_told_apart_everywhere(
    shell: Shell, scheduler: Scheduler, clock: SetClock
) -> None:
    await scheduler.add(
        "often",
        spec={"kind": "interval", "anchor": f"{clock.moment:%Y-%m-%dT%H:%M:05Z}", "every_seconds": 20},
        rules=Rules(overlap="allow"),
    )
    clock.advance(minutes=2)
    await scheduler.drain()

    listed, history, shown = [
        (await shell.run("scheduler", *words))[0] for words in (["list"], ["history"], ["show", "often"])
    ]

    assert all(re.search(r":\d\d:(05|25|45) UTC", text) for text in (listed, history))
    assert re.search(r"^next run +\S+ \d\d:\d\d:(05|25|45) UTC$", shown, re.MULTILINE), shown


async def test_edit_changes_only_what_is_named(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent", rules=Rules(max_runs=7), period="2026-12")

    _out, said = await shell.run(
        "scheduler", "edit", "rent", "--rule", "overlap=allow", "--rule", "run-timeout=none"
    )
    await shell.run("scheduler", "edit", "rent", "--zone", "Asia/Tokyo")
    _out, err = await shell.run("scheduler", "edit", "rent", exit_code=2)

    schedule = await scheduler.schedule("rent")
    assert schedule.rules == Rules(max_runs=7, overlap="allow", run_timeout=None)
    assert schedule.spec == {"kind": "cron", "expr": "5 * * * *", "timezone": "Asia/Tokyo"}
    assert schedule.payload == {"period": "2026-12"}
    assert "Nothing was to be changed" in err
    assert "overlap: runs may overlap (was: a run is skipped while another is under way)" in said
    assert "run timeout: none (was: 1h)" in said


async def test_a_pause_says_who_why_and_until(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    await shell.run(
        *("scheduler", "pause", "rent", "--by", "ana", "--reason", "API outage"),
        *("--until", "2099-01-01T00:00:00Z"),
    )

    shown, _err = await shell.run("scheduler", "show", "rent")
    assert "by ana, until 2099-01-01 00:00 UTC, because API outage" in shown
    until = ("--until", "2999-01-01T06:00:00Z")
    _, err = await shell.run("scheduler", "pause", "rent", "--by", "ben", "--reason", "audit", *until)
    assert "rent was paused already and stays so: by ben, until 2999-01-01 06:00 UTC, because audit." in err
    _, err = await shell.run("scheduler", "pause", "rent", "--by", "eva")
    assert "stays so: by ben, until 2999-01-01 06:00 UTC, because audit." in err


async def test_resume_says_what_was_missed_before_it_announces_any(
    shell: Shell, scheduler: Scheduler, clock: SetClock
) -> None:
    clock.advance(hours=-3)
    await scheduler.add("rent", cron="0 * * * *")
    await shell.run("scheduler", "pause", "rent")

    _out, dry = await shell.run("scheduler", "resume", "rent", "--catch-up", "all", "--dry-run")
    nothing = await scheduler.history()
    _out, err = await shell.run("scheduler", "resume", "rent", "--catch-up", "latest")

    assert "Missed meanwhile: 3 runs" in dry
    assert "3 of them would be announced" in dry
    assert nothing == []
    assert "1 of them are announced now" in err
    assert len(await emitted(scheduler.transactions)) == 1


async def test_run_now_keeps_who_and_why_and_refuses_to_overlap(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    await shell.run("scheduler", "run-now", "rent", "--by", "ana", "--reason", "late leases")
    _out, err = await shell.run("scheduler", "run-now", "rent", exit_code=2)
    await shell.run("scheduler", "run-now", "rent", "--force", "--dry-run")

    asked = [(item.requested_by, item.reason, item.dry_run) for item in await scheduler.history()]
    assert ("ana", "late leases", False) in asked
    assert [dry for _by, _reason, dry in asked].count(True) == 1
    assert "has been under way since" in err


async def test_an_archived_schedule_runs_by_hand_only_after_it_was_brought_back(
    shell: Shell, scheduler: Scheduler
) -> None:
    await scheduler.add("rent")
    await shell.run("scheduler", "archive", "rent")

    _, err = await shell.run("scheduler", "run-now", "rent", exit_code=2)

    assert "rent is archived; `propman scheduler resume rent` brings it back" in err
    await shell.run("scheduler", "resume", "rent")
    await shell.run("scheduler", "run-now", "rent")


async def test_a_backfill_is_shown_then_confirmed_then_done(
    shell: Shell, scheduler: Scheduler, clock: SetClock
) -> None:
    now = clock.now()
    clock.advance(hours=-3)
    await scheduler.add("rent", cron="0 * * * *")
    since = (now - timedelta(hours=3)).isoformat()
    words = (
        "scheduler",
        "backfill",
        "rent",
        "--from",
        since,
        "--to",
        now.isoformat(),
        "--max-in-flight",
        "3",
    )

    shown, _err = await shell.run(*words, "--dry-run")
    await shell.run(*words, exit_code=2)  # nobody there to say yes
    nothing = await scheduler.history()
    document = json.loads((await shell.run(*words, "--yes", "--json"))[0])

    assert shown.count("never announced") == 3
    assert nothing == []
    assert len(document["chosen"]) == len(await emitted(scheduler.transactions)) == 3
    assert {item.seq for item in await scheduler.history()} == {document["backfill_id"]}


async def test_a_backfill_of_the_future_is_refused(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    _out, err = await shell.run(
        *("scheduler", "backfill", "rent", "--from", "2099-01-01T00:00:00Z", "--to", "2099-02-01T00:00:00Z"),
        exit_code=2,
    )

    assert "only what has passed can be filled" in err


async def test_an_archived_schedule_is_listed_only_where_all_are(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    await shell.run("scheduler", "archive", "rent")

    assert json.loads((await shell.run("scheduler", "list", "--json"))[0]) == []
    [row] = json.loads((await shell.run("scheduler", "list", "--all", "--json"))[0])
    assert row["state"] == "archived"
    assert "archived" in (await shell.run("scheduler", "pause", "rent", exit_code=2))[1]
