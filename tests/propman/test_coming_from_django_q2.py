"""The guide for people from Django-Q2 names no command and no option that is not there, and leaves none out."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.support.commands import run_propman
from tests.support.databases import TestDatabases

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PROPMAN_SHARED", ROOT.parent / "shared"))
REFERENCE = SHARED / "seed" / "management-commands-reference.md"
GUIDE = (ROOT / "docs/guides/coming-from-django-q2.md").read_text(encoding="utf-8")
TYPED = sorted({match[1] for match in re.finditer(r"`(propman [^`…]+)`", GUIDE)})
TIMETABLES = re.findall(r"`(--(?:spec|every|cron) [^`]+)`", GUIDE)
RULES = re.findall(r"`(--rule [^`]+)`", GUIDE)


@pytest.mark.parametrize("typed", TYPED)
async def test_every_command_and_option_of_the_guide_exists(typed: str) -> None:
    words = typed.split()[1:]
    path = [word for word in words if re.fullmatch(r"[a-z][a-z-]+", word)]
    if path[0] == "run":
        path = path[:1]  # what follows is a service

    ran = await run_propman(*path, "--help", environment={})

    assert ran.code == 0, ran.err
    assert f"Usage: propman {' '.join(path)}" in ran.out
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", ran.out), option


@pytest.mark.servers
async def test_every_timetable_and_rule_of_the_guide_is_taken_as_it_stands(databases: TestDatabases) -> None:
    async with databases.transactions("scheduler"):
        environment = {
            "SCHEDULER_DATABASE_URL": await databases.url("scheduler"),
            "PROPMAN_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/",
        }
        rules = [word for rule in RULES for word in shlex.split(rule)]
        for when in TIMETABLES:
            words = shlex.split(when.replace("EXPR --zone ZONE", "'0 9 * * 1' --zone America/New_York"))
            ran = await run_propman(
                *("scheduler", "add", "x", "--trigger", "late-fees", *words, *rules, "--dry-run"),
                environment=environment,
            )
            assert ran.code == 0, (when, ran.err)

    assert (len(TIMETABLES), len(RULES)) == (6, 3)


@pytest.mark.shared_data
def test_every_old_command_is_in_the_guide() -> None:
    if not REFERENCE.exists():
        pytest.skip("the reference of the old commands is not on this machine (PROPMAN_SHARED)")

    commands = set(re.findall(r"^### ([a-z_]+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))

    assert len(commands) == 14
    assert {name for name in commands if f"`{name}`" not in GUIDE} == set()
