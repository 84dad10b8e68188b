"""A flushed file that is put back once more: what its note knows, and what the command makes of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from propman.catalog import all_queues
from propman.console.put_back import Note, note_of, noted, write
from propman.console.queues import Kept, keep
from propman.discovery import service_names
from tests.support.commands import Ran, run_propman

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
NOWHERE = {
    **{f"{name.upper()}_DATABASE_URL": "postgresql://u@127.0.0.1:1/x" for name in service_names()},
    "PROPMAN_RABBITMQ_URL": "amqp://127.0.0.1:1/",
}
UNREACHABLE = 3


@pytest.fixture
def flushed(tmp_path: Path) -> Path:
    """A file with one message, in which there is every end of a line that Unicode knows."""
    file = tmp_path / "kept.jsonl"
    body = "a\u2028b\u2029c\x85d\x0be".encode()
    file.write_text(f"{Kept(next(iter(all_queues())), body, {}).line()}\n", encoding="utf-8")
    return file


async def put_back(file: Path, *words: str, environment: Mapping[str, str] = NOWHERE) -> Ran:
    """Where no broker answers: what is not refused before gets as far as that."""
    return await run_propman("queue", "import", str(file), *words, environment=environment)


def remember(file: Path, *, finished: bool) -> None:
    write(file, replace(Note.begin(file.read_bytes(), NOW), finished=finished))


async def test_what_was_put_back_is_refused_and_says_when_that_was(flushed: Path) -> None:
    remember(flushed, finished=True)

    ran = await put_back(flushed)

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert f"{flushed} was put back on 2026-12-01 09:30 UTC" in ran.err


async def test_who_means_it_puts_it_back_again(flushed: Path) -> None:
    remember(flushed, finished=True)

    assert (await put_back(flushed, "--again")).code == UNREACHABLE


async def test_a_dry_run_says_that_it_would_be_refused(flushed: Path) -> None:
    remember(flushed, finished=True)

    ran = await put_back(flushed, "--dry-run")

    assert ran.code == 0
    assert "without --again it is refused" in ran.err
    assert "1 message would be put back" in ran.err


async def test_what_was_cut_off_may_be_tried_anew(flushed: Path) -> None:
    remember(flushed, finished=False)

    ran = await put_back(flushed)

    assert (ran.code, "was begun on 2026-12-01 09:30 UTC and cut off" in ran.err) == (UNREACHABLE, True)


async def test_a_broker_that_is_away_leaves_no_note(flushed: Path) -> None:
    await put_back(flushed)

    assert noted(flushed, await asyncio.to_thread(flushed.read_bytes)) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"sha256": 1}'])
def test_a_note_that_is_no_note_knows_nothing(flushed: Path, text: str) -> None:
    note_of(flushed).write_text(text)

    assert noted(flushed, flushed.read_bytes()) is None


def test_a_file_with_other_contents_under_the_same_name_is_new(flushed: Path) -> None:
    remember(flushed, finished=True)

    assert noted(flushed, flushed.read_bytes() + b" ") is None
    assert noted(flushed, flushed.read_bytes()) is not None


def test_where_no_note_can_be_kept_it_is_said(flushed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note_of(flushed).mkdir()

    keep(flushed, Note.begin(b"", NOW))

    assert "could not be noted" in capsys.readouterr().err


async def test_a_message_survives_its_file_whatever_ends_of_lines_are_in_it(flushed: Path) -> None:
    ran = await put_back(flushed, "--dry-run")

    assert (ran.code, ran.err) == (0, "Dry run: 1 message would be put back.\n")
