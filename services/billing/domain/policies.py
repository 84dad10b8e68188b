"""What a landlord has agreed about billing: one policy, in layers that overrule each other by field."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from services.billing.domain.fee_caps import Cap
from services.billing.domain.fee_rules import FeeRule
from services.billing.domain.policy_fields import BY_NAME, POLICY_FIELDS, take_layer
from shared.documents import read_document

_TERMS: Final = UUID("0b0e5f5c-6b1d-5f0a-9d53-7465726d7300")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPolicy:
    """Everything billing needs to know beside a lease's terms. The defaults charge no fee.

    What each field means is said once, in `policy_fields`.
    """

    due_day: int | None = None
    due_after_days: int = 0
    lead_days: int = 0
    auto_generate: bool = True
    proration: Literal["actual", "thirty", "year365"] = "actual"
    allocation: Literal["oldest_first", "rent_first"] = "oldest_first"
    nsf_fee_cents: int = 0
    autopay_retry_days: tuple[int, ...] = (3, 3)
    grace_days: int = 5
    grace_convention: Literal["full_days", "nth_day"] = "full_days"
    grace_business_days: bool = False
    holidays: tuple[date, ...] = ()
    late_fee_rules: tuple[FeeRule, ...] = ()
    late_fee_cap: Cap | None = None
    late_basis: Literal["rent_and_charges", "rent"] = "rent_and_charges"
    minimum_balance_cents: int = 0
    interest_apr: Decimal | None = None
    interest_from: Literal["due_date", "first_fee_date"] = "due_date"
    hold_days_count: bool = False
    hold_in_weather_emergency: bool = False
    jurisdiction: str | None = None
    jurisdiction_mode: Literal["refuse", "clamp"] = "refuse"
    units_in_structure: int | None = None
    reminder_stages: tuple[int, ...] = (-3, -1, 1, 7, 30)
    reminder_hour: int = 9


FIELDS: Final = tuple(item.name for item in fields(BillingPolicy))

DEFAULT_POLICY: Final = BillingPolicy()


def read_layer(document: object) -> dict[str, Any]:
    """A layer as it is kept: only what it gives, in one spelling.

    Raises `BadDocument` with every field that is wrong, and with the nearest name for one that is unknown.
    """
    return _kept(read_document(document, take_layer))


def policy_of(layers: Iterable[Mapping[str, Any]]) -> BillingPolicy:
    """The policy that layers amount to; a later layer overrules an earlier one, field by field.

    A field that this version does not know is passed over: a layer may be of a newer one.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= {name: value for name, value in layer.items() if name in BY_NAME}
    return BillingPolicy(**read_document(merged, take_layer))


def policy_from(document: Mapping[str, Any]) -> BillingPolicy:
    """The policy that `document_of` had written down; what it does not mention is as by default."""
    return policy_of([document])


def document_of(policy: BillingPolicy) -> dict[str, Any]:
    """The policy as JSON keeps it: every field spelled out, so that a new default changes no old invoice."""
    return _kept({name: getattr(policy, name) for name in FIELDS})


@lru_cache(maxsize=1024)
def terms_id(policy: BillingPolicy) -> UUID:
    """The identity of a policy's content: the same terms are kept once, however many invoices have them."""
    return uuid5(_TERMS, json.dumps(document_of(policy), sort_keys=True, separators=(",", ":")))


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: item.keep(values[item.name]) for item in POLICY_FIELDS if item.name in values}
