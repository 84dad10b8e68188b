"""`propman monitor`: the whole system, live, in a terminal of 80 by 24 and wider.

Shapes and words carry the meaning, never colour alone; over ssh and in a log (`--once`) it is the same text.
"""

import asyncio
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from textwrap import wrap
from typing import Annotated, Any, Final

import typer

from propman.console import showing
from propman.console.fitting import Fitted, filled, fit, share, words
from propman.console.observing import Panel, Snapshot, observe
from shared.cli import JsonOption, command_app, print_json
from shared.clock import SystemClock

app = command_app("monitor")

EVERY: Final = 2.0
PANELS: Final = ("services", "queues", "schedules", "processes", "problems")
WHOLE: Final = frozenset({"schedule", "last 20"})
"""Columns that are of no use in part."""

KEYS: Final = ("q quit", "? help", "tab panel", "1-5 choose", "space freeze", "+/- pace", "a all queues")
LONG_HELP: Final = (
    "tab, shift-tab   the next panel, the one before; it gets the room that is left",
    "1 2 3 4 5        services, queues, schedules, processes, problems",
    "space            freeze the screen, and let it go on",
    "+ and -          look more often, or less often (1 s to 30 s)",
    "a                all queues, or only those in which something happens",
    "?                this help",
    "q or Ctrl+C      quit",
    "",
    "Marks of a schedule's last runs:",
)
MARKS: Final = (
    *("# succeeded", "+ succeeded late", "! partly failed", "x failed", "t timed out"),
    *(". missed", "- skipped", "~ waits for the run before it", "? waits for an outcome"),
)
"""As the scheduler writes them; a line ends between two of them, never inside one."""


@dataclass(slots=True)
class View:
    """What the person at the keyboard has chosen."""

    panel: int = 0
    frozen: bool = False
    every: float = EVERY
    all_queues: bool = False
    help: bool = False
    quit: bool = False
    live: bool = False
    """Whether it fills a terminal, with the keys on the last line."""
    width: int = 0
    widths: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Of each panel's columns on the last screen of this width."""

    def press(self, key: str) -> None:
        """Answer a key."""
        if key in {"q", "\x03", "\x04"}:
            self.quit = True
        elif key == "?":
            self.help = not self.help
        elif key == " ":
            self.frozen = not self.frozen
        elif key == "a":
            self.all_queues = not self.all_queues
        elif key in {"+", "-"}:
            self.every = min(max(self.every / 2 if key == "+" else self.every * 2, 1.0), 30.0)
        else:
            self._choose(key)

    def _choose(self, key: str) -> None:
        if key in {"\t", "\x1b[Z"}:
            self.panel = (self.panel + (1 if key == "\t" else -1)) % len(PANELS)
        elif key in set("12345"):
            self.panel = int(key) - 1


@dataclass(slots=True)
class Screen:
    """Lines for a terminal of a size; nothing is wider or longer than it."""

    width: int
    height: int
    lines: list[str] = field(default_factory=list)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        most: int,
        columns_are: Fitted,
        *,
        mark: str,
    ) -> None:
        """A table cut to the width, and to `most` rows with a word about the rest."""
        shown = rows[: most - 1] if len(rows) > most else rows
        for first, cells in ((mark, columns), *((" ", row) for row in shown)):
            self.lines.append(f"{first}{columns_are.line(cells)}")
        if len(shown) < len(rows) and most > 0:
            self.lines.append(f"   … and {len(rows) - len(shown)} more")

    def text(self) -> str:
        """The whole screen."""
        return "\n".join(text[: self.width].rstrip() for text in self.lines[: self.height])


