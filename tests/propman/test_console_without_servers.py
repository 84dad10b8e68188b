"""`info`, `memory`, `monitor` and `doctor` where nothing answers, and what `doctor` concludes."""

import re

import pytest

from propman.broker import queues_in_words
from propman.catalog import all_queues
from propman.console.doctor import NOW, Finding, conclude, once
from propman.discovery import service_names
from shared.cli import CommandError
from tests.support.commands import run_propman

NOBODY = "127.0.0.1:1"
"""Nobody listens there: a connection is refused at once."""

NOWHERE = {
    **{f"{name.upper()}_DATABASE_URL": f"postgresql://u:hush@{NOBODY}/x" for name in service_names()},
    "PROPMAN_RABBITMQ_URL": f"amqp://u:hush@{NOBODY}/",
    "PROPMAN_RABBITMQ_MANAGEMENT_URL": f"http://u:hush@{NOBODY}",
    "NOTIFICATIONS_SMTP_URL": f"smtp://{NOBODY}",
}
ALL = ", ".join(service_names())


@pytest.mark.parametrize("words", [("info",), ("info", "--check"), ("memory",), ("monitor", "--once")])
async def test_where_nothing_answers_it_is_said_once_and_ends_with_three(words: tuple[str, ...]) -> None:
    ran = await run_propman(*words, environment=NOWHERE)

    assert ran.code == 3
    lines = ran.err.splitlines()
    assert lines[-1] == "Error: Nothing could be looked at. `propman doctor` says what to do."
    if words[0] != "monitor":  # which has drawn its screen
        assert ran.out == ""
        assert [line.partition(":")[0] for line in lines[:-1]] == [ALL, "the broker"]
    assert "hush" not in ran.err


@pytest.mark.parametrize(
    "words", [("info",), ("info", "--check"), ("monitor",), ("monitor", "--once")], ids=" ".join
)
async def test_json_is_there_also_where_nothing_answers(words: tuple[str, ...]) -> None:
    ran = await run_propman(*words, "--json", environment=NOWHERE)

    assert (ran.code, len(ran.json["problems"]), ran.err.count("\n")) == (3, 2, 1)


async def test_what_uses_memory_is_json_also_where_nothing_answers() -> None:
    ran = await run_propman("memory", "--json", environment=NOWHERE)

    assert (ran.code, ran.json["processes"]["rows"]) == (3, [])


async def test_without_the_setting_that_all_need_it_is_a_usage_error() -> None:
    ran = await run_propman("info", environment={})

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "PROPMAN_RABBITMQ_URL is not set" in ran.err


async def test_doctor_says_each_failure_once_and_what_to_do() -> None:
    ran = await run_propman("doctor", "--json", environment=NOWHERE)

    assert ran.code == 1
    assert [item["check"] for item in ran.json if item["level"] == "error"] == [
        *(f"database of {name}" for name in service_names()),
        "broker",
    ]
    assert all(item["remedy"] for item in ran.json if item["level"] != "ok")


FINE = Finding("python", "ok", "3.11")
ODD = Finding("settings of weather", "warning", "no contact", "Set it.")
WRONG = Finding("broker", "error", "It is gone.", "Start it.")


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ((FINE,), "Nothing needs you."),
        ((FINE, ODD), "1 warning; nothing is broken."),
        ((ODD, FINE, ODD), "2 warnings; nothing is broken."),
    ],
)
def test_a_doctor_who_warned_does_not_say_that_nothing_needs_you(
    capsys: pytest.CaptureFixture[str], findings: tuple[Finding, ...], words: str
) -> None:
    conclude(findings)

    assert capsys.readouterr().err == f"{words}\n"


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ((WRONG, FINE), "1 finding needs you."),
        ((WRONG, WRONG, ODD), "2 findings need you; beside, 1 warning."),
    ],
)
def test_what_is_broken_is_counted(findings: tuple[Finding, ...], words: str) -> None:
    with pytest.raises(CommandError) as ended:
        conclude(findings)

    assert (ended.value.message, ended.value.exit_code) == (words, 1)


def test_what_a_check_has_said_is_not_said_again_at_a_glance() -> None:
    glance = [
        Finding(NOW, "error", "the broker: It is gone"),
        Finding(NOW, "error", "billing: 3 dead letters"),
    ]

    assert once([WRONG, *glance]) == [WRONG, glance[1]]


def test_the_number_of_queues_is_the_sum_of_its_kinds() -> None:
    total, *parts = map(int, re.findall(r"\d+", queues_in_words()))

    assert total == sum(parts) == len(all_queues())
    assert len(parts) == 3
