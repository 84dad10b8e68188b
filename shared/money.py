"""Money as integer minor units: reading, rounding and showing. Never a float."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
_AMOUNT: Final = re.compile(r"-?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d{1,11})(?:\.\d{1,2})?", re.ASCII)
"""A comma only where it separates thousands: "35,00" may mean 35 or 3,500, so it means neither."""
_LARGEST_DIGITS: Final = 11


class BadAmount(ValueError):
    """Text that is not an amount of money."""


def parse_cents(text: str) -> int:
    """The cents of "1234.50", "1,234.50" or "$1,234.50".

    Refuses fractions of a cent and anything that can be read in two ways with `BadAmount`.
    """
    plain = text.strip()
    digits = re.sub(r"[$€£,]", "", plain)
    if _AMOUNT.fullmatch(plain) is None or len(digits.split(".")[0].lstrip("-")) > _LARGEST_DIGITS:
        message = f"{text!r} is not an amount such as 1234.50"
        raise BadAmount(message)
    return int(Decimal(digits) * 100)


def round_cents(amount: Decimal) -> int:
    """Whole cents, half a cent up; call it once, at the end of a formula."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def format_cents(cents: int, currency: str = "USD") -> str:
    """An amount for people, such as $1,234.50; other currencies keep their code in front."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, f'{currency} ')}{plain_cents(abs(cents))}"


def plain_cents(cents: int) -> str:
    """An amount without its currency, such as 1,234.50: for formulas."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{rest:02d}"
