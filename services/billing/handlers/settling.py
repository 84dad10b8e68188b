"""Keeping what is derived true: allocations, balances, states and credit, after any fact of an account.

`replay_accounts` writes and is silent; `announce` says what came of it, once, when nothing changes any more.
So nobody hears that an invoice is paid that a late fee opens again in the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.allocation import Replay
from services.billing.domain.ledgers import (
    Corrections,
    InvoiceChange,
    Kept,
    Ledger,
    LedgerInvoice,
    corrections,
)
from services.billing.handlers.stating import stated
from services.billing.store.ledgers import Holder, LedgerStore
from shared.clock import local_date
from shared.contracts.billing import CreditIssued, InvoicePaid, RentStandingChanged
from shared.identity import new_id
from shared.messaging.transaction import Tx

CreditReason = Literal["overpayment", "prepayment", "void", "waiver", "fee_reversal", "goodwill"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settling accounts changed: from what was kept before it to what is kept now."""

    ledgers: Mapping[UUID, Ledger] = field(default_factory=dict)
    """The facts, by account, and what was kept before the last replay."""
    replays: Mapping[UUID, Replay] = field(default_factory=dict)
    invoices: Mapping[UUID, InvoiceChange] = field(default_factory=dict)
    """Those of which something was written, by id; what changed and changed back is among them."""
    credit_before: Mapping[UUID, int] = field(default_factory=dict)
    """By account."""

    @property
    def reopened(self) -> tuple[UUID, ...]:
        """Invoices that were paid and are not any more."""
        return tuple(key for key, change in self.invoices.items() if change.reopened)

    def kept(self, invoice_id: UUID) -> Kept:
        """An invoice as it is kept now; it has to be of one of these accounts."""
        if invoice_id in self.invoices:
            return self.invoices[invoice_id].after
        return self.invoice(invoice_id).kept

    def invoice(self, invoice_id: UUID) -> LedgerInvoice:
        """An invoice of one of these accounts; raises `KeyError` where it is of none."""
        for ledger in self.ledgers.values():
            if invoice_id in ledger.invoices:
                return ledger.invoices[invoice_id]
        raise KeyError(invoice_id)

    def then(self, later: "Settlement") -> "Settlement":
        """This and what was settled after it, as one change."""
        changes = dict(self.invoices)
        for key, change in later.invoices.items():
            before = changes[key].before if key in changes else change.before
            changes[key] = InvoiceChange(change.invoice, before, change.after)
        return Settlement(
            ledgers={**self.ledgers, **later.ledgers},
            replays={**self.replays, **later.replays},
            invoices=changes,
            credit_before={**later.credit_before, **self.credit_before},
        )


async def lock_accounts(tx: Tx, account_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Make whoever else writes these accounts wait until this transaction ends; the credit of each."""
    return await LedgerStore(tx.connection).lock(account_ids)


async def read_accounts(connection: AsyncConnection, account_ids: Iterable[UUID]) -> Settlement:
    """The accounts' ledgers and what their facts amount to; nothing is locked or written."""
    ledgers = {ledger.account_id: ledger for ledger in await LedgerStore(connection).load(account_ids)}
    replays = {key: ledger.replay() for key, ledger in ledgers.items()}
    found = [corrections(ledger, replays[key]) for key, ledger in ledgers.items()]
    return _settlement(ledgers, replays, found)


async def replay_accounts(tx: Tx, account_ids: Iterable[UUID]) -> Settlement:
    """Write what differs from the accounts' facts, and say nothing; the number of statements is fixed."""
    store = LedgerStore(tx.connection)
    ids = set(account_ids)
    if not ids:
        return Settlement()
    await store.lock(ids)
    ledgers = {ledger.account_id: ledger for ledger in await store.load(ids)}
    replays = {key: ledger.replay() for key, ledger in ledgers.items()}
    found = [corrections(ledger, replays[key]) for key, ledger in ledgers.items()]
    await store.correct([item for item in found if item])
    return _settlement(ledgers, replays, found)


def _settlement(
    ledgers: Mapping[UUID, Ledger], replays: Mapping[UUID, Replay], found: Iterable[Corrections]
) -> Settlement:
    return Settlement(
        ledgers=ledgers,
        replays=replays,
        invoices={change.invoice.invoice_id: change for item in found for change in item.invoices},
        credit_before={key: ledger.credit_cents for key, ledger in ledgers.items()},
    )


async def settle(
    tx: Tx, account_ids: Iterable[UUID], credit_reason: CreditReason = "overpayment"
) -> Settlement:
    """Settle accounts and announce it, for whoever has nothing to do in between."""
    settlement = await replay_accounts(tx, account_ids)
    await announce(tx, settlement, credit_reason)
    return settlement


async def announce(tx: Tx, settlement: Settlement, credit_reason: CreditReason = "overpayment") -> None:
    """Say which invoices are paid, of which rent is covered, and which accounts have more credit."""
    changes = sorted(settlement.invoices.values(), key=lambda change: change.invoice.number)
    of_rent = {change.invoice.account_id for change in changes if _is_of_rent(change)}
    revisions = await LedgerStore(tx.connection).next_revisions(of_rent) if of_rent else {}
    for change in changes:
        tx.emit(*_of_rent(change, revisions), *_of_payment(change))
    grown = {
        key: replay.credit_cents - settlement.credit_before[key]
        for key, replay in settlement.replays.items()
        if replay.credit_cents > settlement.credit_before[key]
    }
    if not grown:
        return
    holders = await LedgerStore(tx.connection).holders(grown)
    for key, holder in sorted(holders.items()):
        balance = settlement.replays[key].credit_cents
        tx.emit(_of_credit(tx, holder, credit_reason, grown[key], balance))


def _of_payment(change: InvoiceChange) -> list[InvoicePaid]:
    after, before = change.after, change.before
    if after.state != "paid" or after.paid_on is None:
        return []
    if (before.state, before.paid_on, before.rent_paid_on) == ("paid", after.paid_on, after.rent_paid_on):
        return []
    said = stated(change.invoice, after.balance_cents)
    return [InvoicePaid(**said, paid_on=after.paid_on, rent_paid_on=after.rent_paid_on)]


def _is_of_rent(change: InvoiceChange) -> bool:
    return change.after.state != "void" and change.before.rent_paid_on != change.after.rent_paid_on


def _of_rent(change: InvoiceChange, revisions: Mapping[UUID, int]) -> list[RentStandingChanged]:
    if not _is_of_rent(change):
        return []
    return [
        RentStandingChanged(
            **stated(change.invoice, change.after.balance_cents),
            rent_cents=change.invoice.rent_cents,
            covered_on=change.after.rent_paid_on,
            revision=revisions[change.invoice.account_id],
        )
    ]


def _of_credit(
    tx: Tx, holder: Holder, reason: CreditReason, amount_cents: int, balance_cents: int
) -> CreditIssued:
    return CreditIssued(
        credit_id=new_id(),
        account_id=holder.account_id,
        lease_id=holder.lease_id,
        property_id=holder.property_id,
        tenant_ids=holder.tenant_ids,
        currency=holder.currency,
        amount_cents=amount_cents,
        reason=reason,
        balance_cents=balance_cents,
        issued_on=local_date(tx.at, holder.time_zone),
    )
