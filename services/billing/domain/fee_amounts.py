"""What a fee rule comes to on one day, and how."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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
from services.billing.domain.fee_workings import Working
from shared.money import round_cents


@dataclass(frozen=True, slots=True)
class Base:
    """What percentages are of."""

    rent_cents: int
    late_cents: int
    currency: str = "USD"


def worth(rule: FeeRule, base: Base, nth: int) -> Working:
    """What a rule comes to when it strikes for the nth time, before any cap; rounded half up, once."""
    repeats: dict[str, Any] = {}
    match rule:
        case Tiered():
            exact, how = _tiered(rule, base)
        case Daily():
            exact, how = _amount(rule.amount, base)
            repeats = {"nth": nth, "every": "day"}
        case RecurringMonthly():
            exact, how = _amount(rule.amount, base)
            repeats = {"nth": nth, "every": "month"}
        case Flat() | PercentOfRent() | PercentOfLateBalance():
            exact, how = _amount(rule.amount, base)
    return Working(comes_to_cents=round_cents(exact), **how, **repeats)


def _amount(amount: Fixed | Share, base: Base) -> tuple[Decimal, dict[str, Any]]:
    if isinstance(amount, Fixed):
        return Decimal(amount.amount_cents), {"way": "fixed"}
    of = base.rent_cents if amount.of == "rent" else base.late_cents
    how = {"way": f"percent_of_{amount.of}", "percent": amount.percent, "of_cents": of}
    return of * amount.percent / 100, how


def _tiered(rule: Tiered, base: Base) -> tuple[Decimal, dict[str, Any]]:
    if rule.mode == "marginal":
        return marginal(rule.tiers, base.rent_cents), {"way": "tiers", "of_cents": base.rent_cents}
    tier = next(item for item in rule.tiers if _reaches(item, base.rent_cents))
    how = {
        "way": "tier",
        "of_cents": base.rent_cents,
        "percent": tier.percent or None,
        "plus_cents": tier.amount_cents,
        "up_to_cents": tier.up_to_rent_cents,
    }
    return tier.amount_cents + base.rent_cents * tier.percent / 100, how


def _reaches(tier: Tier, rent_cents: int) -> bool:
    return tier.up_to_rent_cents is None or rent_cents <= tier.up_to_rent_cents
