"""What the demo says to try next can be typed."""

import shlex

import pytest

from propman.demo.report import next_steps
from shared.identity import derived_id
from tests.support.commands import run_propman

# Not by chance: both workers of a run have to collect the same tests.
SAID = next_steps("2026-12", derived_id("occurrence"), "INV-2026-000001", derived_id("tenant"))
LINES = [shlex.split(line, comments=True)[1:] for line in SAID.splitlines() if line.startswith("  ")]


def test_the_demo_points_to_what_explains_itself() -> None:
    typed = [" ".join(words) for words in LINES]

    for begins in ("billing explain", "rewards explain", "leasing signing-links", "leasing work-orders"):
        assert any(line.startswith(begins) for line in typed), begins
    assert "--month 2026-11" in SAID
    assert {"trace", "monitor"} <= {words[0] for words in LINES}


@pytest.mark.parametrize("words", LINES, ids=lambda words: " ".join(words[:2]))
async def test_what_the_demo_says_to_try_is_a_command_with_these_options(words: list[str]) -> None:
    path = [word for word in words[:3] if word.replace("-", "").isalpha() and not word.startswith("-")]

    ran = await run_propman(*path, "--help", environment={})

    assert ran.code == 0, ran.err
    for option in (word for word in words if word.startswith("--")):
        assert option in ran.out
