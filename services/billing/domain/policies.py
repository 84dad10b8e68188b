"""What a landlord has agreed about billing: one policy, in layers that overrule each other by field."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal
from uuid import UUID, uuid5

Scope = Literal["portfolio", "property", "lease"]

PORTFOLIO: Final = UUID(int=0)
"""The scope id of what holds for everything."""

_TERMS: Final = UUID("0b0e5f5c-6b1d-5f0a-9d53-7465726d7300")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPolicy:
    """Everything billing needs to know beside a lease's terms. The defaults charge no fee."""

    due_day: int | None = None
    """1 to 31, clamped to the month; without it, the lease's own."""
    lead_days: int = 0
    """How many days before its first day a period is invoiced."""
    auto_generate: bool = True
    """Whether the schedule invoices by itself; a person always can."""
    proration: Literal["actual", "thirty", "year365"] = "actual"
    allocation: Literal["oldest_first", "rent_first"] = "oldest_first"
    grace_days: int = 5
    grace_convention: Literal["full_days", "nth_day"] = "full_days"
    """`full_days`: the first fee is on due + grace + 1; `nth_day`: on due + grace."""
    minimum_balance_cents: int = 0
    """A late balance below it earns no fee, and stays due."""
    late_fee_rules: tuple[Mapping[str, Any], ...] = ()
    """Documents that `fee_rules.read_rule` understands."""
    late_fee_cap: Mapping[str, Any] | None = None
    interest_apr: str | None = None
    """Percent a year on late rent, as decimal text."""
    nsf_fee_cents: int = 0
    jurisdiction: str | None = None
    """The profile whose limits hold here; none unless chosen."""
    jurisdiction_mode: Literal["refuse", "clamp"] = "refuse"
    units_in_structure: int | None = None
    reminder_stages: tuple[int, ...] = (-3, -1, 1, 7, 30)
    reminder_hour: int = 9
    """The hour of the property's day from which the schedule reminds."""
    hold_in_weather_emergency: bool = False


FIELDS: Final = tuple(item.name for item in fields(BillingPolicy))


def policy_of(layers: Iterable[Mapping[str, Any]]) -> BillingPolicy:
    """The policy that layers amount to; a later layer overrules an earlier one, field by field."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {name: _kept(value) for name, value in layer.items() if name in FIELDS}
    return BillingPolicy(**merged)


def document_of(policy: BillingPolicy) -> dict[str, Any]:
    """The policy as JSON keeps it: every field spelled out, so that a new default changes no old invoice."""
    stated = asdict(policy).items()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in stated}


def terms_id(policy: BillingPolicy) -> UUID:
    """The identity of a policy's content: the same terms are kept once, however many invoices have them."""
    return uuid5(_TERMS, json.dumps(document_of(policy), sort_keys=True, separators=(",", ":")))


def _kept(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
