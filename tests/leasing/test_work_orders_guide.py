"""The guide to work orders says what works: its commands are typed one after the other."""

import re
import shlex
from pathlib import Path

import pytest

from services.leasing.domain.work_orders import POSSIBLE, UNFINISHED
from tests.leasing.typed import Run, document

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "work-orders.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"(?:(?P<name>[A-Z]+)=\$\()?propman leasing (?P<words>.*?)\)?", re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """The variable a command's output goes into, if any, and the words after `propman leasing`."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [(match["name"] or "", match["words"]) for line in lines if (match := COMMAND.fullmatch(line))]


@pytest.mark.servers
async def test_the_commands_of_the_guide_work_one_after_the_other(run: Run) -> None:
    known: dict[str, str] = {}
    for name, words in commands():
        result = await run(*shlex.split(re.sub(r"\$([A-Z]+)", lambda match: known[match[1]], words)))
        assert result.exit_code == 0, (words, result.output)
        known[name] = result.stdout.strip()

    found = document(await run("work-orders", "show", known["ORDER"], "--json"))
    assert (found["state"], len(found["history"])) == ("cancelled", 7)


def test_the_guide_s_table_has_every_state_and_what_is_possible_in_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", GUIDE, re.MULTILINE))

    assert list(rows) == list(POSSIBLE)
    for state, verbs in POSSIBLE.items():
        shown = rows["assigned"] if state in UNFINISHED and state != "open" else rows[state]
        assert set(re.findall(r"`(\w+)`", shown)) == set(verbs)
