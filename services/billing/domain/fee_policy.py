"""What a landlord sets for late rent: grace, rules, cap, interest, and the law that limits them."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal, cast

from services.billing.domain.fee_calendar import Grace, GraceConvention
from services.billing.domain.fee_caps import Cap, take_cap
from services.billing.domain.fee_rules import FeeRule, take_rule
from services.billing.domain.policies import BillingPolicy
from shared import documents
from shared.documents import Fields

LateBasis = Literal["rent_and_charges", "rent"]
InterestFrom = Literal["due_date", "first_fee_date"]
ProfileMode = Literal["clamp", "refuse"]

FIELDS: Final = (
    "grace_days",
    "grace_convention",
    "grace_business_days",
    "holidays",
    "rules",
    "cap",
    "minimum_balance_cents",
    "late_basis",
    "interest_apr",
    "interest_from",
    "hold_days_count",
    "profile",
    "profile_mode",
)
"""The fields of a policy's document that are about late rent; each may be left out."""

_DAYS_OF_GRACE: Final = 366
_DEAREST: Final = Decimal(1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """The terms of late rent. Without rules and interest, nothing is ever charged."""

    grace: Grace = field(default_factory=Grace)
    holidays: frozenset[date] = frozenset()
    rules: tuple[FeeRule, ...] = ()
    cap: Cap | None = None
    minimum_balance_cents: int = 0
    """Less than this being late brings no fee and no interest; it stays due."""
    late_basis: LateBasis = "rent_and_charges"
    """What counts as late: the rent alone, to which payments then go first, or the charges beside it too."""
    interest_apr: Decimal | None = None
    """Percent a year, simple, on what is late; never on fees or interest."""
    interest_from: InterestFrom = "due_date"
    hold_days_count: bool = False
    profile: str | None = None
    """The jurisdiction whose rule limits all this; None is off."""
    profile_mode: ProfileMode = "clamp"


def take_fee_policy(fields: Fields, *, rules_required: bool = False) -> FeePolicy:
    """The late-rent fields of a larger document. What is wrong is noted there, with its path."""
    return FeePolicy(
        grace=Grace(
            days=fields.take("grace_days", documents.whole(0, _DAYS_OF_GRACE), 0),
            convention=cast(
                "GraceConvention",
                fields.take("grace_convention", documents.choice("full_days", "nth_day"), "full_days"),
            ),
            business_days=fields.take("grace_business_days", documents.yes_or_no, default=False),
        ),
        holidays=fields.take("holidays", _days, frozenset()),
        rules=fields.each("rules", take_rule, required=rules_required),
        cap=fields.inner("cap", take_cap),
        minimum_balance_cents=fields.take("minimum_balance_cents", documents.cents, 0),
        late_basis=cast(
            "LateBasis",
            fields.take("late_basis", documents.choice("rent_and_charges", "rent"), "rent_and_charges"),
        ),
        interest_apr=fields.take("interest_apr", _apr, None),
        interest_from=cast(
            "InterestFrom",
            fields.take("interest_from", documents.choice("due_date", "first_fee_date"), "due_date"),
        ),
        hold_days_count=fields.take("hold_days_count", documents.yes_or_no, default=False),
        profile=fields.take("profile", documents.text, None),
        profile_mode=cast(
            "ProfileMode", fields.take("profile_mode", documents.choice("clamp", "refuse"), "clamp")
        ),
    )


def fee_policy_of(policy: BillingPolicy) -> FeePolicy:
    """The part of a billing policy that is about late rent."""
    return FeePolicy(
        grace=Grace(
            days=policy.grace_days,
            convention=policy.grace_convention,
            business_days=policy.grace_business_days,
        ),
        holidays=frozenset(policy.holidays),
        rules=policy.late_fee_rules,
        cap=policy.late_fee_cap,
        minimum_balance_cents=policy.minimum_balance_cents,
        late_basis=policy.late_basis,
        interest_apr=policy.interest_apr,
        interest_from=policy.interest_from,
        hold_days_count=policy.hold_days_count,
        profile=policy.jurisdiction,
        profile_mode=policy.jurisdiction_mode,
    )


def _days(value: object) -> frozenset[date]:
    if not isinstance(value, list):
        raise documents.Unfit("is not a list of dates")
    return frozenset(documents.day(item) for item in value)


def _apr(value: object) -> Decimal | None:
    if value in {0, "0"}:
        return None
    return documents.percent(value, most=_DEAREST, what="a yearly rate such as 12")
