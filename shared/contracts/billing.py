"""The facts and commands of billing: invoices issued, payments recorded."""

from datetime import date
from uuid import UUID

from shared.contracts.base import Cents, Command, Currency, Fact, Instant, Part, Period


class LeaseToBill(Part):
    """One lease and the month it is to be billed for."""

    lease_id: UUID
    period: Period


class IssueInvoices(Command, subject="run_id"):
    """Issue the invoices of one chunk of a billing run."""

    run_id: UUID
    chunk: int
    as_of: Instant
    leases: tuple[LeaseToBill, ...]


class InvoiceLine(Part):
    """One line of an invoice."""

    kind: str
    """rent or charge; a consumer shows a kind it does not know like a charge."""
    description: str
    amount_cents: Cents


class InvoiceCreated(Fact, subject="invoice_id"):
    """An invoice was issued, with all that its recipients are to be told."""

    invoice_id: UUID
    number: str
    lease_id: UUID
    property_id: UUID
    unit_id: UUID
    unit_label: str = ""
    tenant_ids: tuple[UUID, ...]
    period: Period
    issued_on: date
    due_on: date
    currency: Currency
    total_cents: Cents
    lines: tuple[InvoiceLine, ...] = ()


class PaymentRecorded(Fact, subject="payment_id"):
    """Money was received on an invoice."""

    payment_id: UUID
    reference: str
    invoice_id: UUID
    invoice_number: str
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    currency: Currency
    amount_cents: Cents
    balance_cents: Cents
    """What is still open on the invoice after this payment; never negative."""
    credit_cents: Cents = 0
    """What exceeded the invoice and is kept as credit."""
    method: str = "other"
    received_on: date
