"""Money as integer minor units: rounding and showing. Never a float."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
_LARGEST: Final = 10**11


class BadAmount(ValueError):
    """Text that is not an amount of money."""


def parse_cents(text: str) -> int:
    """The cents of "1234.50", "1,234.50" or "$1,234.50".

    Refuses fractions of a cent, exponents and anything that is not a plain number with `BadAmount`.
    """
    plain = text.strip().lstrip("$€£").replace(",", "")
    amount = _decimal(plain)
    if amount is None or amount * 100 % 1 or abs(amount) > _LARGEST:
        message = f"{text!r} is not an amount such as 1234.50"
        raise BadAmount(message)
    return int(amount * 100)


def _decimal(plain: str) -> Decimal | None:
    if not plain or any(letter in plain for letter in "eE_ ") or not plain.isascii():
        return None
    try:
        amount = Decimal(plain)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def round_cents(amount: Decimal) -> int:
    """Whole cents, half a cent up; call it once, at the end of a formula."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def format_cents(cents: int, currency: str = "USD") -> str:
    """An amount for people, such as $1,234.50; other currencies keep their code in front."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    return f"{sign}{symbol}{whole:,}.{rest:02d}"
