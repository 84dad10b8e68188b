"""Letting late fees go: who and why are kept, and no later run charges them again."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.billing.domain.waiving import WaiverRefused, refuse_waiver
from services.billing.handlers.late_fees import judge_accounts
from services.billing.handlers.payments import InvoiceUnknown
from services.billing.handlers.settling import Settlement, announce, lock_accounts
from services.billing.store import FeeStore, InvoiceStore, LeaseStore
from services.billing.store.fees import LateInvoice, NewWaiver
from services.billing.store.invoices import Invoice
from shared.clock import local_date
from shared.identity import new_id
from shared.messaging.transaction import Tx


@dataclass(frozen=True, slots=True)
class Waived:
    """What came of a waiver."""

    waiver_id: UUID
    invoice_id: UUID
    number: str
    currency: str
    waived_cents: int
    balance_cents: int
    """What is still open on the invoice."""
    credit_cents: int
    """What had been paid of it, and is free again."""


async def waive_fee(tx: Tx, invoice: str, *, amount_cents: int | None, by: str, reason: str) -> Waived:
    """Let an invoice's late fees up to today go: so much of them, or all, and then interest too.

    The fees are brought up to date first, so that what is waived is what is owed today at the property.
    Raises `InvoiceUnknown`, or `WaiverRefused` where there is not so much to waive.
    """
    found = await InvoiceStore(tx.connection).find(invoice)
    if found is None:
        raise InvoiceUnknown(f"no invoice {invoice!r}")
    today = await _today(tx, found)
    await lock_accounts(tx, today)
    settlement = (await judge_accounts(tx, today)).settlement
    late = await _late(tx, found.invoice_id)
    refuse_waiver(late.lines, amount_cents, reason, late.currency)
    on = today[found.account_id]
    waiver = NewWaiver(new_id(), late.invoice_id, amount_cents, on, reason.strip(), by, tx.at)
    await FeeStore(tx.connection).add_waiver(waiver)
    settlement = settlement.then((await judge_accounts(tx, today)).settlement)
    await announce(tx, settlement, "waiver")
    return _waived(waiver, late, await _late(tx, late.invoice_id), settlement)


def _waived(waiver: NewWaiver, before: LateInvoice, after: LateInvoice, settlement: Settlement) -> Waived:
    return Waived(
        waiver_id=waiver.waiver_id,
        invoice_id=after.invoice_id,
        number=after.number,
        currency=after.currency,
        waived_cents=before.fee_cents - after.fee_cents,
        balance_cents=after.balance_cents,
        credit_cents=_credit_grown(settlement, after.account_id),
    )


async def _today(tx: Tx, invoice: Invoice) -> dict[UUID, date]:
    zone = await LeaseStore(tx.connection).time_zone_of(invoice.lease_id)
    return {invoice.account_id: local_date(tx.at, zone or "UTC")}


def _credit_grown(settlement: Settlement, account_id: UUID) -> int:
    replay = settlement.replays.get(account_id)
    return 0 if replay is None else max(replay.credit_cents - settlement.credit_before[account_id], 0)


async def _late(tx: Tx, invoice_id: UUID) -> LateInvoice:
    found = await FeeStore(tx.connection).one(invoice_id)
    if found is None or found.state == "void":
        raise WaiverRefused("the invoice is void")
    return found
