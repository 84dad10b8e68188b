"""Money received: booked once per reference, divided between the invoice and credit."""

from dataclasses import dataclass
from datetime import date

from services.billing.domain.payments import PaymentRefused, divide
from services.billing.store import InvoiceStore, LeaseStore, PaymentStore
from services.billing.store.invoices import Invoice
from services.billing.store.payments import Payment
from shared.clock import local_date
from shared.contracts.billing import PaymentRecorded
from shared.identity import new_id
from shared.messaging.transaction import Tx


class InvoiceUnknown(LookupError):
    """There is no invoice with that id or number."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of a payment: booked now, or found booked before."""

    payment: Payment
    invoice_number: str
    balance_cents: int
    repeated: bool


async def record_payment(
    tx: Tx, *, reference: str, invoice: str, amount_cents: int, received_on: date | None, method: str
) -> Booked:
    """Book a payment on an invoice and say so; the same reference again changes nothing.

    Without `received_on` it was received on the day it is now at the property.
    Raises `InvoiceUnknown`, or `PaymentRefused` for an amount that is not positive and for a reference
    that was used for another payment.
    """
    # The lock makes two payments of one invoice take turns, so that its balance is never paid twice.
    found = await InvoiceStore(tx.connection).find(invoice, lock=True)
    if found is None:
        message = f"no invoice {invoice!r}"
        raise InvoiceUnknown(message)
    division = divide(amount_cents, balance_cents=found.balance_cents)
    payment = Payment(
        payment_id=new_id(),
        reference=reference,
        account_id=found.account_id,
        invoice_id=found.invoice_id,
        amount_cents=amount_cents,
        applied_cents=division.applied_cents,
        currency=found.currency,
        method=method,
        received_on=received_on or await _today(tx, found),
        recorded_at=tx.at,
    )
    store = PaymentStore(tx.connection)
    if not await store.add(payment):
        return _booked_before(await store.find(reference), payment, found)
    await InvoiceStore(tx.connection).pay(found, division.applied_cents, payment.received_on)
    tx.emit(_announcement(payment, found, division.balance_cents))
    return Booked(payment, found.number, division.balance_cents, repeated=False)


async def _today(tx: Tx, invoice: Invoice) -> date:
    zone = await LeaseStore(tx.connection).time_zone_of(invoice.lease_id)
    return local_date(tx.at, zone or "UTC")


def _booked_before(known: Payment | None, wanted: Payment, invoice: Invoice) -> Booked:
    same = known is not None and (known.invoice_id, known.amount_cents) == (
        wanted.invoice_id,
        wanted.amount_cents,
    )
    if known is None or not same:
        message = f"reference {wanted.reference!r} is already used for another payment"
        raise PaymentRefused(message)
    return Booked(known, invoice.number, invoice.balance_cents, repeated=True)


def _announcement(payment: Payment, invoice: Invoice, balance_cents: int) -> PaymentRecorded:
    return PaymentRecorded(
        payment_id=payment.payment_id,
        reference=payment.reference,
        invoice_id=invoice.invoice_id,
        invoice_number=invoice.number,
        lease_id=invoice.lease_id,
        property_id=invoice.property_id,
        tenant_ids=invoice.tenant_ids,
        currency=payment.currency,
        amount_cents=payment.amount_cents,
        balance_cents=balance_cents,
        credit_cents=payment.amount_cents - payment.applied_cents,
        method=payment.method,
        received_on=payment.received_on,
    )
