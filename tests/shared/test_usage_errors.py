"""Whatever is mistyped is one line on stderr that says what is wrong and where to read more, with code 2."""

import os
import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from shared.cli import App, JsonOption, LimitOption, MonthOption, service_app

TOOLS = "See `propman tools dig --help`."


class Spade(StrEnum):
    ROUND = "round"
    FLAT = "flat"


def an_app() -> App:
    app = service_app("tools", "Digging.")

    @app.command()
    async def dig(
        where: Annotated[str, typer.Argument(metavar="PLACE")],
        holes: Annotated[list[int] | None, typer.Argument()] = None,
        *,
        limit: LimitOption = 5,
        depth: Annotated[float, typer.Option(max=3)] = 1.0,
        spade: Spade = Spade.ROUND,
        month: MonthOption = None,
        by: Annotated[str, typer.Option()],
        as_json: JsonOption = False,
    ) -> None:
        """Dig holes."""
        if where == "sea":
            raise typer.BadParameter("Nobody digs there")

    @app.command()
    def plant() -> None:
        """Plant a tree."""

    return app


def run(*words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(an_app(), list(words), prog_name="propman tools")
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("dig", f"PLACE is missing. {TOOLS}"),
        ("dig here", f"--by is missing. {TOOLS}"),
        ("dig here --by", f"--by needs a value. {TOOLS}"),
        ("dig here --by me -n 0", f"--limit: 0 is too small; give 1 or more. {TOOLS}"),
        ("dig here --by me --limit many", f"--limit: 'many' is not a whole number. {TOOLS}"),
        ("dig here --by me --limit 1.5", f"--limit: '1.5' is not a whole number. {TOOLS}"),
        (f"dig here --by me --limit {'9' * 5_000}", f"--limit: {'9' * 59}… is too large a number. {TOOLS}"),
        ("dig here --by me --depth 3.5", f"--depth: 3.5 is too large; give 3.0 or less. {TOOLS}"),
        ("dig here --by me --depth deep", f"--depth: 'deep' is not a number. {TOOLS}"),
        ("dig here --by me --spade bent", f"--spade: 'bent' is not one of 'round', 'flat'. {TOOLS}"),
        ("dig here 1 two --by me", f"HOLES: 'two' is not a whole number. {TOOLS}"),
        (
            "dig here --by me --month 2026-13",
            f"--month: '2026-13' is not a month. Write it as YYYY-MM, for example 2026-09. {TOOLS}",
        ),
        ("dig here --by me --json=yes", f"--json takes no value. {TOOLS}"),
        ("dig here --by me --jsn", f"There is no option --jsn. Did you mean --json? {TOOLS}"),
        ("dig here --by me -x", f"There is no option -x. {TOOLS}"),
        ("dig sea --by me", f"Nobody digs there. {TOOLS}"),
        ("plant a b", "More was said than it takes: a b. See `propman tools plant --help`."),
        ("plan", "There is no command 'plan'. Did you mean 'plant'? See `propman tools --help`."),
        ("mow", "There is no command 'mow'. See `propman tools --help`."),
        ("--deep", "There is no option --deep. Did you mean --help? See `propman tools --help`."),
    ],
)
def test_what_is_mistyped_is_one_line_with_the_next_step(words: str, line: str) -> None:
    assert run(*words.split()) == (2, "", f"Error: {line}\n")


@settings(max_examples=30)
@given(st.lists(st.text(max_size=8) | st.sampled_from(["dig", "plant", "--by", "-n", "here"]), max_size=6))
def test_whatever_is_typed_a_usage_error_is_one_line_that_moves_no_cursor(words: list[str]) -> None:
    code, _, shown = run("plant", *(word for word in words if word not in {"-h", "--help"}))

    assert code in {0, 2}
    if code:
        assert shown.startswith("Error: ")
        assert shown.endswith("See `propman tools plant --help`.\n")
        assert shown[:-1].isprintable()


def test_a_group_without_a_verb_still_says_what_it_can_do() -> None:
    code, _, shown = run()

    assert code == 2
    assert "Plant a tree." in shown


# A reader that goes away

TALKS = """
import sys
from shared.cli import command_app, main, print_table, say
app = command_app('talk')
@app.command()
{kind} talk() -> None:
    for number in range({rows}):
        {way}
main(app)
"""


@pytest.mark.parametrize(
    ("kind", "rows", "way"),
    [
        ("def", 100_000, "print(number)"),
        ("async def", 3, "print_table(['number'], [[number]])"),
        ("def", 3, "print(number)"),
        ("def", 3, "say('word'); print_table(['number'], [[number]])"),
    ],
)
def test_a_reader_that_goes_away_ends_the_command_without_a_word(kind: str, rows: int, way: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = TALKS.format(kind=kind, rows=rows, way=way)

    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)

    assert ended.returncode == 141
    assert ended.stderr.replace("word\n", "") == ""
