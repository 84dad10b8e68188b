"""How the numbers are shown: a table for people, JSON for whoever compares runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from shared.cli import print_json, print_record, print_table, say


class BenchmarkFailed(Exception):
    """The work was not done, so that there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One part: how much work, how long it took us and the bare script, and what we aim at."""

    part: str
    work: str
    unit: str
    count: int
    ours_seconds: tuple[float, ...]
    bare_seconds: tuple[float, ...]
    aim: int
    documented_bound: str
    note: str = ""

    @property
    def ours(self) -> float:
        """Our rate; the median where it was measured more than once."""
        return self.count / median(self.ours_seconds)

    @property
    def bound(self) -> float:
        """The bare script's rate."""
        return self.count / median(self.bare_seconds)


def show(machine: dict[str, Any], figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print everything that was measured."""
    if as_json:
        measured = [asdict(item) | {"ours": round(item.ours), "bound": round(item.bound)} for item in figures]
        print_json({"machine": machine, "figures": measured})
        return
    say("")
    print_table(
        ["part", "what", "count", "ours", "bare script", "of it", "aim", "measured before, bare"],
        [_row(item) for item in figures],
    )
    for item in figures:
        if item.note:
            say(f"\n{item.part}: {item.note}")
    say("")
    print_record(machine)


def _row(item: Figure) -> list[str]:
    return [
        item.part,
        item.work,
        f"{item.count:,}",
        f"{item.ours:,.0f} {item.unit}/s",
        f"{item.bound:,.0f}",
        f"{item.ours / item.bound:.0%}",
        f"{item.aim:,}",
        item.documented_bound,
    ]
