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
from propman.console.fitting import LEAST, Fitted, filled, fit, share, words
from propman.console.observing import Panel, Snapshot, observe
from propman.console.scrolling import Scroll
from shared.cli import JsonOption, command_app, print_json
from shared.clock import SystemClock

app = command_app("monitor")

EVERY: Final = 2.0
PANELS: Final = ("services", "queues", "schedules", "processes", "problems")
KEPT: Final = {"schedule": 100, "last 20": 20, "queue": 34}
"""Columns that are of no use in a small part, and how much of them is."""

UNFINISHED: Final = re.compile(r"\x1b(\[[0-9;]*|O)?$")
SAME_KEY: Final = 0.05
"""Seconds within which the rest of a key follows its beginning."""

KEYS: Final = ("q quit", "? help", "tab panel", "1-5 choose", "space freeze", "+/- pace", "a all queues")
SCROLL_KEYS: Final = "up/down scroll"
LONG_HELP: Final = (
    "tab, shift-tab   the next panel, the one before; it gets the room that is left",
    "1 2 3 4 5        services, queues, schedules, processes, problems",
    "up, down         scroll the panel that is chosen; k and j do the same",
    "PgUp, PgDn       scroll it by what is seen of it",
    "Home, End        to its beginning, to its end; g and G do the same",
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
    places: list[Scroll] = field(default_factory=lambda: [Scroll() for _ in PANELS])
    """How far each panel is scrolled."""
    help_place: Scroll = field(default_factory=Scroll)

    @property
    def place(self) -> Scroll:
        """What the keys scroll now."""
        return self.help_place if self.help else self.places[self.panel]

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
        elif not self.place.press(key):
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
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], columns_are: Fitted, *, mark: str
    ) -> None:
        """Rows under the names of their columns, cut to the width."""
        for first, cells in ((mark, columns), *((" ", row) for row in rows)):
            self.lines.append(f"{first}{columns_are.line(cells)}")

    def text(self) -> str:
        """The whole screen."""
        return "\n".join(text[: self.width].rstrip() for text in self.lines[: self.height])


@app.command()
async def monitor(
    once: Annotated[bool, typer.Option("--once", help="One screen as text, then end; for scripts.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Watch services, queues and schedules; keys: tab, 1-5, arrows, space, +/-, a, ?, q.

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
        _draw_help(screen, view)
    else:
        _draw_panels(screen, _tables(seen, view, now, width), view)
    screen.lines = screen.lines[: height - 1]
    if view.live:
        screen.lines += [""] * (height - 1 - len(screen.lines))
    place = [] if view.place.is_whole else [view.place.position, SCROLL_KEYS]
    screen.lines.append(words([*place, *KEYS], width))
    return screen.text()


def _draw_help(screen: Screen, view: View) -> None:
    text = [line for given in LONG_HELP for line in wrap(given, screen.width) or [""]]
    screen.lines += view.help_place.part([*text, *filled(MARKS, screen.width)], screen.height - 2)


def _draw_panels(screen: Screen, tables: "Sequence[Table]", view: View) -> None:
    if view.width != screen.width:
        view.width, view.widths = screen.width, {}
    lines = screen.height - 2
    rooms = _rooms([len(rows) for _, rows, _ in tables], lines - len(tables), view.panel)
    if lines < 2 * len(tables):  # a screen this low has room for one
        tables, rooms = [tables[view.panel]], [lines - 1]
    for (columns, rows, panel), room in zip(tables, rooms, strict=True):
        index = PANELS.index(panel)
        place = view.places[index] if index == view.panel else None
        if place is None and rows and not room:
            screen.lines.append(f" {panel}: {len(rows) if len(rows) > 1 else rows[0][0]}")
            continue
        fitted = fit(columns, rows, screen.width - 1, view.widths.get(index, ()), KEPT)
        view.widths[index] = fitted.widths
        screen.table(columns, _part(rows, room, place), fitted, mark=" " if place is None else ">")
        if place is None and len(rows) > room:
            screen.lines.append(f"   … and {len(rows) - room + 1} more")


def _rooms(counts: Sequence[int], lines: int, chosen: int) -> list[int]:
    """Rows for each panel; one that could only say that there are more leaves its line to the chosen one."""
    rooms = share(counts, lines, chosen=chosen)
    for index, count in enumerate(counts):
        if index != chosen and rooms[index] == 1 < count:
            rooms[chosen], rooms[index] = rooms[chosen] + 1, 0
    return rooms


def _part(rows: Sequence[list[str]], room: int, place: Scroll | None) -> Sequence[list[str]]:
    """What is seen of a panel; those that are not chosen show their beginning, where what is wrong stands."""
    if place is not None:
        return place.part(rows, room)
    return rows if len(rows) <= room else rows[: room - 1]


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


Table = tuple[Sequence[str], Sequence[list[str]], str]
"""The names of columns, rows, and which panel it is; without rows the first name is a sentence."""


def _tables(seen: Snapshot, view: View, now: datetime, width: int) -> list[Table]:
    processes = [
        showing.process_cells(row, {each["service"] for each in seen.services.rows}, up=_up(row, now))
        for row in seen.processes.rows
    ]
    # What is wrong with one comes before what runs soon.
    schedules = sorted(seen.schedules.rows, key=lambda row: (not showing.is_wrong(row), row["key"]))
    narrow = [showing.narrow_schedule_cells(row, now) for row in schedules]
    return [
        (showing.SERVICE_COLUMNS, [showing.service_cells(row) for row in seen.services.rows], "services"),
        _queue_table(seen.queues, view),
        _or_error(showing.NARROW_SCHEDULE_COLUMNS, narrow, "schedules", seen.schedules),
        (showing.PROCESS_COLUMNS, processes, "processes"),
        (["problems"], [[line] for line in _problem_lines(seen, view, width)], "problems"),
    ]


def _or_error(columns: Sequence[str], rows: Sequence[list[str]], name: str, panel: Panel) -> Table:
    return (columns, rows, name) if panel.error is None else ([f"{columns[0]}: {panel.error}"], [], name)


def _queue_table(queues: Panel, view: View) -> Table:
    busy = [row for row in queues.rows if view.all_queues or _is_busy(row)]
    if busy or queues.error:
        cells = [showing.queue_cells(row) for row in sorted(busy, key=_fullest)]
        return _or_error(showing.QUEUE_COLUMNS, cells, "queues", queues)
    return ([f"queues: nothing waits or moves in any of {len(queues.rows)}"], [], "queues")


def _problem_lines(seen: Snapshot, view: View, width: int) -> list[str]:
    """A line each, but in the panel that is chosen every problem is there to its last word."""
    if not seen.problems:
        return ["none"]
    if PANELS[view.panel] != "problems":
        return seen.problems
    return [
        line
        for problem in seen.problems
        for line in wrap(problem, max(width - 1, LEAST), subsequent_indent="  ")
    ]


def _up(process: dict[str, Any], now: datetime) -> float:
    return float((now - process["started_at"]).total_seconds())


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
        typed = self._read(patience)
        while UNFINISHED.search(typed) and (rest := self._read(SAME_KEY)):
            typed += rest
        return typed

    def _read(self, patience: float) -> str:
        ready, _, _ = select.select([self.descriptor], [], [], patience)
        return os.read(self.descriptor, 64).decode(errors="ignore") if ready else ""


def keys_of(typed: str) -> list[str]:
    """What was typed, key by key; arrows and shift-tab come as several characters each."""
    return re.findall(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.", typed, re.DOTALL)
