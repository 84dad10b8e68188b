"""Amounts, days and months as somebody writes them, and within which bounds they make sense."""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import Final, TypeVar

from shared.money import parse_cents

W = TypeVar("W", bound=str)

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
# A comma groups thousands or it is refused: "35,00" is not three and a half thousand.
_PLAIN_AMOUNT: Final = re.compile(r"[$€£]?([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,12})(\.[0-9]{1,2})?")
_EARLIEST: Final = date(1900, 1, 1)
_LATEST: Final = date(2200, 1, 1)
_LARGEST_CENTS: Final = 10**11
_MONTHS_IN_YEAR: Final = 12


def parse_day(text: str) -> date:
    """A day written as 2026-09-30, and in no other way."""
    try:
        if not _DAY.fullmatch(text.strip()):
            raise ValueError(text)
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-09-30") from None


def parse_month(text: str) -> str:
    """A month written as 2026-09, and in no other way."""
    return checked_month(text.strip())


def parse_amount(text: str) -> int:
    """Cents of an amount above zero."""
    plain = text.strip()
    if not _PLAIN_AMOUNT.fullmatch(plain):
        raise ValueError(f"{text!r} is not an amount such as 1234.50")
    return checked_amount(parse_cents(plain))


def parse_word(text: str, words: Sequence[W]) -> W:
    """One of a few words, whatever its case and with blanks or dashes for its underscores."""
    plain = re.sub(r"[\s-]+", "_", text.strip().lower())
    for word in words:
        if plain == word:
            return word
    raise ValueError(f"{text!r} is none of {', '.join(words)}")


def checked_amount(cents: int) -> int:
    """An amount somebody could owe."""
    if not 0 < cents <= _LARGEST_CENTS:
        raise ValueError(f"{cents / 100:.2f} is not an amount above zero and below a thousand million")
    return cents


def checked_day(day: date) -> date:
    """A day that is not a slip of the keyboard."""
    if not _EARLIEST <= day < _LATEST:
        raise ValueError(f"{day} is not between {_EARLIEST.year} and {_LATEST.year}")
    return day


def checked_month(text: str) -> str:
    """A month that is one, such as 2026-09."""
    if not _MONTH.fullmatch(text) or not _EARLIEST.year <= int(text[:4]) < _LATEST.year:
        raise ValueError(f"{text!r} is not a month such as 2026-09")
    return text


def days_of(month: str) -> tuple[date, date]:
    """First and last day of a month."""
    first = date.fromisoformat(f"{month}-01")
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def months_after(anchor: date, months: int) -> date:
    """The same day so many months later, clamped to its month's length and always from the anchor.

    The 31st of January is the 28th of February a month later, and the 31st of March after two.
    """
    year, month = divmod(anchor.year * _MONTHS_IN_YEAR + anchor.month - 1 + months, _MONTHS_IN_YEAR)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))
