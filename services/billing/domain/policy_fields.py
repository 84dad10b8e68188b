"""The fields of a billing policy: how each is read, kept and explained. The one list of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from services.billing.domain.fee_caps import cap_document, take_cap
from services.billing.domain.fee_rules import document_of, take_rule
from shared import documents
from shared.documents import Fields, Unfit, decimal_text

Form = Literal["whole", "yes_or_no", "text", "wholes", "texts", "rules", "cap"]
Read = Callable[[object], Any]
Take = Callable[[Fields, str], Any]

_LONGEST_GRACE: Final = 366
_MOST_UNITS: Final = 100_000
_DEAREST: Final = Decimal(1_000)
FIRST_STAGE: Final = -60
LAST_STAGE: Final = 365
MOST_RETRIES: Final = 4
LONGEST_PAUSE: Final = 15


@dataclass(frozen=True, slots=True)
class PolicyField:
    """One field: `take` reads it from a document that has it, `keep` is its JSON."""

    name: str
    form: Form
    """What kind of thing it is, for reading it from a few words."""
    topic: str
    meaning: str
    """Completes "<name>: …"; a sentence or two, as the template and the guide show it."""
    take: Take
    keep: Callable[[Any], Any]
    example: str
    """A value as a person types it after KEY=."""


def _as_it_is(value: Any) -> Any:
    return value


def _scalar(read: Read) -> Take:
    return lambda fields, name: fields.take(name, read)


def _or_none(read: Read) -> Take:
    return _scalar(lambda value: None if value is None else read(value))


def _stages(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise Unfit(f"{value!r} is not a list of days such as [-3, 1, 7]")
    stages = [documents.whole(FIRST_STAGE, LAST_STAGE)(item) for item in value]
    if len(set(stages)) < len(stages):
        raise Unfit("names a stage twice")
    return tuple(sorted(stages))


def _pauses(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise Unfit(f"{value!r} is not a list of days such as [3, 3]")
    if len(value) > MOST_RETRIES:
        raise Unfit(f"more than {MOST_RETRIES} more attempts are harassment, and card networks fine them")
    return tuple(documents.whole(1, LONGEST_PAUSE)(item) for item in value)


def _days(value: object) -> tuple[date, ...]:
    if not isinstance(value, list | tuple):
        raise Unfit(f"{value!r} is not a list of dates")
    return tuple(sorted({documents.day(item) for item in value}))


def _apr(value: object) -> Decimal:
    return documents.percent(value, most=_DEAREST, what="a yearly rate such as 12")


def _keep_days(days: tuple[date, ...]) -> list[str]:
    return [day.isoformat() for day in days]


def _keep_rate(rate: Decimal | None) -> str | None:
    return None if rate is None else decimal_text(rate)


_PERIODS: Final = "Invoices"
_MONEY: Final = "Payments"
_FEES: Final = "Late fees"
_LAW: Final = "Law"
_REMINDERS: Final = "Reminders"

POLICY_FIELDS: Final = (
    PolicyField(
        "due_day",
        "whole",
        _PERIODS,
        "The day of the month on which rent is due, 1 to 31; in a shorter month the last day, and the 31st"
        " again in the next. Without one, the lease's own day.",
        _or_none(documents.whole(1, 31)),
        _as_it_is,
        "1",
    ),
    PolicyField(
        "due_after_days",
        "whole",
        _PERIODS,
        "For weekly and four-weekly leases: so many days after the first day of the period.",
        _scalar(documents.whole(0, 28)),
        _as_it_is,
        "2",
    ),
    PolicyField(
        "lead_days",
        "whole",
        _PERIODS,
        "How many days before its first day a period is invoiced.",
        _scalar(documents.whole(0, 60)),
        _as_it_is,
        "7",
    ),
    PolicyField(
        "auto_generate",
        "yes_or_no",
        _PERIODS,
        "Whether the schedule issues invoices by itself; a person always can.",
        _scalar(documents.yes_or_no),
        _as_it_is,
        "yes",
    ),
    PolicyField(
        "proration",
        "text",
        _PERIODS,
        "How part of a month is reckoned: actual (days of that month), thirty (months of 30 days), year365"
        " (a day is 12/365 of the month's rent).",
        _scalar(documents.choice("actual", "thirty", "year365")),
        _as_it_is,
        "actual",
    ),
    PolicyField(
        "allocation",
        "text",
        _MONEY,
        "What a payment pays first: oldest_first (by due date), or rent_first (all rent before charges and"
        " fees, so that an old fee never makes new rent late).",
        _scalar(documents.choice("oldest_first", "rent_first")),
        _as_it_is,
        "rent_first",
    ),
    PolicyField(
        "nsf_fee_cents",
        "whole",
        _MONEY,
        "What a payment that bounced costs, once.",
        _scalar(documents.cents),
        _as_it_is,
        "2500",
    ),
    PolicyField(
        "autopay_retry_days",
        "wholes",
        _MONEY,
        "After how many days a charge by autopay that was declined is tried again: one number for each"
        " further attempt. An empty list: never.",
        _scalar(_pauses),
        list,
        "3,3",
    ),
    PolicyField(
        "grace_days",
        "whole",
        _FEES,
        "Days after the due date on which rent may still come without a fee.",
        _scalar(documents.whole(0, _LONGEST_GRACE)),
        _as_it_is,
        "5",
    ),
    PolicyField(
        "grace_convention",
        "text",
        _FEES,
        "What grace_days mean: full_days (all of them are free, the first fee is on due + days + 1) or"
        " nth_day (the fee is on due + days, never on the due date itself).",
        _scalar(documents.choice("full_days", "nth_day")),
        _as_it_is,
        "full_days",
    ),
    PolicyField(
        "grace_business_days",
        "yes_or_no",
        _FEES,
        "Whether grace counts business days only; the due date stays where it is.",
        _scalar(documents.yes_or_no),
        _as_it_is,
        "no",
    ),
    PolicyField(
        "holidays",
        "texts",
        _FEES,
        "Days that are no business days, beside weekends.",
        _scalar(_days),
        _keep_days,
        "2026-12-25,2027-01-01",
    ),
    PolicyField(
        "late_fee_rules",
        "rules",
        _FEES,
        "What late rent costs: a list of rules. Without one there is no fee.",
        lambda fields, name: fields.each(name, take_rule),
        lambda rules: [document_of(rule) for rule in rules],
        "flat:50+daily:5,max_days=10",
    ),
    PolicyField(
        "late_fee_cap",
        "cap",
        _FEES,
        "The most that the late fees of one invoice may come to. Without one there is no limit of your own.",
        lambda fields, name: fields.inner(name, take_cap),
        lambda cap: None if cap is None else cap_document(cap),
        "lesser_of:50,5%",
    ),
    PolicyField(
        "late_basis",
        "text",
        _FEES,
        "What can be late: rent_and_charges, or rent alone.",
        _scalar(documents.choice("rent_and_charges", "rent")),
        _as_it_is,
        "rent",
    ),
    PolicyField(
        "minimum_balance_cents",
        "whole",
        _FEES,
        "A late balance below it earns no fee, and stays due.",
        _scalar(documents.cents),
        _as_it_is,
        "1000",
    ),
    PolicyField(
        "interest_apr",
        "text",
        _FEES,
        "Percent a year on what is late, simple, never on fees or interest. Without one there is none.",
        _or_none(_apr),
        _keep_rate,
        "12",
    ),
    PolicyField(
        "interest_from",
        "text",
        _FEES,
        "From when interest runs: due_date or first_fee_date.",
        _scalar(documents.choice("due_date", "first_fee_date")),
        _as_it_is,
        "due_date",
    ),
    PolicyField(
        "hold_days_count",
        "yes_or_no",
        _FEES,
        "Whether the days of a hold count when it has ended.",
        _scalar(documents.yes_or_no),
        _as_it_is,
        "no",
    ),
    PolicyField(
        "hold_in_weather_emergency",
        "yes_or_no",
        _FEES,
        "Whether fees and reminders pause while an official weather emergency is on at the property.",
        _scalar(documents.yes_or_no),
        _as_it_is,
        "yes",
    ),
    PolicyField(
        "jurisdiction",
        "text",
        _LAW,
        "The profile of the place whose limits hold here. Without one, none is watched.",
        _or_none(documents.text),
        _as_it_is,
        "new-york",
    ),
    PolicyField(
        "jurisdiction_mode",
        "text",
        _LAW,
        "What a profile does with more than it allows: refuse the policy, or clamp the fee.",
        _scalar(documents.choice("refuse", "clamp")),
        _as_it_is,
        "refuse",
    ),
    PolicyField(
        "units_in_structure",
        "whole",
        _LAW,
        "How many units the building has, where a law asks for it. Without it, it is not known.",
        _or_none(documents.whole(1, _MOST_UNITS)),
        _as_it_is,
        "4",
    ),
    PolicyField(
        "reminder_stages",
        "wholes",
        _REMINDERS,
        "The days, counted from the due date, on which tenants are reminded. An empty list: never.",
        _scalar(_stages),
        list,
        "-3,-1,1,7,30",
    ),
    PolicyField(
        "reminder_hour",
        "whole",
        _REMINDERS,
        "The hour of the property's day from which the schedule reminds.",
        _scalar(documents.whole(0, 23)),
        _as_it_is,
        "9",
    ),
)
"""In the order in which people read them. Each field of `BillingPolicy` is here once."""

BY_NAME: Final = {item.name: item for item in POLICY_FIELDS}


def take_layer(fields: Fields) -> dict[str, Any]:
    """The values that a document gives; what it leaves out is left to the layers below."""
    return {item.name: item.take(fields, item.name) for item in POLICY_FIELDS if fields.has(item.name)}
