"""Fitting figures into a terminal: whole columns where they fit, shortened words before lost columns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.cli.tables import line

NUMBER: Final = re.compile(r"-$|[\d.-]+$|[<>]?(\d+[dhms])+$|\?$")
LEAST: Final = 14
"""A text column narrower than this is no longer read, only spelled."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Which columns are shown, and how wide each is."""

    widths: tuple[int, ...]
    right: tuple[bool, ...]
    """Columns of numbers stand right."""

    def line(self, cells: Sequence[str]) -> str:
        """One row; what is too long for its column ends in an ellipsis."""
        shown = [_cut(cell, width) for cell, width in zip(cells, self.widths, strict=False)]
        return line(shown, self.widths, self.right, " ")


def fit(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    before: Sequence[int] = (),
    kept: Mapping[str, int] | None = None,
) -> Fitted:
    """Columns for a terminal of a width.

    `before` are the widths of the last screen: a column never gets narrower, so that nothing jumps about.
    The longest texts give way first, each down to `LEAST` or what `kept` says for its column; then the last
    columns do.
    """
    least = [(kept or {}).get(name, LEAST) for name in columns]
    right = [all(NUMBER.match(row[index]) for row in rows) and bool(rows) for index in range(len(columns))]
    widths = [max(len(line[index]) for line in [columns, *rows]) for index in range(len(columns))]
    if len(before) == len(widths):
        widths = [max(pair) for pair in zip(widths, before, strict=True)]
    while _total(widths) > width:
        texts = [index for index, size in enumerate(widths) if size > least[index] and not right[index]]
        if not texts:
            break
        longest = max(texts, key=lambda index: widths[index])
        widths[longest] -= 1
    while len(widths) > 1 and _total(widths) > width:
        widths.pop()
    return Fitted(tuple(widths), tuple(right[: len(widths)]))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(widths) - 1


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: max(width - 1, 0)]}…"


def share(counts: Sequence[int], lines: int, *, chosen: int, least: int = 3) -> list[int]:
    """How many lines each panel gets of those there are.

    Half of them are for the chosen one, so that it can be read on a small screen too; then some for each, and
    the rest for the chosen one first.
    """
    rooms = [0] * len(counts)
    turns = [chosen, *(index for index in range(len(counts)) if index != chosen)]

    def give(index: int, most: int) -> bool:
        if sum(rooms) >= lines or rooms[index] >= min(counts[index], most):
            return False
        rooms[index] += 1
        return True

    while rooms[chosen] < max(least, lines // 2) and give(chosen, counts[chosen]):
        pass
    for _ in range(least):
        for index in turns:
            give(index, least)
    while give(chosen, counts[chosen]):
        pass
    while sum(give(index, counts[index]) for index in turns):
        pass
    return rooms


def words(parts: Sequence[str], width: int, gap: str = "  ") -> str:
    """As many of these, in this order, as fit whole."""
    shown = ""
    for part in parts:
        longer = f"{shown}{gap}{part}" if shown else part
        if len(longer) > width:
            break
        shown = longer
    return shown


def filled(parts: Sequence[str], width: int, gap: str = "  ") -> list[str]:
    """All of these, in this order, on as many lines as they need; none is broken over two."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(gap) + len(part) <= width:
            lines[-1] += f"{gap}{part}"
        else:
            lines.append(part)
    return lines
