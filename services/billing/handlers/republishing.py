"""Saying again how invoices are, for a consumer that was added later or has lost some.

Each is said as it was issued, and then how it stands: whether its rent is covered and since when, and
whether it is paid. Whoever has heard it before knows it by the invoice's id. Void ones never counted, and
are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.issuing import first_fee_date
from services.billing.store import InvoiceStore, PolicyStore
from services.billing.store.invoices import Kept, Selection
from shared.contracts.base import Message
from shared.contracts.billing import (
    InvoiceCreated,
    InvoiceFact,
    InvoiceLine,
    InvoicePaid,
    RentStandingChanged,
)
from shared.messaging.transaction import Tx

PAGE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """What one step said again."""

    count: int
    last: UUID | None
    """Where the next step goes on; None where there is nothing more."""


async def republish_invoices(
    tx: Tx, selection: Selection, after: UUID | None = None, limit: int = PAGE
) -> Page:
    """Say again how a page of invoices is; in a fixed number of statements."""
    found = await InvoiceStore(tx.connection).page(selection, after, limit)
    policies = await PolicyStore(tx.connection).snapshots({item.terms_id for item in found})
    for item in found:
        tx.emit(*_facts(item, policies[item.terms_id]))
    return Page(len(found), found[-1].invoice_id if len(found) == limit else None)


def _facts(item: Kept, policy: BillingPolicy) -> Iterator[Message]:
    yield _created(item, policy)
    stated = _stated(item)
    if item.rent_paid_on is not None:
        covered = {"rent_cents": item.rent_cents, "covered_on": item.rent_paid_on}
        yield RentStandingChanged(**stated, **covered, revision=item.revision)
    if item.state == "paid" and item.paid_on is not None and item.total_cents > 0:
        yield InvoicePaid(**stated, paid_on=item.paid_on, rent_paid_on=item.rent_paid_on)


def _created(item: Kept, policy: BillingPolicy) -> InvoiceCreated:
    period = (item.period_starts_on, item.period_ends_on)
    names = InvoiceCreated.model_fields.keys() - {"lines", "total_cents", "first_fee_on"}
    return InvoiceCreated(
        **{name: getattr(item, name) for name in names},
        total_cents=item.rent_cents + item.charge_cents,
        first_fee_on=first_fee_date(policy, item.due_on, period),
        lines=tuple(
            InvoiceLine(
                kind=line.kind,
                description=line.description,
                amount_cents=line.amount_cents,
                formula=line.formula,
            )
            for line in item.lines
        ),
    )


def _stated(item: Kept) -> dict[str, Any]:
    names = InvoiceFact.model_fields.keys() - {"balance_cents"}
    return {name: getattr(item, name) for name in names} | {
        "balance_cents": item.total_cents - item.paid_cents
    }
