"""What is wrong with a cron expression, in words: which value of which field, and what may stand there.

It follows cronsim, which says only "Bad minute"; whether an expression is taken is cronsim's to decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = frozenset("0123456789")
_MOST_WEEKS: Final = 5


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields, and what may stand in it."""

    value: str
    """What one of its values is: a minute."""
    least: int
    most: int
    also: str = ""
    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        return f"{self.least} to {self.most}{self.also}"

    def number(self, text: str) -> int | None:
        """A value of the field, or None where it is not one."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.least
        if not text or not set(text) <= _DIGITS or len(text) > 4:
            return None
        return int(text) if self.least <= int(text) <= self.most else None


_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

MINUTE: Final = Field("a minute", 0, 59)
HOUR: Final = Field("an hour", 0, 23)
DAY: Final = Field("a day of the month", 1, 31, ", or L for the last")
MONTH: Final = Field("a month", 1, 12, ", or JAN to DEC", _MONTHS)
WEEKDAY: Final = Field("a day of the week", 0, 7, " (0 and 7 are Sunday), or SUN to SAT", _DAYS)
FIELDS: Final = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def fault_in(parts: Sequence[str]) -> str | None:
    """The first thing that is wrong with five fields; None where each by itself is well."""
    found = (_fault(text, field) for text, field in zip(parts, FIELDS, strict=True))
    return next((fault for fault in found if fault is not None), None)


def _fault(text: str, field: Field) -> str | None:
    if text == "*" or (field is DAY and text.upper() == "L"):
        return None
    if "," in text:
        faults = (_fault(term, field) for term in text.split(","))
        return next((fault for fault in faults if fault is not None), None)
    if field is WEEKDAY and ("L" in text.upper() or "#" in text):
        return _last_fault(text) if "L" in text.upper() else _nth_fault(text)
    if "/" in text:
        return _step_fault(text, field)
    if "-" in text:
        return _range_fault(text, field)
    return None if field.number(text) is not None else _not_one(text, field)


def _not_one(text: str, field: Field) -> str:
    if not text:
        return f"{field.value} is missing: {field.allowed}"
    return f"{text} is not {field.value}: {field.allowed}"


def _last_fault(text: str) -> str | None:
    if set(text[:-1]) <= _DIGITS and WEEKDAY.number(text[:-1]) is not None:
        return None
    return f"{text} is not the last of a weekday: 0L to 7L, such as 5L for the last Friday"


def _nth_fault(text: str) -> str | None:
    day, _, place = text.partition("#")
    if WEEKDAY.number(day) is None:
        return _not_one(day or text, WEEKDAY)
    if not (set(place) <= _DIGITS and place and len(place) < 4 and 1 <= int(place) <= _MOST_WEEKS):
        return f"{text}: after # comes which one of the month it is, 1 to {_MOST_WEEKS}"
    return None


def _step_fault(text: str, field: Field) -> str | None:
    first, _, step = text.partition("/")
    if not step or not set(step) <= _DIGITS or not step.strip("0"):
        return f"{text}: after / comes a step, a whole number from 1 on"
    return _fault(first, field)


def _range_fault(text: str, field: Field) -> str | None:
    start, _, end = text.partition("-")
    for value in (start, end):
        if field is DAY and value.upper() == "L":
            return f"{text}: L stands for itself and in no range"
        if field.number(value) is None:
            return _not_one(value or text, field)
    if (field.number(start) or 0) <= (field.number(end) or 0):
        return None
    return f"{text} is backwards; write {_the_other_way(start, end, field)}"


def _the_other_way(start: str, end: str, field: Field) -> str:
    """Two ranges that together are what a range was meant to be that leads past the last value."""
    if field is WEEKDAY and field.number(start) == field.most:
        return f"{field.least}-{end}"  # 7 is Sunday again
    most = field.most - (field is WEEKDAY)
    top, bottom = (_name(field, most), _name(field, field.least)) if start.isalpha() else (most, field.least)
    until_top = start if field.number(start) == most else f"{start}-{top}"
    from_bottom = end if field.number(end) == field.least else f"{bottom}-{end}"
    return f"{until_top},{from_bottom}"


def _name(field: Field, number: int) -> str:
    return field.names[number - field.least]
