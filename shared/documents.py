"""Reading JSON documents that people write: every mistake is found at once, and named by its path."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

_LARGEST_CENTS: Final = 10**11
_REQUIRED: Final[Any] = object()
_EARLIEST: Final = date(1900, 1, 1)
_LATEST: Final = date(2200, 1, 1)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # fromisoformat also takes "2025-W10-1"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One field that cannot be accepted, and why."""

    path: str
    reason: str


class BadDocument(Exception):
    """A document with mistakes; carries all of them, each with its path: "rules[1].percent: is missing"."""

    code = "bad_document"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(f"{item.path}: {item.reason}" for item in mistakes))
        self.mistakes = tuple(mistakes)


_JSON_FAULTS: Final = {
    "Expecting value": "a value is missing",
    "Expecting property name": "the name of a field is missing, in double quotes",
    "Expecting ',' delimiter": "a comma or the end is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Extra data": "something follows after its end",
    "Unterminated string": "a text has no closing quote",
    "Invalid control character": "a text has a line break in it",
    "Invalid \\": "a text has a backslash that means nothing",
    "Illegal trailing comma": "a comma is followed by nothing",
}
"""How `json` begins to say what is wrong, and what we say."""


def json_fault(error: ValueError | RecursionError) -> str:
    """What is wrong with a text that was to be JSON, and where: completes "is not JSON: …"."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)  # of whoever reads it; what they say is meant to be read
    if not error.doc.strip():
        return "it is empty"
    found = (words for start, words in _JSON_FAULTS.items() if error.msg.startswith(start))
    there = error.doc[error.pos :].splitlines()
    near = f", before {there[0][:20]!r}" if there and there[0] else ""
    line = f"line {error.lineno}, " if "\n" in error.doc else ""
    return f"{next(found, 'it cannot be read')} ({line}column {error.colno}{near})"


class Unfit(ValueError):
    """A value that cannot be accepted; its text completes "<path>: …"."""


class Fields:
    """The fields of one JSON object, taken by name; whatever is not taken is a mistake.

    A field that is wrong is noted and read as None, so that the rest is still looked at. The object made
    of it must therefore not be used before `finish` was called, which raises `BadDocument`.
    """

    def __init__(self, document: object, path: str = "", mistakes: list[Mistake] | None = None) -> None:
        self.path = path
        self.mistakes: list[Mistake] = [] if mistakes is None else mistakes
        self.readable = isinstance(document, Mapping)
        self._left: dict[str, object] = dict(document) if isinstance(document, Mapping) else {}
        self._known: set[str] = set()
        if not self.readable:
            self.mistake(path or "document", "is not an object with fields")

    def take(self, name: str, read: Callable[[object], T], default: T = _REQUIRED) -> T:
        """One value; `read` raises `ValueError` (`Unfit`) with a reason that completes "<path>: …".

        Where there is a default, null means it.
        """
        if not self.has(name) or (self._left[name] is None and default is not _REQUIRED):
            self._left.pop(name, None)
            if default is _REQUIRED and self.readable:
                self.mistake(self.at(name), "is missing")
            return cast("T", None) if default is _REQUIRED else default
        try:
            return read(self._left.pop(name))
        except ValueError as reason:
            self.mistake(self.at(name), str(reason))
            return cast("T", None)

    def each(self, name: str, read: Callable[["Fields"], T], *, required: bool = False) -> tuple[T, ...]:
        """A list of objects, each read by its own fields."""
        if not self.has(name) and not required:
            return ()
        items = self.take(name, _items)
        return tuple(
            self._nested(item, f"{self.at(name)}[{index}]", read) for index, item in enumerate(items or ())
        )

    def each_or_null(self, name: str, read: Callable[["Fields"], T]) -> tuple[T, ...]:
        """The same for a list that may be left out, or be null."""
        if self.has(name) and self._left[name] is None:
            del self._left[name]
        return self.each(name, read)

    def inner(self, name: str, read: Callable[["Fields"], T]) -> T | None:
        """One optional object, read by its own fields."""
        document = self._left.pop(name) if self.has(name) else None
        return None if document is None else self._nested(document, self.at(name), read)

    def has(self, name: str) -> bool:
        """Whether a field is given, and not taken yet; from then on it is a name that this object knows."""
        self._known.add(name)
        return name in self._left

    def mistake(self, path: str, reason: str) -> None:
        """Note what is wrong, and go on."""
        self.mistakes.append(Mistake(path, reason))

    def at(self, name: str) -> str:
        """The path of one of these fields."""
        return f"{self.path}.{name}" if self.path else name

    def refuse_the_rest(self) -> None:
        """Whatever was not taken is not a field of this object; a known name that is close is suggested."""
        for name in self._left:
            near = get_close_matches(str(name), sorted(self._known), n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            self.mistake(self.at(name), f"is not a field of this document{meant}")
        self._left = {}

    def ignore_the_rest(self) -> None:
        """Nothing can be said of the other fields, because what they belong to is unknown."""
        self._left = {}

    def finish(self) -> None:
        """Raise `BadDocument` where anything was wrong."""
        self.refuse_the_rest()
        if self.mistakes:
            raise BadDocument(self.mistakes)

    def _nested(self, document: object, path: str, read: Callable[["Fields"], T]) -> T:
        fields = Fields(document, path, self.mistakes)
        found = read(fields)
        if fields.readable:
            fields.refuse_the_rest()
        return found


def read_document(document: object, read: Callable[[Fields], T], path: str = "") -> T:
    """What `read` makes of a whole document, or `BadDocument` with everything that is wrong in it."""
    fields = Fields(document, path)
    found = read(fields)
    fields.finish()
    return found


def cents(value: object) -> int:
    """Whole cents, nothing included."""
    return whole(0, _LARGEST_CENTS)(value)


def cents_above_zero(value: object) -> int:
    """Whole cents of more than nothing."""
    return whole(1, _LARGEST_CENTS)(value)


def whole(least: int, most: int) -> Callable[[object], int]:
    """Whole numbers within bounds, both allowed."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit(f"{value!r} is not a whole number")
        if not least <= value <= most:
            raise Unfit(f"{value} is not between {least} and {most}")
        return value

    return read


def percent(
    value: object, *, most: Decimal = Decimal(100), what: str = "a percentage such as 2.5"
) -> Decimal:
    """More than 0 percent, at most 100; as decimal text ("2.5") or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Unfit(f"{value!r} is not {what}")
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise Unfit(f"{value!r} is not {what}") from None
    if not (found.is_finite() and 0 < found <= most):
        raise Unfit(f"{value} is not more than 0 and at most {most} percent")
    return found


def day(value: object) -> date:
    """A date as 2025-03-01."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        found = None
    if found is None or not _EARLIEST <= found < _LATEST:
        raise Unfit(f"{value!r} is not a date such as 2025-03-01")
    return found


def choice(*names: str) -> Callable[[object], str]:
    """One of some names."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in names:
            raise Unfit(f"{value!r} is none of {', '.join(names)}")
        return value

    return read


def yes_or_no(value: object) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise Unfit(f"{value!r} is neither true nor false")
    return value


def text(value: object) -> str:
    """Words, at least one."""
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"{value!r} is not text")
    return value.strip()


def decimal_text(value: Decimal) -> str:
    """A decimal as documents keep it: "2.5", "10"; never "1E+1"."""
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _items(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise Unfit("is not a list")
    return list(value)
