"""Saying again what was said, for a consumer that was added later or has lost some.

Of an invoice: as it was issued, the fees that were put on it and waived, then whether its rent is covered and
since when, whether it is paid, and whether it is void. Of a payment: that it was received, and what of it was
taken back. Each fact has the id it is known by, so that whoever has heard it before does nothing; what a fact
says of the moment, such as what is open, is as it is now.

Void invoices are among them: money that came for one was owed then, and is not paid ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.issuing import first_fee_date
from services.billing.handlers.payments import booked_as, recorded
from services.billing.handlers.reversals import reversal_fact
from services.billing.handlers.settling import read_accounts
from services.billing.handlers.stating import of_fee, stated
from services.billing.store import InvoiceStore, LedgerStore, PaymentStore, PolicyStore, RepeatStore
from services.billing.store.invoices import Kept, Selection
from services.billing.store.repeating import PostedLine
from shared.contracts.base import Message
from shared.contracts.billing import (
    InvoiceCreated,
    InvoiceFact,
    InvoiceLine,
    InvoicePaid,
    InvoiceVoided,
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
    lines = await RepeatStore(tx.connection).fee_lines([item.invoice_id for item in found])
    for item in found:
        tx.emit(_created(item, policies[item.terms_id]))
        for line in lines.get(item.invoice_id, ()):
            tx.emit(*_fee_again(item, line))
        tx.emit(*_standing(item))
    return Page(len(found), found[-1].invoice_id if len(found) == limit else None)


async def republish_payments(
    tx: Tx, selection: Selection, after: UUID | None = None, limit: int = PAGE
) -> Page:
    """Say again what was received and taken back, a page of payments; in a fixed number of statements."""
    store = RepeatStore(tx.connection)
    found = await store.payments(selection, after, limit)
    accounts = {item.account_id for item in found}
    holders = await LedgerStore(tx.connection).holders(accounts)
    settlement = await read_accounts(tx.connection, accounts)
    taken_back = await PaymentStore(tx.connection).reversals_of([item.payment_id for item in found])
    fees = await store.nsf_fees(taken_back)
    known = {item.payment_id: item for item in found}
    for payment in found:
        tx.emit(recorded(booked_as(settlement, payment), holders[payment.account_id]))
    for reversal in taken_back:
        payment = known[reversal.payment_id]
        cost = fees.get(reversal.reversal_id, 0)
        tx.emit(reversal_fact(payment, holders[payment.account_id], reversal, nsf_fee_cents=cost))
    return Page(len(found), found[-1].payment_id if len(found) == limit else None)


def _standing(item: Kept) -> Iterator[Message]:
    said = stated(item, item.balance_cents)
    if item.state == "void":
        if item.voided_on is not None:
            yield InvoiceVoided(**said, reason=item.void_reason or "", voided_on=item.voided_on)
        return
    if item.rent_paid_on is not None:
        covered = {"rent_cents": item.rent_cents, "covered_on": item.rent_paid_on}
        yield RentStandingChanged(**said, **covered, revision=item.revision)
    if item.state == "paid" and item.paid_on is not None and item.total_cents > 0:
        yield InvoicePaid(**said, paid_on=item.paid_on, rent_paid_on=item.rent_paid_on)


def _fee_again(item: Kept, line: PostedLine) -> list[InvoiceFact]:
    return of_fee(
        stated(item, item.balance_cents),
        line,
        line.position,
        total_fee_cents=item.total_cents - item.rent_cents - item.charge_cents,
        reason=line.reason,
    )


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
