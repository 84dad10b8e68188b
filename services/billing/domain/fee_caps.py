"""The most that the late fees of one invoice may come to, as values and as documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any, ClassVar, Final

from services.billing.domain.fee_rules import Tier, take_tiers, tiers_document
from shared import documents
from shared.documents import Fields, decimal_text, read_document
from shared.money import format_cents

KINDS: Final = ("money", "percent_of_rent", "percent_of_late_balance", "tiered", "lesser_of", "greater_of")


@dataclass(frozen=True, slots=True)
class MoneyCap:
    """So much, whatever the rent."""

    kind: ClassVar = "money"
    amount_cents: int


@dataclass(frozen=True, slots=True)
class PercentOfRentCap:
    """A share of the rent."""

    kind: ClassVar = "percent_of_rent"
    percent: Decimal


@dataclass(frozen=True, slots=True)
class PercentOfLateBalanceCap:
    """A share of what is late on the day a fee is posted."""

    kind: ClassVar = "percent_of_late_balance"
    percent: Decimal


@dataclass(frozen=True, slots=True)
class TieredCap:
    """Amounts and shares of the parts of the rent: $10 for the first $500, and 5 % of the rest."""

    kind: ClassVar = "tiered"
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class LesserOf:
    """The smallest of several caps."""

    kind: ClassVar = "lesser_of"
    of: tuple["Cap", ...]


@dataclass(frozen=True, slots=True)
class GreaterOf:
    """The largest of several caps."""

    kind: ClassVar = "greater_of"
    of: tuple["Cap", ...]


Cap = MoneyCap | PercentOfRentCap | PercentOfLateBalanceCap | TieredCap | LesserOf | GreaterOf


DEEPEST: Final = 4
"""How many caps may stand around one; laws have one or two."""


def read_cap(document: Mapping[str, Any]) -> Cap:
    """The cap a document describes, or `BadDocument` with every wrong field."""
    return read_document(document, take_cap, "cap")


def take_cap(fields: Fields) -> Cap:
    """A cap from the fields of an object that is part of a larger document."""
    if fields.path.count(".of[") > DEEPEST:
        fields.mistake(fields.path, f"is a cap within more than {DEEPEST} others")
        fields.ignore_the_rest()
        return MoneyCap(0)
    kind = fields.take("kind", documents.choice(*KINDS)) if fields.readable else None
    if kind is None:  # which fields it should have had nobody knows
        fields.ignore_the_rest()
        return MoneyCap(0)
    return _READERS[kind](fields)


def cap_document(cap: Cap) -> dict[str, Any]:
    """The document that `read_cap` reads as this very cap; percentages are decimal text."""
    found: dict[str, Any] = {"kind": cap.kind}
    match cap:
        case MoneyCap(amount):
            found["amount_cents"] = amount
        case PercentOfRentCap(percent) | PercentOfLateBalanceCap(percent):
            found["percent"] = decimal_text(percent)
        case TieredCap(tiers):
            found["tiers"] = tiers_document(tiers)
        case LesserOf(parts) | GreaterOf(parts):
            found["of"] = [cap_document(part) for part in parts]
    return found


def limit_cents(cap: Cap, *, rent_cents: int, late_cents: int) -> int:
    """What the cap comes to in whole cents, rounded down: a limit of $61.725 allows $61.72."""
    return int(_limit(cap, rent_cents, late_cents).to_integral_value(rounding=ROUND_FLOOR))


def in_words(cap: Cap, currency: str = "USD") -> str:
    """The cap as a person reads it: "the lesser of $50.00 and 5 % of the rent"."""
    match cap:
        case MoneyCap(amount):
            return format_cents(amount, currency)
        case PercentOfRentCap(percent):
            return f"{decimal_text(percent)} % of the rent"
        case PercentOfLateBalanceCap(percent):
            return f"{decimal_text(percent)} % of what is late"
        case TieredCap(tiers):
            return " plus ".join(_tier_in_words(tier, currency) for tier in tiers)
        case LesserOf(parts):
            return "the lesser of " + " and ".join(in_words(part, currency) for part in parts)
        case GreaterOf(parts):
            return "the greater of " + " and ".join(in_words(part, currency) for part in parts)


def marginal(tiers: tuple[Tier, ...], rent_cents: int) -> Decimal:
    """Every tier up to the rent: its amount, and its percent of the part of the rent within it."""
    total, below = Decimal(0), 0
    for tier in tiers:
        if rent_cents <= below and below:
            break
        top = rent_cents if tier.up_to_rent_cents is None else min(rent_cents, tier.up_to_rent_cents)
        total += tier.amount_cents + (top - below) * tier.percent / 100
        below = top if tier.up_to_rent_cents is None else tier.up_to_rent_cents
    return total


def _limit(cap: Cap, rent_cents: int, late_cents: int) -> Decimal:
    match cap:
        case MoneyCap(amount):
            return Decimal(amount)
        case PercentOfRentCap(percent):
            return rent_cents * percent / 100
        case PercentOfLateBalanceCap(percent):
            return late_cents * percent / 100
        case TieredCap(tiers):
            return marginal(tiers, rent_cents)
        case LesserOf(parts):
            return min(_limit(part, rent_cents, late_cents) for part in parts)
        case GreaterOf(parts):
            return max(_limit(part, rent_cents, late_cents) for part in parts)


def _tier_in_words(tier: Tier, currency: str) -> str:
    worth = " and ".join(
        words
        for words in (
            format_cents(tier.amount_cents, currency) if tier.amount_cents else "",
            f"{decimal_text(tier.percent)} %" if tier.percent else "",
        )
        if words
    )
    end = tier.up_to_rent_cents
    where = "of the rent above" if end is None else f"for the rent up to {format_cents(end, currency)}"
    return f"{worth or 'nothing'} {where}"


def _parts(fields: Fields) -> tuple[Cap, ...]:
    parts = fields.each("of", take_cap, required=True)
    if len(parts) < 2 and not any(item.path.startswith(fields.at("of")) for item in fields.mistakes):
        fields.mistake(fields.at("of"), "needs at least two caps")
    return parts


_READERS: Final[Mapping[str, Callable[[Fields], Cap]]] = {
    "money": lambda fields: MoneyCap(fields.take("amount_cents", documents.cents)),
    "percent_of_rent": lambda fields: PercentOfRentCap(fields.take("percent", documents.percent)),
    "percent_of_late_balance": lambda fields: PercentOfLateBalanceCap(
        fields.take("percent", documents.percent)
    ),
    "tiered": lambda fields: TieredCap(take_tiers(fields)),
    "lesser_of": lambda fields: LesserOf(_parts(fields)),
    "greater_of": lambda fields: GreaterOf(_parts(fields)),
}
