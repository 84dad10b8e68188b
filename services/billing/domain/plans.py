"""A plan that somebody saved, looked at, and wants to have carried out exactly, or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

from services.billing.domain.invoices import Draft
from services.billing.domain.policies import terms_id
from shared.documents import Fields, Unfit, day, read_document, text, whole
from shared.money import format_cents

FORMAT: Final = "propman billing plan 1"
_LARGEST: Final = 10**15


class PlanOutdated(Exception):
    """The world changed after the plan was made; carries what is different, a sentence each."""

    code = "plan_outdated"

    def __init__(self, differences: Sequence[str]) -> None:
        super().__init__(f"{len(differences)} differences")
        self.differences = tuple(differences)


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One line of an invoice to be."""

    kind: str
    description: str
    amount_cents: int
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedInvoice:
    """An invoice to be; its day of issue and number come with its issue."""

    lease_id: UUID
    unit_label: str
    period: str
    starts_on: date
    ends_on: date
    due_on: date
    currency: str
    terms_id: UUID
    """What identifies the policy it is to be issued under."""
    lines: tuple[PlannedLine, ...]

    @property
    def total_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_cents for line in self.lines)

    @property
    def name(self) -> str:
        """What people call it before it has a number."""
        return f"unit {self.unit_label}, {self.starts_on} to {self.ends_on} (lease {self.lease_id})"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What was asked for, and what it amounted to."""

    month: str | None
    property_id: UUID | None
    invoices: tuple[PlannedInvoice, ...]


def planned(draft: Draft) -> PlannedInvoice:
    """A draft, as a plan keeps it."""
    return PlannedInvoice(
        lease_id=draft.terms.lease_id,
        unit_label=draft.terms.unit_label,
        period=draft.period.label,
        starts_on=draft.period.starts_on,
        ends_on=draft.period.ends_on,
        due_on=draft.due_on,
        currency=draft.terms.currency,
        terms_id=terms_id(draft.policy),
        lines=tuple(
            PlannedLine(line.kind, line.description, line.amount_cents, line.formula) for line in draft.lines
        ),
    )


def differences(saved: Iterable[PlannedInvoice], now: Iterable[PlannedInvoice]) -> list[str]:
    """What a plan and the world disagree about, a sentence for each invoice."""
    before = {(item.lease_id, item.starts_on): item for item in saved}
    after = {(item.lease_id, item.starts_on): item for item in now}
    found = [
        f"{before[key].name}: is in the plan and would not be issued now"
        for key in sorted(before.keys() - after.keys(), key=str)
    ]
    found += [
        f"{after[key].name}: would be issued now and is not in the plan"
        for key in sorted(after.keys() - before.keys(), key=str)
    ]
    for key in sorted(before.keys() & after.keys(), key=str):
        changes = list(_changes(before[key], after[key]))
        if changes:
            found.append(f"{before[key].name}: {', '.join(changes)}")
    return found


def _changes(before: PlannedInvoice, after: PlannedInvoice) -> Iterable[str]:
    if before.total_cents != after.total_cents or before.currency != after.currency:
        was, is_now = (format_cents(item.total_cents, item.currency) for item in (before, after))
        yield f"the total was {was} and is {is_now}"
    elif before.lines != after.lines:
        yield "the lines are different"
    if before.due_on != after.due_on:
        yield f"it was due on {before.due_on} and is on {after.due_on}"
    if before.ends_on != after.ends_on:
        yield f"its last day was {before.ends_on} and is {after.ends_on}"
    if before.terms_id != after.terms_id:
        yield "the policy it would be issued under is different"


def read_plan(document: object) -> SavedPlan:
    """A plan from its document; raises `BadDocument` with every mistake in it."""
    return read_document(document, _plan)


def _plan(fields: Fields) -> SavedPlan:
    fields.take("format", _format)
    fields.take("as_of", text)
    fields.take("total_cents", lambda value: value)
    return SavedPlan(
        month=fields.take("month", text, cast("Any", None)),
        property_id=fields.take("property_id", _id, cast("Any", None)),
        invoices=fields.each("invoices", _invoice, required=True),
    )


def _invoice(fields: Fields) -> PlannedInvoice:
    fields.take("total_cents", whole(0, _LARGEST))
    return PlannedInvoice(
        lease_id=fields.take("lease_id", _id),
        unit_label=fields.take("unit_label", str),
        period=fields.take("period", text),
        starts_on=fields.take("starts_on", day),
        ends_on=fields.take("ends_on", day),
        due_on=fields.take("due_on", day),
        currency=fields.take("currency", text),
        terms_id=fields.take("terms_id", _id),
        lines=fields.each("lines", _line, required=True),
    )


def _line(fields: Fields) -> PlannedLine:
    return PlannedLine(
        kind=fields.take("kind", text),
        description=fields.take("description", text),
        amount_cents=fields.take("amount_cents", whole(-_LARGEST, _LARGEST)),
        formula=fields.take("formula", text, cast("Any", None)),
    )


def _format(value: object) -> str:
    if value != FORMAT:
        raise Unfit(f"is not {FORMAT!r}, what this version reads")
    return FORMAT


def _id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Unfit(f"{value!r} is not an id") from None