@app.command()
async def monitor(
    once: Annotated[bool, typer.Option("--once", help="One screen as text, then end; for scripts.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Watch services, queues and schedules; keys: tab, 1-5, space, +/-, a, ?, q.

    Once, exit 3 where nothing could be looked at.

    \b
    Examples:
      propman monitor
      propman monitor --once
    """
    if sys.stdin.isatty() and sys.stdout.isatty() and not (once or as_json):
        await _live()
        return
    seen = await observe()
    if as_json:
        print_json(seen)
    else:
        typer.echo(draw(seen, View(), SystemClock().now(), _size().columns, 10_000))
    seen.refuse_blindness()


async def _live() -> None:
    view = View(live=True)
    seen = await observe()
    look: asyncio.Task[Snapshot] | None = None  # beside the keyboard, which never waits for a slow server
    with _keyboard() as keyboard:
        while not view.quit:
            now = SystemClock().now()
            if look is not None and look.done():
                seen, look = look.result(), None
            if look is None and not view.frozen and (now - seen.services.at).total_seconds() >= view.every:
                look = asyncio.create_task(observe())
            size = _size()
            _paint(draw(seen, view, now, size.columns, size.lines))
            for key in keys_of(await asyncio.to_thread(keyboard, 0.25)):
                view.press(key)
    if look is not None:
        look.cancel()


def draw(seen: Snapshot, view: View, now: datetime, width: int, height: int) -> str:
    """One screen: every panel in short, the chosen one with all the room that is left."""
    screen = Screen(width, height, [_head(seen, view, now, width)])
    if view.help:
        screen.lines += [line for text in LONG_HELP for line in wrap(text, width) or [""]]
        screen.lines += filled(MARKS, width)
        return screen.text()
    if view.width != width:
        view.width, view.widths = width, {}
    tables = _tables(seen, view, now)
    counts = [0 if panel.error else len(rows) for _, rows, panel in tables]
    rooms = share(counts, height - 2 - len(tables), chosen=view.panel)
    for index, (columns, rows, panel) in enumerate(tables):
        mark = ">" if index == view.panel else " "
        if panel.error:
            screen.lines.append(f"{mark}{columns[0]}: {panel.error}")
            continue
        fitted = fit(columns, rows, width - 1, view.widths.get(index, ()), WHOLE)
        view.widths[index] = fitted.widths
        screen.table(columns, rows, rooms[index], fitted, mark=mark)
    screen.lines = screen.lines[: height - 1]
    if view.live:
        screen.lines += [""] * (height - 1 - len(screen.lines))
    screen.lines.append(words(KEYS, width))
    return screen.text()


def _head(seen: Snapshot, view: View, now: datetime, width: int) -> str:
    """What matters most comes first: a narrow terminal shows the beginning."""
    age = showing.duration((now - seen.services.at).total_seconds())
    parts = [
        f"propman {now:%H:%M:%S} UTC",
        f"PROBLEMS {len(seen.problems)}" if seen.problems else "all well",
        *(["FROZEN"] if view.frozen else []),
        f"figures {age} old, every {view.every:g} s",
        f"{now:%Y-%m-%d}",
    ]
    return words(parts, width)


Table = tuple[Sequence[str], list[list[str]], Panel]


def _tables(seen: Snapshot, view: View, now: datetime) -> list[Table]:
    busy = [row for row in seen.queues.rows if view.all_queues or _is_busy(row)]
    queues = [showing.queue_cells(row) for row in sorted(busy, key=_fullest)]
    everything = {row["service"] for row in seen.services.rows}
    processes = [
        showing.process_cells(row, everything, up=(now - row["started_at"]).total_seconds())
        for row in seen.processes.rows
    ]
    # What is wrong with one comes before what runs soon.
    schedules = sorted(seen.schedules.rows, key=lambda row: (row.get("flag") is None, row["key"]))
    return [
        (showing.SERVICE_COLUMNS, [showing.service_cells(row) for row in seen.services.rows], seen.services),
        (showing.QUEUE_COLUMNS, queues, seen.queues)
        if queues or seen.queues.error
        else ([f"queues: nothing waits or moves in any of {len(seen.queues.rows)}"], [], seen.queues),
        (
            showing.NARROW_SCHEDULE_COLUMNS,
            [showing.narrow_schedule_cells(row, now) for row in schedules],
            seen.schedules,
        ),
        (showing.PROCESS_COLUMNS, processes, seen.processes),
        (["problems"], [[problem] for problem in seen.problems] or [["none"]], seen.services),
    ]


def _is_busy(row: dict[str, Any]) -> bool:
    return bool(row["ready"] or row["unacked"] or row["in_per_second"] or row["out_per_second"])


def _fullest(row: dict[str, object]) -> tuple[int, str]:
    return -int(str(row["ready"])), str(row["queue"])


def _size() -> os.terminal_size:
    return os.get_terminal_size() if sys.stdout.isatty() else os.terminal_size((120, 40))


def _paint(text: str) -> None:
    """From the top left corner, clearing what each line had before; no flicker, no scrolling."""
    lines = text.split("\n")
    sys.stdout.write(
        "\x1b[H" + "".join(f"{shown}\x1b[K\r\n" for shown in lines[:-1]) + f"{lines[-1]}\x1b[K\x1b[J"
    )
    sys.stdout.flush()


@contextmanager
def _keyboard() -> "Iterator[Keyboard]":
    """Keys one by one, a screen of our own, no cursor; and afterwards the terminal as it was."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[2J")
    try:
        yield Keyboard(descriptor)
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Reads what is typed, or nothing within a time."""

    descriptor: int

    def __call__(self, patience: float) -> str:
        """One key or several, where somebody types quicker than the screen is drawn."""
        ready, _, _ = select.select([self.descriptor], [], [], patience)
        return os.read(self.descriptor, 64).decode(errors="ignore") if ready else ""


def keys_of(typed: str) -> list[str]:
    """What was typed, key by key; arrows and shift-tab come as several characters each."""
    return re.findall(r"\x1b\[[0-9;]*[A-Za-z~]|.", typed, re.DOTALL)
