"""The facts and commands of billing: what is owed, what was paid, and what came late."""

from datetime import date
from typing import Literal
from uuid import UUID

from shared.contracts.base import Cents, Currency, Fact, Instant, Part, Period, RunStep
from shared.contracts.cleaning import CleaningStep


class LeaseToBill(Part):
    """One lease and the period it is to be billed for."""

    lease_id: UUID
    period: Period
    starts_on: date | None = None
    """The first day of the period; without it, the first of the month."""


class IssueInvoices(RunStep, subject="run_id"):
    """Issue the invoices of one chunk of a billing run."""

    run_id: UUID
    chunk: int
    as_of: Instant
    leases: tuple[LeaseToBill, ...]


class InvoiceLine(Part):
    """One line of an invoice."""

    kind: str
    """rent, concession, or the code of a charge; a consumer shows a kind it does not know like a charge."""
    description: str
    amount_cents: Cents
    formula: str | None = None
    """How the amount came about, where it is not simply the agreed one."""


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
    account_id: UUID | None = None
    """The ledger: the first lease of a chain of renewals."""
    period_starts_on: date | None = None
    period_ends_on: date | None = None
    rent_cents: Cents | None = None
    """What of the total is rent, after concessions."""
    first_fee_on: date | None = None
    """The first day on which a late fee is possible; None where none ever is."""


class Allocation(Part):
    """What of a payment went to one invoice."""

    invoice_id: UUID
    invoice_number: str
    rent_cents: Cents = 0
    charge_cents: Cents = 0
    fee_cents: Cents = 0


class PaymentRecorded(Fact, subject="payment_id"):
    """Money was received, on one invoice or on an account.

    `invoice_id` is the invoice that the payer named, or the first that the money went to; where no
    invoice is open it is the account's id with an empty number, and all of it is credit.
    """

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
    """What is still open on the invoice after this payment; never negative. Said again: what is open then."""
    credit_cents: Cents = 0
    """What exceeded the invoice and is kept as credit."""
    method: str = "other"
    received_on: date
    account_id: UUID | None = None
    allocations: tuple["Allocation", ...] = ()
    """Which invoices this money has paid, as it stands when this is said."""


class InvoiceFact(Fact):
    """Something happened to an invoice that was issued; carries what its tenants are to be told."""

    invoice_id: UUID
    number: str
    lease_id: UUID
    account_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    period: Period
    due_on: date
    currency: Currency
    balance_cents: Cents
    """What is open on the invoice afterwards."""


class InvoiceOverdue(InvoiceFact, subject="invoice_id"):
    """The due date has passed and something is open; said once per invoice."""

    overdue_on: date
    """The first day after the due date."""
    first_fee_on: date | None = None
    """The calendar date of the first possible late fee; None where none ever is."""


class InvoicePaid(InvoiceFact, subject="invoice_id"):
    """Nothing is open any more.

    Said again where a reversal had opened it in between, and where the money turns out to count from
    another day, such as that of a cheque that is booked late.
    """

    paid_on: date
    """The day the last of the money was received, which may lie before the day it was recorded."""
    rent_paid_on: date | None = None
    """The day the rent of this invoice was covered; None where it has none."""


class RentStandingChanged(InvoiceFact, subject="invoice_id"):
    """The rent of an invoice is covered, or is not any more; charges and fees may still be open."""

    rent_cents: Cents
    covered_on: date | None = None
    """The day the last of the rent counts from; None where it is open again."""
    revision: int = 0
    """Grows with each of these facts of one account: of two about an invoice, the higher one holds."""


class InvoiceVoided(InvoiceFact, subject="invoice_id"):
    """The invoice no longer counts; its number is not used again."""

    reason: str
    voided_on: date
    released_cents: Cents = 0
    """What had been paid on it, and went back to the account."""


class LateStretch(Part):
    """So much was late for so many days."""

    late_cents: Cents
    days: int


class FeeLimit(Part):
    """What may be asked at most for being late with an invoice, where that made a fee smaller."""

    law: str | None = None
    """The name of the law that says so; None where it was agreed."""
    most_cents: Cents
    left_cents: Cents
    """What earlier fees left of it."""


class FeeWorking(Part):
    """How a fee was worked out, as values, so that its reader can be told in their own language."""

    way: str
    """fixed, percent_of_rent, percent_of_late_balance, tier, tiers or interest; of one that a consumer does
    not know, the fee's `formula` says it in English."""
    comes_to_cents: Cents
    """Before the limit; of interest, all of it up to the day."""
    nth: int | None = None
    every: Literal["day", "month"] | None = None
    """What repeats, and which time this is."""
    percent: str | None = None
    """Decimal text such as 7.5: of `of_cents`, or of interest in a year."""
    of_cents: Cents | None = None
    """What the percentage is of; the rent, where tiers are looked up by it."""
    plus_cents: Cents = 0
    """The amount of a tier, beside its percentage."""
    up_to_cents: Cents | None = None
    """The rent up to which the tier goes; None is the last one."""
    stretches: tuple[LateStretch, ...] = ()
    """What interest is on, in order."""
    further_days: int = 0
    """Days of interest after those, on other amounts."""
    limit: FeeLimit | None = None
    posted_cents: Cents | None = None
    """What had been charged for the same day before this line put it right."""


