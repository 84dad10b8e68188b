"""The commands, as a person or a script meets them."""

import asyncio
import json
import re

import pytest

from services.scheduler.handlers import router
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome
from tests.scheduler.driver import START, Scheduler, until
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

pytestmark = pytest.mark.servers


class Shell:
    """Runs `propman …` with the scheduler's settings in the environment, as a user's shell would."""

    def __init__(self, database_url: str) -> None:
        self.environment = {
            "SCHEDULER_DATABASE_URL": database_url,
            "PROPMAN_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/",
            "NO_COLOR": "1",
        }

    async def run(self, *words: str, exit_code: int = 0, as_process: bool = False) -> tuple[str, str]:
        ran = await run_propman(*words, environment=self.environment, as_process=as_process)
        assert ran.code == exit_code, ran
        assert "Traceback" not in ran.err
        return ran.out, ran.err


@pytest.fixture
async def shell(scheduler: Scheduler, databases: TestDatabases) -> Shell:
    return Shell(await databases.url("scheduler"))


async def test_add_shows_the_next_five_runs_in_local_time(shell: Shell, scheduler: Scheduler) -> None:
    out, err = await shell.run(
        *("scheduler", "add", "ny-rent", "--trigger", "monthly-billing-due", "--cron", "0 0 1 * *"),
        *("--zone", "America/New_York", "--payload", "period=2026-12"),
    )

    assert len(out.strip().splitlines()) == 6
    assert "-01 00:00 E" in out
    assert "ny-rent is scheduled." in err
    assert (await scheduler.schedule("ny-rent")).payload == {"period": "2026-12"}


async def test_a_dry_run_adds_nothing(shell: Shell) -> None:
    _out, err = await shell.run(
        *("scheduler", "add", "rent", "--trigger", "monthly-billing", "--cron", "@daily", "--dry-run")
    )

    assert "nothing was added" in err
    assert json.loads((await shell.run("scheduler", "list", "--json"))[0]) == []


@pytest.mark.parametrize(
    ("words", "exit_code", "reason"),
    [
        (("--trigger", "monthly-billing", "--cron", "0 0 9 * * *"), 2, "6 fields; five are needed"),
        (("--trigger", "rent", "--cron", "@daily"), 2, "there are: .*monthly-billing-due"),
        (
            ("--trigger", "monthly-billing", "--cron", "@daily", "--zone", "Mars/Base"),
            2,
            "not an IANA time zone",
        ),
        (
            ("--trigger", "monthly-billing", "--cron", "@daily", "--payload", "period"),
            2,
            "--payload name=value",
        ),
        (("--trigger", "monthly-billing", "--cron", "@daily", "--payload", "period=soon"), 2, "period: "),
    ],
)
async def test_add_refuses_in_one_line(
    shell: Shell, words: tuple[str, ...], exit_code: int, reason: str
) -> None:
    _out, err = await shell.run("scheduler", "add", "rent", *words, exit_code=exit_code)

    [line] = err.strip().splitlines()
    assert re.search(reason, line), line


