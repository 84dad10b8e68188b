"""What a fee rule comes to on one day: exactly, and in words and numbers."""

from dataclasses import dataclass
from decimal import Decimal

from services.billing.domain.fee_caps import marginal
from services.billing.domain.fee_rules import (
    Daily,
    FeeRule,
    Fixed,
    Flat,
    PercentOfLateBalance,
    PercentOfRent,
    RecurringMonthly,
    Share,
    Tier,
    Tiered,
)
from shared.documents import decimal_text
from shared.money import format_cents, round_cents


@dataclass(frozen=True, slots=True)
class Base:
    """What percentages are of."""

    rent_cents: int
    late_cents: int
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Worth:
    """A fee before any cap, and how it came about."""

    amount_cents: int
    formula: str


def worth(rule: FeeRule, base: Base, nth: int) -> Worth:
    """What a rule comes to when it strikes for the nth time; rounded half up, once."""
    match rule:
        case Tiered():
            exact, words = _tiered(rule, base)
        case Daily():
            exact, words = _amount(rule.amount, base)
            words = f"day {nth}: {words}"
        case RecurringMonthly():
            exact, words = _amount(rule.amount, base)
            words = f"month {nth}: {words}"
        case Flat() | PercentOfRent() | PercentOfLateBalance():
            exact, words = _amount(rule.amount, base)
    cents = round_cents(exact)
    return Worth(cents, f"{words} = {format_cents(cents, base.currency)}")


def _amount(amount: Fixed | Share, base: Base) -> tuple[Decimal, str]:
    if isinstance(amount, Fixed):
        return Decimal(amount.amount_cents), "fixed amount"
    of, name = (base.rent_cents, "the rent of") if amount.of == "rent" else (base.late_cents, "what is late,")
    words = f"{decimal_text(amount.percent)} % of {name} {format_cents(of, base.currency)}"
    return of * amount.percent / 100, words


def _tiered(rule: Tiered, base: Base) -> tuple[Decimal, str]:
    rent = format_cents(base.rent_cents, base.currency)
    if rule.mode == "marginal":
        return marginal(rule.tiers, base.rent_cents), f"tiers up to the rent of {rent}"
    tier = next(item for item in rule.tiers if _reaches(item, base.rent_cents))
    exact = tier.amount_cents + base.rent_cents * tier.percent / 100
    end = tier.up_to_rent_cents
    which = "the last tier" if end is None else f"the tier up to {format_cents(end, base.currency)}"
    parts = [
        format_cents(tier.amount_cents, base.currency) if tier.amount_cents else "",
        f"{decimal_text(tier.percent)} % of it" if tier.percent else "",
    ]
    return exact, f"rent of {rent}, {which}: {' and '.join(part for part in parts if part) or 'nothing'}"


def _reaches(tier: Tier, rent_cents: int) -> bool:
    return tier.up_to_rent_cents is None or rent_cents <= tier.up_to_rent_cents
