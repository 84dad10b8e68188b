"""A progress bar on long work: on stderr, for people at a terminal, and silent for everybody else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from shared.cli.output import colour_allowed, json_wanted

if TYPE_CHECKING:
    from rich import progress as rich_progress


class Progress(Protocol):
    """What the work calls as it gets on."""

    def advance(self, done: int = 1) -> None:
        """Say that so many more are done."""


class _Silent:
    def advance(self, done: int = 1) -> None:
        """Nobody is watching."""


@contextmanager
def progress(total: int | None, description: str) -> Iterator[Progress]:
    """Show how far the work is; without a total (not known yet) only that it goes on."""
    if json_wanted() or not sys.stderr.isatty():
        yield _Silent()
        return
    from rich import progress as rich_progress  # noqa: PLC0415 - rich is only paid for by commands that draw
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True, no_color=not colour_allowed())
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=console) as bar:
        yield _Bar(bar, bar.add_task(description, total=total))


class _Bar:
    """One task of a rich progress display."""

    def __init__(self, display: "rich_progress.Progress", task: "rich_progress.TaskID") -> None:
        self._display = display
        self._task = task

    def advance(self, done: int = 1) -> None:
        self._display.advance(self._task, done)