class FeeFact(InvoiceFact):
    """A late fee, interest or other fee was put on an invoice, or taken off it."""

    fee_id: UUID
    """Derived from the invoice and the line, so that the same line is never announced under two ids."""
    fee_kind: Literal["late_fee", "interest", "nsf_fee"]
    amount_cents: Cents
    """Of this line; negative where a fee that is not owed any more is taken back."""
    rule: str
    formula: str
    working: FeeWorking | None = None
    """The formula as values; None of a waiver, and of what was posted without."""
    on: date
    """The business date the line counts from."""
    total_fee_cents: Cents
    """Every fee on this invoice after it, less what was taken back or waived."""


class LateFeeApplied(FeeFact, subject="invoice_id"):
    """A fee line was posted; lines are added and never changed."""


class LateFeeWaived(FeeFact, subject="invoice_id"):
    """A person waived a fee; `amount_cents` is what they waived."""

    reason: str


class PaymentReversed(Fact, subject="payment_id"):
    """A payment bounced, was charged back or was refunded, wholly or in part."""

    payment_id: UUID
    reversal_id: UUID
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    currency: Currency
    reversal: Literal["returned", "charged_back", "refunded", "entered_in_error"]
    amount_cents: Cents
    known_on: date
    """The day it became known; what is owed is judged anew from that day on."""
    reopened_invoice_ids: tuple[UUID, ...] = ()
    nsf_fee_cents: Cents = 0
    method: str = "other"
    """How the payment had come; `reward` goes back to the tenant's reward balance."""


class CreditIssued(Fact, subject="credit_id"):
    """Money of an account waits for its next invoice."""

    credit_id: UUID
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]
    currency: Currency
    amount_cents: Cents
    reason: Literal["overpayment", "prepayment", "void", "waiver", "fee_reversal", "goodwill"]
    balance_cents: Cents
    """All credit of the account afterwards."""
    issued_on: date


class RewardCreditRefused(Fact, subject="redemption_id"):
    """A redeemed reward could not be booked, or not all of it; said once, and the rest is booked."""

    redemption_id: UUID
    account_id: UUID
    tenant_id: UUID
    currency: Currency
    refused_cents: Cents
    booked_cents: Cents = 0
    reason: Literal["nothing_open", "more_than_open", "account_unknown", "other_currency"]


class ReminderItem(Part):
    """One invoice that a reminder is about."""

    invoice_id: UUID
    number: str
    period: Period
    due_on: date
    stage: int
    """Days relative to the due date that the stage stands for: -3, -1, 1, 7, 30."""
    balance_cents: Cents
    first_fee_on: date | None = None
    fee_cents: Cents = 0
    """What of the balance is fees."""
    charge_on: date | None = None
    """The day it will be charged by itself; None where the tenant has to pay it."""


class PaymentReminderDue(Fact, subject="reminder_id"):
    """A tenant is to be reminded of what is due, or overdue: one message a day, however many invoices."""

    reminder_id: UUID
    tenant_id: UUID
    property_id: UUID
    currency: Currency
    as_of_on: date
    """The business date it was decided for; a text that says "today" is wrong on any other day."""
    items: tuple[ReminderItem, ...]
    total_cents: Cents
    autopay: bool = False
    """All of it is charged by itself: the tenant is to be told so, and not asked to pay."""
    charge_on: date | None = None
    """The first day of a charge; each item has its own."""


class AutopayFailed(InvoiceFact, subject="invoice_id"):
    """A charge by autopay did not go through; the tenant has to pay by other means, or mend it."""

    charge_id: UUID
    attempt: int
    amount_cents: Cents
    failure: str
    """The gateway's class of reason, such as insufficient_funds; never its free text."""
    next_attempt_on: date | None = None


class InvoiceToJudge(Part):
    """One invoice of a chunk."""

    invoice_id: UUID
    on: date
    """The business date it is judged for."""


class ApplyLateFees(RunStep, subject="run_id"):
    """Judge the late fees of one chunk of invoices."""

    run_id: UUID
    chunk: int
    as_of: Instant
    invoices: tuple[InvoiceToJudge, ...]


class SendReminders(RunStep, subject="run_id"):
    """Decide the reminders of one chunk of invoices; all invoices of a tenant are in one chunk."""

    run_id: UUID
    chunk: int
    as_of: Instant
    stages: tuple[int, ...] | None = None
    """Instead of those of each policy."""
    invoices: tuple[InvoiceToJudge, ...]


class ChargeAutopay(RunStep, subject="run_id"):
    """Plan the autopay charges of one chunk of invoices; a worker then talks to the gateway."""

    run_id: UUID
    chunk: int
    as_of: Instant
    invoices: tuple[InvoiceToJudge, ...]


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""
