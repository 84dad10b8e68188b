"""What a late fee may be: the kinds of rule, as values and as the JSON documents that policies keep.

`docs/guides/late-fees.md` explains every field with an example. What a rule comes to on a date is
`late_fees`; the most that may be charged is `fee_caps`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal, cast

from shared import documents
from shared.documents import Fields, decimal_text, read_document

Base = Literal["rent", "late_balance"]
Until = Literal["paid", "period_end"]
TierMode = Literal["bracket", "marginal"]

LONGEST_DAYS: Final = 3_660


@dataclass(frozen=True, slots=True)
class Fixed:
    """So much, whatever the rent."""

    amount_cents: int


@dataclass(frozen=True, slots=True)
class Share:
    """So many percent of the rent, or of what of the invoice is late."""

    percent: Decimal
    of: Base = "rent"


Amount = Fixed | Share


@dataclass(frozen=True, slots=True)
class Tier:
    """What applies to a rent up to so much; None is the last tier, without an upper end."""

    up_to_rent_cents: int | None
    amount_cents: int = 0
    percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """One amount, once."""

    kind: ClassVar = "flat"
    repeats: ClassVar = False
    amount: Fixed
    after_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOfRent:
    """A share of the rent, once, however much of it is late."""

    kind: ClassVar = "percent_of_rent"
    repeats: ClassVar = False
    amount: Share
    after_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOfLateBalance:
    """A share of what is late on the day of the fee, once. Fees and interest are never part of it."""

    kind: ClassVar = "percent_of_late_balance"
    repeats: ClassVar = False
    amount: Share
    after_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """An amount for each day on which something is late."""

    kind: ClassVar = "daily"
    repeats: ClassVar = True
    amount: Amount
    after_days: int | None = None
    max_days: int | None = None
    until: Until = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringMonthly:
    """An amount on the first fee date and again a month after each fee, while something is late."""

    kind: ClassVar = "recurring_monthly"
    repeats: ClassVar = True
    amount: Amount
    after_days: int | None = None
    max_times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiered:
    """An amount that depends on the rent, once.

    "bracket": the tier the rent falls into counts alone, its percent is of the whole rent.
    "marginal": every tier up to the rent counts, its percent is of the part of the rent within it.
    """

    kind: ClassVar = "tiered"
    repeats: ClassVar = False
    tiers: tuple[Tier, ...]
    mode: TierMode = "bracket"
    after_days: int | None = None


FeeRule = Flat | PercentOfRent | PercentOfLateBalance | Daily | RecurringMonthly | Tiered

KINDS: Final = ("flat", "percent_of_rent", "percent_of_late_balance", "daily", "recurring_monthly", "tiered")


def read_rule(document: Mapping[str, Any]) -> FeeRule:
    """The rule a document describes, or `BadDocument` with every wrong field."""
    return read_document(document, take_rule)


def read_rules(documents_: Sequence[Mapping[str, Any]]) -> tuple[FeeRule, ...]:
    """The rules of a list; mistakes are named "rules[1].percent: …" (`BadDocument`)."""
    return read_document({"rules": documents_}, lambda fields: fields.each("rules", take_rule))


def take_rule(fields: Fields) -> FeeRule:
    """A rule from the fields of an object that is part of a larger document."""
    if not fields.readable:
        return Flat(amount=Fixed(0))
    kind = fields.take("kind", documents.choice(*KINDS))
    if kind is None:  # which fields it should have had nobody knows
        fields.ignore_the_rest()
        return Flat(amount=Fixed(0))
    after = fields.take("after_days", documents.whole(0, LONGEST_DAYS), None)
    return _READERS[kind](fields, after)


def document_of(rule: FeeRule) -> dict[str, Any]:
    """The document that `read_rule` reads as this very rule; percentages are decimal text."""
    found: dict[str, Any] = {"kind": rule.kind}
    if isinstance(rule, Tiered):
        found |= {"tiers": tiers_document(rule.tiers), "mode": rule.mode}
    else:
        found |= _amount_document(rule)
    for name in ("after_days", "max_days", "max_times"):
        if getattr(rule, name, None) is not None:
            found[name] = getattr(rule, name)
    if isinstance(rule, Daily) and rule.until != "paid":
        found["until"] = rule.until
    return found


def take_tiers(fields: Fields) -> tuple[Tier, ...]:
    """Tiers in ascending order; the last one is open at the top."""
    tiers = fields.each("tiers", _take_tier, required=True)
    path = fields.at("tiers")
    if not tiers:
        if not any(mistake.path.startswith(path) for mistake in fields.mistakes):
            fields.mistake(path, "has no tier")
        return tiers
    ends = [tier.up_to_rent_cents for tier in tiers]
    if ends[-1] is not None:
        fields.mistake(f"{path}[{len(tiers) - 1}].up_to_rent_cents", "the last tier has no upper end")
    known = [end for end in ends[:-1] if end is not None]
    if len(known) != len(ends) - 1:
        fields.mistake(path, "only the last tier may be without up_to_rent_cents")
    elif any(later <= earlier for earlier, later in pairwise(known)):
        fields.mistake(path, "up_to_rent_cents must rise from tier to tier")
    return tiers


def tiers_document(tiers: Sequence[Tier]) -> list[dict[str, Any]]:
    """Tiers as documents keep them."""
    return [
        {
            name: value
            for name, value in (
                ("up_to_rent_cents", tier.up_to_rent_cents),
                ("amount_cents", tier.amount_cents or None),
                ("percent", decimal_text(tier.percent) if tier.percent else None),
            )
            if value is not None
        }
        for tier in tiers
    ]


def _take_tier(fields: Fields) -> Tier:
    return Tier(
        up_to_rent_cents=fields.take("up_to_rent_cents", documents.cents_above_zero, None),
        amount_cents=fields.take("amount_cents", documents.cents, 0),
        percent=fields.take("percent", documents.percent, Decimal(0)),
    )


def _flat(fields: Fields, after: int | None) -> FeeRule:
    return Flat(amount=Fixed(fields.take("amount_cents", documents.cents_above_zero)), after_days=after)


def _percent_of_rent(fields: Fields, after: int | None) -> FeeRule:
    return PercentOfRent(amount=Share(fields.take("percent", documents.percent)), after_days=after)


def _percent_of_late_balance(fields: Fields, after: int | None) -> FeeRule:
    share = Share(fields.take("percent", documents.percent), "late_balance")
    return PercentOfLateBalance(amount=share, after_days=after)


def _daily(fields: Fields, after: int | None) -> FeeRule:
    return Daily(
        amount=_take_amount(fields),
        after_days=after,
        max_days=fields.take("max_days", documents.whole(1, LONGEST_DAYS), None),
        until=cast("Until", fields.take("until", documents.choice("paid", "period_end"), "paid")),
    )


def _recurring_monthly(fields: Fields, after: int | None) -> FeeRule:
    return RecurringMonthly(
        amount=_take_amount(fields),
        after_days=after,
        max_times=fields.take("max_times", documents.whole(1, 1_200), None),
    )


def _tiered(fields: Fields, after: int | None) -> FeeRule:
    mode = fields.take("mode", documents.choice("bracket", "marginal"), "bracket")
    return Tiered(tiers=take_tiers(fields), mode=cast("TierMode", mode), after_days=after)


_READERS: Final[Mapping[str, Callable[[Fields, int | None], FeeRule]]] = {
    "flat": _flat,
    "percent_of_rent": _percent_of_rent,
    "percent_of_late_balance": _percent_of_late_balance,
    "daily": _daily,
    "recurring_monthly": _recurring_monthly,
    "tiered": _tiered,
}


def _take_amount(fields: Fields) -> Amount:
    """Either an amount or a percentage, of the rent unless it says otherwise."""
    before = len(fields.mistakes)
    money = fields.take("amount_cents", documents.cents_above_zero, None)
    share = fields.take("percent", documents.percent, None)
    of = fields.take("of", documents.choice("rent", "late_balance"), None)
    if len(fields.mistakes) == before:
        if (money is None) == (share is None):
            fields.mistake(fields.at("amount_cents"), "give either amount_cents or percent")
        elif of is not None and share is None:
            fields.mistake(fields.at("of"), "only a percent is of something")
    return Share(share, cast("Base", of or "rent")) if share is not None else Fixed(money or 0)


def _amount_document(
    rule: Flat | PercentOfRent | PercentOfLateBalance | Daily | RecurringMonthly,
) -> dict[str, Any]:
    if isinstance(rule.amount, Fixed):
        return {"amount_cents": rule.amount.amount_cents}
    found = {"percent": decimal_text(rule.amount.percent)}
    if rule.repeats and rule.amount.of != "rent":
        found["of"] = rule.amount.of
    return found