async def test_a_taken_key_is_a_problem(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    _out, err = await shell.run(
        *("scheduler", "add", "rent", "--trigger", "monthly-billing", "--cron", "@daily"), exit_code=1
    )

    assert "There is a schedule 'rent' already." in err


async def test_list_and_show_say_when_and_what_came_of_it(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent", time_zone="America/New_York")
    await scheduler.add("idle")
    identity = (await shell.run("scheduler", "run-now", "rent"))[0].strip()
    await deliver(scheduler.transactions, router, an_outcome(identity))

    listed, _err = await shell.run("scheduler", "list")
    shown, _err = await shell.run("scheduler", "show", "rent")
    [_idle, rent] = json.loads((await shell.run("scheduler", "list", "--json"))[0])

    assert "2026-11-20 07:05 EST" in listed
    assert "succeeded: 29 created" in listed
    assert "never ran" in listed
    assert "expects an outcome of  billing" in shown
    assert rent["last_occurrence"]["state"] == "succeeded"
    assert rent["next_run_local"] == "2026-11-20T07:05:00-05:00"


async def test_an_unknown_schedule_is_refused_with_the_known_ones(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    for verb in ("show", "pause", "resume", "next"):
        _out, err = await shell.run("scheduler", verb, "rant", exit_code=2)
        assert err == "Error: There is no schedule 'rant'. There are: rent.\n"


async def test_a_removed_schedule_is_gone(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    assert "--yes" in (await shell.run("scheduler", "remove", "rent", exit_code=2))[1]
    await shell.run("scheduler", "remove", "rent", "--yes")

    assert json.loads((await shell.run("scheduler", "list", "--json"))[0]) == []


async def test_next_shows_as_many_as_asked(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    found = json.loads((await shell.run("scheduler", "next", "rent", "--count", "7", "--json"))[0])

    assert len(found) == 7
    assert all(":05:00+00:00" in moment for moment in found)


@pytest.mark.parametrize("key", ["nix", ""])
async def test_the_history_of_what_is_not_there_is_refused(
    shell: Shell, scheduler: Scheduler, key: str
) -> None:
    await scheduler.add("rent")

    _out, err = await shell.run("scheduler", "history", key, exit_code=2)

    assert f"There is no schedule {key!r}." in err
    for known in ("rent", "weather-check-due"):  # a trigger can be announced without a schedule
        assert "Nothing was announced yet" in (await shell.run("scheduler", "history", known))[1]


async def test_history_is_newest_first_and_limited(shell: Shell, scheduler: Scheduler) -> None:
    for month in ("2026-10", "2026-11", "2026-12"):
        await shell.run("scheduler", "run-now", "monthly-billing", "--month", month)

    found = json.loads((await shell.run("scheduler", "history", "--limit", "2", "--json"))[0])

    assert [item["payload"]["period"] for item in found] == ["2026-12", "2026-11"]
    assert found[0]["outcome"] == "waiting for billing"
    assert "waiting for billing" in (await shell.run("scheduler", "history", "monthly-billing-due"))[0]


async def test_trigger_prints_the_occurrence_and_publishes_its_trigger(
    shell: Shell, scheduler: Scheduler
) -> None:
    out, _err = await shell.run("trigger", "monthly-billing-due", "--month", "2026-12")

    [(topic, trigger)] = await emitted(scheduler.transactions)
    assert (topic, trigger["occurrence_id"]) == (MonthlyBillingDue.topic, out.strip())
    assert trigger["period"] == "2026-12"


async def test_trigger_with_a_key_runs_once(shell: Shell, scheduler: Scheduler) -> None:
    outs = [await shell.run("trigger", "MonthlyBillingDue", "--key", "december") for _ in range(2)]

    assert outs[0] == outs[1]
    assert len(await emitted(scheduler.transactions)) == 1


@pytest.mark.parametrize(
    ("parts", "exit_code", "words"),
    [
        ({}, 0, "succeeded: 29 created."),
        ({"state": "partial", "problems": ("lease 7: no rent",)}, 1, "partly failed"),
        ({"state": "failed", "counts": {}}, 1, "failed."),
    ],
)
async def test_waiting_ends_with_the_outcomes_exit_code(
    shell: Shell, scheduler: Scheduler, parts: dict[str, object], exit_code: int, words: str
) -> None:
    words_given = ("trigger", "monthly-billing-due", "--wait", "--timeout", "20")
    waiting = asyncio.create_task(shell.run(*words_given, exit_code=exit_code, as_process=True))
    [announced] = await until(scheduler.history, within=15)

    await deliver(scheduler.transactions, router, an_outcome(str(announced.id), **parts))

    out, err = await waiting
    assert words in err
    assert "billing" in out


async def test_waiting_in_vain_says_who_may_not_be_running(shell: Shell) -> None:
    out, err = await shell.run(
        *("trigger", "monthly-billing-due", "--wait", "--timeout", "0.2", "--json"), exit_code=1
    )

    assert json.loads(out)["unanswered"] == ["billing"]
    assert "No outcome from billing within 0.2 s" in err
    assert "may not be running" in err


async def test_trigger_refuses_what_it_does_not_know(shell: Shell, scheduler: Scheduler) -> None:
    await scheduler.add("rent")

    _out, err = await shell.run("trigger", "rant", exit_code=2)
    await shell.run("trigger", "rent", "--month", "2026-13", exit_code=2)

    assert err.startswith("Error: There is no schedule or trigger 'rant'; there are: rent, ")
    assert "monthly-billing-due" in err
    assert err.count("\n") == 1


async def test_an_unreachable_database_is_exit_three() -> None:
    _out, err = await Shell("postgresql://nobody:x@127.0.0.1:1/none").run("scheduler", "list", exit_code=3)

    assert "cannot be reached" in err


def an_outcome(occurrence_id: str, **parts: object) -> TriggerOutcome:
    return TriggerOutcome.model_validate(
        {
            "occurrence_id": occurrence_id,
            "trigger": MonthlyBillingDue.topic,
            "consumer": "billing",
            "state": "succeeded",
            "counts": {"created": 29},
            "finished_at": START,
            **parts,
        }
    )
