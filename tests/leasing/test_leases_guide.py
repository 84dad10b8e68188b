"""The guide to leases says what works: its commands are typed one after the other."""

import re
import shlex
from pathlib import Path

import pytest

from services.leasing.domain.charges import parse_charge
from tests.leasing.typed import Run, document

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "leases.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"(?:(?P<name>[A-Z]+)=\$\()?propman leasing (?P<words>.*?)\)?", re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """The variable a command's output goes into, if any, and the words after `propman leasing`."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [COMMAND.fullmatch(line) for line in lines]
    return [(match["name"] or "", match["words"]) for match in found if match]


@pytest.mark.servers
async def test_the_commands_of_the_guide_work_one_after_the_other(run: Run) -> None:
    known: dict[str, str] = {}
    for name, words in commands():
        typed = re.sub(r"\$([A-Z]+)", lambda match: known[match[1]], words)
        result = await run(*shlex.split(typed))
        assert result.exit_code == 0, (words, result.output)
        known[name] = result.stdout.strip()

    lease, renewal = [
        document(await run("leases", "show", known[name], "--json")) for name in ("LEASE", "NEXT")
    ]
    assert (lease["rent_cents"], lease["rent_changes"]) == (
        124_000,
        [{"effective_on": "2026-10-01", "rent_cents": 129_000}],
    )
    assert (lease["ends_on"], lease["then"], len(lease["charges"])) == ("2027-03-31", "renewed", 4)
    assert (renewal["starts_on"], renewal["ends_on"], renewal["state"]) == (
        "2027-04-01",
        "2027-09-30",
        "ended",
    )
    assert [charge["amount_cents"] for charge in renewal["charges"]] == [3_500, 5_500]


def test_every_charge_in_the_guide_can_be_read() -> None:
    written = re.findall(r"^\| `([a-z]+:[^`]+)` \|", GUIDE, re.MULTILINE)

    assert [parse_charge(text).code for text in written] == ["parking", "parking", "tax", "boiler", "key"]
