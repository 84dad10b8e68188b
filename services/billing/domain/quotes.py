"""What an invoice would be for terms that somebody writes down, without anything that is stored."""

from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from services.billing.domain.invoices import Billed, Line, due_on, invoice_lines
from services.billing.domain.leases import Charge, ChargeFrequency, RentChange, RentTerms
from services.billing.domain.periods import BillingPeriod, first_day, month
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.proration import PRORATIONS, Proration
from shared.documents import (
    Fields,
    Unfit,
    cents,
    choice,
    day,
    read_document,
    text,
    whole,
)


@dataclass(frozen=True, slots=True)
class InvoiceQuestion:
    """The terms of a monthly lease, and the month that is asked about."""

    terms: RentTerms
    period: BillingPeriod
    policy: BillingPolicy


@dataclass(frozen=True, slots=True)
class InvoiceQuote:
    """What would be charged."""

    period: str
    due_on: date
    lines: tuple[Line, ...]

    @property
    def total_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_cents for line in self.lines)


def invoice_question(document: object) -> InvoiceQuestion:
    """Read the terms; raises `BadDocument` with every mistake in them."""
    return read_document(document, _question)


def quote_invoice(question: InvoiceQuestion) -> InvoiceQuote:
    """The invoice of that month; it has no lines where the lease has no day in it."""
    terms, period, policy = question.terms, question.period, question.policy
    lines = invoice_lines(terms, period, policy.proration, billed=Billed())
    return InvoiceQuote(period.label, due_on(terms, period, policy), lines)


def _question(fields: Fields) -> InvoiceQuestion:
    period = fields.take("period", _month)
    proration = fields.take("proration", choice(*PRORATIONS), "actual")
    starts_on, ends_on = _span(fields, required=True)
    terms = RentTerms(
        rent_cents=fields.take("rent_cents", cents),
        starts_on=cast("date", starts_on),
        ends_on=ends_on,
        due_day=fields.take("due_day", whole(1, 31), 1),
        charges=fields.each("charges", _charge),
        rent_changes=fields.each("rent_changes", _rent_change),
    )
    _refuse_repeats(fields, "rent_changes", [item.effective_on for item in terms.rent_changes])
    return InvoiceQuestion(terms, period, BillingPolicy(proration=cast("Proration", proration)))


def _charge(fields: Fields) -> Charge:
    kind = fields.take("kind", text)
    frequency = fields.take("frequency", choice("monthly", "quarterly", "annual", "once"), "monthly")
    starts_on, ends_on = _span(fields, required=False)
    return Charge(
        code=kind,
        description=(kind or "").replace("_", " ").capitalize(),
        amount_cents=fields.take("amount_cents", cents),
        frequency=cast("ChargeFrequency", frequency),
        starts_on=starts_on,
        ends_on=ends_on,
    )


def _rent_change(fields: Fields) -> RentChange:
    return RentChange(effective_on=fields.take("from", day), rent_cents=fields.take("rent_cents", cents))


def _span(fields: Fields, *, required: bool) -> tuple[date | None, date | None]:
    starts_on = fields.take("start_on", day) if required else fields.take("start_on", day, cast("Any", None))
    ends_on: date | None = fields.take("end_on", day, cast("Any", None))
    if starts_on and ends_on and ends_on < starts_on:
        fields.mistake(fields.at("end_on"), f"{ends_on} is before the start on {starts_on}")
    return starts_on, ends_on


def _refuse_repeats(fields: Fields, name: str, keys: list[Any]) -> None:
    for key in sorted({key for key in keys if key is not None and keys.count(key) > 1}):
        fields.mistake(fields.at(name), f"has {key} twice")


def _month(value: object) -> BillingPeriod:
    try:
        label = text(value)
        day(first_day(label).isoformat())
        if label != first_day(label).isoformat()[:7]:
            raise Unfit(label)
        return month(label)
    except ValueError:
        raise Unfit(f"{value!r} is not a month such as 2025-03") from None
