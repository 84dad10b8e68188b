"""Money received: booked once per reference, and divided by settling its account."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.billing.domain.allocation import BUCKETS, Bucket
from services.billing.domain.ledgers import LedgerInvoice
from services.billing.domain.payments import GOODWILL, PaymentRefused, check_payment
from services.billing.handlers.converging import converge
from services.billing.handlers.settling import (
    CreditReason,
    Settlement,
    announce,
    lock_accounts,
    read_accounts,
)
from services.billing.store import InvoiceStore, LeaseStore, LedgerStore, PaymentStore
from services.billing.store.ledgers import Holder
from services.billing.store.payments import Payment
from shared.clock import local_date
from shared.contracts.billing import Allocation, PaymentRecorded
from shared.identity import new_id
from shared.messaging.transaction import Tx


class InvoiceUnknown(LookupError):
    """There is no invoice with that id or number."""


class AccountUnknown(LookupError):
    """There is no lease or account with that id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """Money as somebody reports it: for an invoice, a lease or an account, of which one is given."""

    reference: str
    """The bank's, the gateway's or the landlord's own; booked once."""
    amount_cents: int
    invoice: str | None = None
    """The id or number of the invoice that the payer named."""
    lease_id: UUID | None = None
    account_id: UUID | None = None
    received_on: date | None = None
    """Without it, the day it is now at the property."""
    method: str = "other"
    note: str | None = None
    recorded_by: str | None = None
    payment_id: UUID | None = None
    """Where whoever pays has given it an id already, such as that of a redemption."""
    fees_only: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What of a payment is on one invoice."""

    invoice: LedgerInvoice
    cents: dict[Bucket, int]

    @property
    def amount_cents(self) -> int:
        """All of it."""
        return sum(self.cents.values())


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of a payment: booked now, or found booked before."""

    payment: Payment
    invoice: LedgerInvoice | None
    """The one the payer named, or else the first the money is on."""
    balance_cents: int
    """What is open on that invoice."""
    parts: tuple[Part, ...]
    repeated: bool = False
    warning: str | None = None


async def record_payment(tx: Tx, new: NewPayment) -> Booked:
    """Book a payment, divide it, and say so; the same reference again changes nothing.

    Raises `InvoiceUnknown` or `AccountUnknown`, and `PaymentRefused` for an amount that is not positive, for
    money of days to come, and for a reference that was used for another payment.
    """
    invoice_id, holder = await _find_account(tx, new)
    today = local_date(tx.at, holder.time_zone)
    received_on = new.received_on or today
    check_payment(new.reference, new.amount_cents, received_on=received_on, today=today)
    await lock_accounts(tx, [holder.account_id])
    payment = _payment(tx, new, holder, invoice_id, received_on)
    if not await PaymentStore(tx.connection).add(payment):
        return await _booked_before(tx, payment)
    settlement = await converge(tx, [holder.account_id], today)
    booked = booked_as(settlement, payment)
    tx.emit(recorded(booked, holder))
    await announce(tx, settlement, _credit_reason(new, settlement))
    return booked


async def _find_account(tx: Tx, new: NewPayment) -> tuple[UUID | None, Holder]:
    """The invoice that was named, and whose account it is."""
    account_id, invoice_id = new.account_id, None
    if new.invoice is not None:
        invoice = await InvoiceStore(tx.connection).find(new.invoice)
        if invoice is None:
            raise InvoiceUnknown(f"no invoice {new.invoice!r}")
        account_id, invoice_id = invoice.account_id, invoice.invoice_id
    elif new.lease_id is not None:
        account_id = await LeaseStore(tx.connection).account_of(new.lease_id)
    holders = {} if account_id is None else await LedgerStore(tx.connection).holders([account_id])
    if account_id not in holders:
        raise AccountUnknown(f"no lease {new.lease_id or account_id}")
    return invoice_id, holders[account_id]


