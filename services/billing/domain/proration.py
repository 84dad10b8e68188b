"""What a part of a period costs, by the method a policy names, and how that is shown.

Fractions are exact; whole cents are made once, at the end. Weeks are always shared by their own days:
the three methods are about months.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor
from typing import Final, Literal

from services.billing.domain.periods import BillingPeriod
from shared.money import plain_cents

Proration = Literal["actual", "thirty", "year365"]
"""actual: by the days of that month. thirty: every month has thirty days; the 31st is not counted, and the
last day of February stands for all days up to the thirtieth, so that the parts of a month always make
thirty. year365: a day costs twelve rents divided by 365, in leap years too.

From March 15th on, 1,800.00 a month is 987.10, 960.00 or 1,006.03. Counting the 31st as a day of a 30-day
month (1,020.00) is what we do not do: a change of tenant in such a month would bill thirty-one thirtieths.
"""

PRORATIONS: Final[tuple[Proration, ...]] = ("actual", "thirty", "year365")
_HALF: Final = Fraction(1, 2)
_THIRTY: Final = 30


@dataclass(frozen=True, slots=True)
class Piece:
    """Days of a period on which the same amount is agreed for the whole of it; both days belong to it."""

    starts_on: date
    ends_on: date
    whole_cents: int
    """What the full period would cost."""

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.ends_on - self.starts_on).days + 1


@dataclass(frozen=True, slots=True)
class Share:
    """What a piece costs, and how that came about."""

    piece: Piece
    amount_cents: int
    formula: str


def prorate(period: BillingPeriod, pieces: Sequence[Piece], method: Proration) -> list[Share]:
    """The cost of consecutive pieces of a period; together they make the rounded whole, to the cent.

    The odd cent goes to the piece that rounding down would take most from, to the earliest of several.
    A period that is covered from its first to its last day is shared by its own days, whatever the
    method, so that dividing it in two cannot change what it costs.
    """
    if not pieces:
        return []
    covered = pieces[0].starts_on == period.starts_on and pieces[-1].ends_on == period.ends_on
    if covered and len(pieces) == 1:
        return [_full(period, pieces[0])]
    if covered and method == "year365":
        method = "actual"
    exact = [piece.whole_cents * fraction(period, piece, method) for piece in pieces]
    cents = split(exact)
    whole = sum(cents) if len(cents) > 1 else None
    return [
        Share(piece, amount, _formula(period, piece, method, amount, whole))
        for piece, amount in zip(pieces, cents, strict=True)
    ]


def fraction(period: BillingPeriod, piece: Piece, method: Proration) -> Fraction:
    """Which part of the period a piece is, by a method."""
    if period.frequency != "monthly" or method == "actual":
        return Fraction(piece.days, period.days)
    if method == "thirty":
        return Fraction(_days_of_thirty(period, piece), _THIRTY)
    return Fraction(12 * piece.days, 365)


def split(exact: Sequence[Fraction]) -> list[int]:
    """Whole cents that sum to the rounded sum.

    The largest remainders are rounded up; of equal ones the earliest.
    """
    cents = [floor(amount) for amount in exact]
    missing = round_half_up(sum(exact, Fraction())) - sum(cents)
    by_remainder = sorted(range(len(exact)), key=lambda index: cents[index] - exact[index])  # stable
    for index in by_remainder[:missing]:
        cents[index] += 1
    return cents


def round_half_up(amount: Fraction) -> int:
    """Whole cents, half a cent up; call it once, at the end of a formula."""
    return floor(amount + _HALF)


def _days_of_thirty(period: BillingPeriod, piece: Piece) -> int:
    last = _THIRTY if piece.ends_on == period.ends_on else piece.ends_on.day  # a 31st is always the end
    return max(last - piece.starts_on.day + 1, 0)


def _full(period: BillingPeriod, piece: Piece) -> Share:
    name = "month" if period.frequency == "monthly" else f"{period.days} days"
    return Share(piece, piece.whole_cents, f"{plain_cents(piece.whole_cents)} for the full {name}")


def _formula(period: BillingPeriod, piece: Piece, method: Proration, amount: int, whole: int | None) -> str:
    price = plain_cents(piece.whole_cents)
    if period.frequency != "monthly":
        text = f"{price} x {piece.days}/{period.days} (actual days of the period)"
    elif method == "actual":
        text = f"{price} x {piece.days}/{period.days} (actual days of the month)"
    elif method == "thirty":
        text = f"{price} x {_days_of_thirty(period, piece)}/30 (30-day month, the 31st not counted)"
    else:
        text = f"{price} x 12/365 x {piece.days} (365-day year)"
    together = "" if whole is None else f", rounded so that the parts make {plain_cents(whole)}"
    return f"{text} = {plain_cents(amount)}{together}"
