"""Which part of a list is seen where there is less room than it needs.

Ours, because Rich shows the beginning of what is too long and cannot move it, and a framework for whole
screens is more than a table of rows asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

Row = TypeVar("Row")

UP: Final = frozenset({"k", "\x1b[A", "\x1bOA"})
DOWN: Final = frozenset({"j", "\x1b[B", "\x1bOB"})
PAGE_UP: Final = frozenset({"\x1b[5~"})
PAGE_DOWN: Final = frozenset({"\x1b[6~"})
HOME: Final = frozenset({"g", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"})
END: Final = frozenset({"G", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"})
"""As terminals send them, in their normal mode and in the one for applications."""


@dataclass(slots=True)
class Scroll:
    """A place in one list; what it was last shown with says how far it can go."""

    top: int = 0
    room: int = 0
    count: int = 0

    def part(self, rows: Sequence[Row], room: int) -> Sequence[Row]:
        """The rows that are seen; a list that got shorter or a screen that got longer is filled again."""
        self.room, self.count = max(room, 0), len(rows)
        self.top = self._within(self.top)
        return rows[self.top : self.top + self.room]

    def press(self, key: str) -> bool:
        """Answer a key; False where it is none of ours."""
        # A page leaves one row in sight, to find one's place by.
        page = max(self.room - 1, 1)
        steps = (
            (UP, -1),
            (DOWN, 1),
            (PAGE_UP, -page),
            (PAGE_DOWN, page),
            (HOME, -self.count),
            (END, self.count),
        )
        for keys, step in steps:
            if key in keys:
                self.top = self._within(self.top + step)
                return True
        return False

    @property
    def is_whole(self) -> bool:
        """Whether all of it is seen."""
        return self.count <= self.room

    @property
    def position(self) -> str:
        """Where one is: `4-12 of 13`."""
        last = min(self.top + self.room, self.count)
        if last <= self.top:
            return f"0 of {self.count}"
        return f"{self.top + 1}-{last} of {self.count}" if last > self.top + 1 else f"{last} of {self.count}"

    def _within(self, top: int) -> int:
        return max(min(top, self.count - self.room), 0)
