"""Voiding an invoice: it never counted, its money is credit again, and its period can be billed anew."""

from dataclasses import dataclass
from datetime import date

from services.billing.handlers.issuing import ChunkDone, issue_chunk
from services.billing.handlers.late_fees import reconsider_fees
from services.billing.handlers.payments import InvoiceUnknown
from services.billing.handlers.planning import Key
from services.billing.handlers.settling import announce, lock_accounts, replay_accounts
from services.billing.handlers.stating import stated
from services.billing.store import BilledStore, FeeStore, InvoiceStore, LeaseStore
from services.billing.store.invoices import Invoice
from shared.clock import local_date
from shared.contracts.billing import InvoiceVoided
from shared.messaging.transaction import Tx


@dataclass(frozen=True, slots=True)
class Voided:
    """What became of an order to void an invoice."""

    invoice: Invoice
    """As it was before."""
    voided_on: date
    repeated: bool = False
    """It had been void already; nothing was done."""


async def void_invoice(tx: Tx, invoice: str, *, reason: str, by: str) -> Voided:
    """Void an invoice, whatever was paid on it; again changes nothing.

    What was paid goes back to the account, pays what else is open there, and waits for the rest. Late fees
    that were on the invoice are gone with it, and those of other invoices are judged anew. Its number is
    not used again. Raises `InvoiceUnknown`.
    """
    found = await InvoiceStore(tx.connection).find(invoice)
    if found is None:
        message = f"no invoice {invoice!r}"
        raise InvoiceUnknown(message)
    await lock_accounts(tx, [found.account_id])
    today = local_date(tx.at, await LeaseStore(tx.connection).time_zone_of(found.lease_id) or "UTC")
    before = await InvoiceStore(tx.connection).void(found.invoice_id, on=today, reason=reason, by=by)
    if before is None:
        return Voided(found, today, repeated=True)
    await BilledStore(tx.connection).free(found.invoice_id)
    settlement = await replay_accounts(tx, [found.account_id])
    settlement = settlement.then(await reconsider_fees(tx, [found.account_id], today))
    tx.emit(_announcement(before, today, reason))
    await announce(tx, settlement, "void")
    return Voided(before, today)


async def issue_again(tx: Tx, voided: Voided) -> ChunkDone:
    """Bill the period of a voided invoice under the terms as they are now; what was waived stays waived."""
    key = Key(voided.invoice.lease_id, voided.invoice.period_starts_on)
    done = await issue_chunk(tx, [key], as_of=tx.at)
    for issued in done.issued:
        await FeeStore(tx.connection).carry_waivers(voided.invoice.invoice_id, issued.invoice_id)
    return done


def _announcement(invoice: Invoice, on: date, reason: str) -> InvoiceVoided:
    return InvoiceVoided(
        **stated(invoice, balance_cents=0),
        reason=reason,
        voided_on=on,
        released_cents=invoice.paid_cents,
    )
