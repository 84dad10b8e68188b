"""Drawing rows: aligned text for pipes, a rich table for terminals."""

import re
from collections.abc import Sequence
from typing import Literal

NUMBER = re.compile(r"-?[\d.,']+( ?[A-Z]{3}|%)?$|[A-Z$€£]{1,3} ?-?[\d.,']+$")
IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
READABLE = 10  # a text column narrower than this is no longer read, only spelled


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Every value whole, columns two blanks apart: what `grep`, `awk` and a log can read."""
    everything = [list(columns), *map(list, rows)]
    widths = [max(len(cells[index]) for cells in everything) for index in range(len(columns))]
    right = [_all(NUMBER, rows, index) for index in range(len(columns))]
    return "\n".join(line(cells, widths, right) for cells in everything)


def line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], gap: str = "  ") -> str:
    """One row, each cell as wide as its column; those of numbers stand right."""
    padded = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return gap.join(padded).rstrip()


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None, colour: bool) -> None:
    """Fit the terminal: long texts wrap, identifiers stay whole so that they can be copied."""
    from rich import box  # noqa: PLC0415 - rich is only paid for by commands that draw
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(no_color=not colour, highlight=False)
    least = [_least_width(name, rows, index) for index, name in enumerate(columns)]
    if sum(least) + 2 * len(columns) > console.width:
        console.print(Text(records(columns, rows)), soft_wrap=True)
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        justify: Literal["right", "left"] = "right" if _all(NUMBER, rows, index) else "left"
        table.add_column(
            name, justify=justify, overflow="fold", no_wrap=_whole(rows, index), min_width=least[index]
        )
    for row in rows:
        table.add_row(*map(Text, row))  # Text, because a cell may hold [brackets] that are not markup
    console.print(table)


def records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A field on each line, for a terminal too narrow for the table."""
    width = max(map(len, columns))
    return "\n\n".join(
        "\n".join(f"{name:<{width}}  {cell}" for name, cell in zip(columns, row, strict=True)) for row in rows
    )


def _least_width(name: str, rows: Sequence[Sequence[str]], index: int) -> int:
    longest = max(len(name), *(len(row[index]) for row in rows))
    return longest if _whole(rows, index) else min(longest, READABLE)


def _whole(rows: Sequence[Sequence[str]], index: int) -> bool:
    return _all(NUMBER, rows, index) or _all(IDENTIFIER, rows, index)


def _all(pattern: re.Pattern[str], rows: Sequence[Sequence[str]], index: int) -> bool:
    values = [row[index] for row in rows if row[index] not in {"", "-"}]
    return bool(values) and all(pattern.match(value) for value in values)