def _payment(tx: Tx, new: NewPayment, holder: Holder, invoice_id: UUID | None, received_on: date) -> Payment:
    return Payment(
        payment_id=new.payment_id or new_id(),
        reference=new.reference,
        account_id=holder.account_id,
        invoice_id=invoice_id,
        amount_cents=new.amount_cents,
        applied_cents=0,
        reversed_cents=0,
        currency=holder.currency,
        method=new.method,
        received_on=received_on,
        recorded_at=tx.at,
        recorded_by=new.recorded_by,
        note=new.note,
        fees_only=new.fees_only,
    )


async def _booked_before(tx: Tx, wanted: Payment) -> Booked:
    known = await PaymentStore(tx.connection).find(wanted.reference)
    if known is None or (known.account_id, known.amount_cents) != (wanted.account_id, wanted.amount_cents):
        raise PaymentRefused(f"reference {wanted.reference!r} is already used for another payment")
    if None not in {known.invoice_id, wanted.invoice_id} and known.invoice_id != wanted.invoice_id:
        raise PaymentRefused(f"reference {wanted.reference!r} is already used for another invoice")
    return booked_as(await read_accounts(tx.connection, [known.account_id]), known, repeated=True)


def booked_as(settlement: Settlement, payment: Payment, *, repeated: bool = False) -> Booked:
    """Where a payment's money is, once its account is settled."""
    found = settlement.replays[payment.account_id]
    sums: dict[UUID, dict[Bucket, int]] = {}
    for step in found.steps:
        if step.payment_id == payment.payment_id:
            amounts = sums.setdefault(step.invoice_id, dict.fromkeys(BUCKETS, 0))
            amounts[step.bucket] += step.amount_cents
    on = [Part(settlement.invoice(key), cents) for key, cents in sums.items()]
    parts = tuple(part for part in on if part.amount_cents)
    named = settlement.invoice(payment.invoice_id) if payment.invoice_id else None
    is_void = named is not None and named.kept.state == "void"
    invoice = parts[0].invoice if (named is None or is_void) and parts else named
    return Booked(
        payment=replace(
            payment,
            applied_cents=sum(part.amount_cents for part in parts),
            reversed_cents=found.reversed_cents.get(payment.payment_id, 0),
        ),
        invoice=invoice,
        balance_cents=settlement.kept(invoice.invoice_id).balance_cents if invoice else 0,
        parts=parts,
        repeated=repeated,
        warning=f"{named.number} is void; the money is the account's" if named and is_void else None,
    )


def recorded(booked: Booked, holder: Holder) -> PaymentRecorded:
    """What is said of a payment, with where its money is."""
    payment = booked.payment
    invoice = None if booked.invoice is None or booked.invoice.kept.state == "void" else booked.invoice
    return PaymentRecorded(
        payment_id=payment.payment_id,
        reference=payment.reference,
        invoice_id=invoice.invoice_id if invoice else payment.account_id,
        invoice_number=invoice.number if invoice else "",
        lease_id=invoice.lease_id if invoice else holder.lease_id,
        property_id=invoice.property_id if invoice else holder.property_id,
        tenant_ids=invoice.tenant_ids if invoice else holder.tenant_ids,
        currency=payment.currency,
        amount_cents=payment.amount_cents,
        balance_cents=booked.balance_cents,
        credit_cents=payment.credit_cents,
        method=payment.method,
        received_on=payment.received_on,
        account_id=payment.account_id,
        allocations=tuple(_allocations(booked.parts)),
    )


def _allocations(parts: Iterable[Part]) -> Iterable[Allocation]:
    for part in parts:
        yield Allocation(
            invoice_id=part.invoice.invoice_id,
            invoice_number=part.invoice.number,
            rent_cents=part.cents["rent"],
            charge_cents=part.cents["charge"],
            fee_cents=part.cents["fee"],
        )


def _credit_reason(new: NewPayment, settlement: Settlement) -> CreditReason:
    if new.method == GOODWILL:
        return "goodwill"
    owed = any(ledger.invoices for ledger in settlement.ledgers.values())
    return "overpayment" if owed else "prepayment"
