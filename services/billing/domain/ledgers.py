"""The ledger of an account: its facts, what is kept of them, and where the two differ."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

from services.billing.domain.allocation import (
    AllocationKey,
    FeeLine,
    Order,
    Owed,
    Received,
    Replay,
    Standing,
    TakenBack,
)
from services.billing.domain.replaying import replay

State = Literal["open", "paid", "void"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What an invoice's row says of it; derived, and written by whoever settles."""

    total_cents: int
    fee_cents: int
    paid_cents: int
    state: State
    paid_on: date | None
    rent_paid_on: date | None

    @property
    def balance_cents(self) -> int:
        """What is still to be paid."""
        return 0 if self.state == "void" else max(self.total_cents, 0) - self.paid_cents


@dataclass(frozen=True, slots=True)
class LedgerInvoice:
    """An invoice of an account: what does not change, and what is kept of the rest."""

    invoice_id: UUID
    number: str
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    period: str
    issued_on: date
    due_on: date
    currency: str
    rent_cents: int
    charge_cents: int
    order: Order
    kept: Kept


@dataclass(frozen=True, slots=True)
class Divided:
    """How a payment's row divides it."""

    applied_cents: int
    reversed_cents: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that is known of one account."""

    account_id: UUID
    currency: str
    credit_cents: int
    invoices: Mapping[UUID, LedgerInvoice]
    fees: Mapping[UUID, tuple[FeeLine, ...]]
    """By invoice."""
    payments: Mapping[UUID, Received]
    divided: Mapping[UUID, Divided]
    """As kept, by payment."""
    reversals: tuple[TakenBack, ...]
    allocations: Mapping[AllocationKey, int]
    """As kept."""

    def replay(self) -> Replay:
        """What the facts amount to; a voided invoice never existed."""
        owed = (self._owed(item) for item in self.invoices.values() if item.kept.state != "void")
        return replay(owed, self.payments.values(), self.reversals)

    def _owed(self, invoice: LedgerInvoice) -> Owed:
        return Owed(
            invoice_id=invoice.invoice_id,
            number=invoice.number,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            rent_cents=invoice.rent_cents,
            charge_cents=invoice.charge_cents,
            fees=self.fees.get(invoice.invoice_id, ()),
            order=invoice.order,
        )


@dataclass(frozen=True, slots=True)
class InvoiceChange:
    """An invoice of which something else is kept than its account's facts amount to."""

    invoice: LedgerInvoice
    before: Kept
    after: Kept

    @property
    def reopened(self) -> bool:
        """Whether it was paid, and is not any more."""
        return (self.before.state, self.after.state) == ("paid", "open")


@dataclass(frozen=True, slots=True)
class Corrections:
    """What has to be written so that what is kept is what the facts amount to."""

    account_id: UUID
    invoices: tuple[InvoiceChange, ...]
    payments: Mapping[UUID, Divided]
    """How they are to be divided, where they are not."""
    stale: tuple[AllocationKey, ...]
    """Allocations to take away or to replace."""
    allocations: Mapping[AllocationKey, int]
    """Allocations to write."""
    credit_before_cents: int
    credit_cents: int

    def __bool__(self) -> bool:
        changed_credit = self.credit_before_cents != self.credit_cents
        return changed_credit or bool(self.invoices or self.payments or self.stale or self.allocations)


def corrections(ledger: Ledger, found: Replay) -> Corrections:
    """The difference between what is kept and what a replay found."""
    wanted = found.allocations()
    applied = found.applied_cents()
    divided = {key: Divided(applied.get(key, 0), found.reversed_cents.get(key, 0)) for key in ledger.payments}
    return Corrections(
        account_id=ledger.account_id,
        invoices=tuple(
            change
            for item in ledger.invoices.values()
            if (change := _change(item, found.standings.get(item.invoice_id))).before != change.after
        ),
        payments={key: value for key, value in divided.items() if ledger.divided[key] != value},
        stale=tuple(key for key, cents in ledger.allocations.items() if wanted.get(key) != cents),
        allocations={key: cents for key, cents in wanted.items() if ledger.allocations.get(key) != cents},
        credit_before_cents=ledger.credit_cents,
        credit_cents=found.credit_cents,
    )


def _change(invoice: LedgerInvoice, standing: Standing | None) -> InvoiceChange:
    if standing is None:
        emptied = replace(invoice.kept, paid_cents=0, paid_on=None, rent_paid_on=None)
        return InvoiceChange(invoice, invoice.kept, emptied)
    after = Kept(
        total_cents=standing.total_cents,
        fee_cents=standing.fee_cents,
        paid_cents=standing.paid_cents,
        state=standing.state,
        paid_on=standing.paid_on,
        rent_paid_on=standing.rent_paid_on,
    )
    return InvoiceChange(invoice, invoice.kept, after)
