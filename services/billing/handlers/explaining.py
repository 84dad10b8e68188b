"""Why a lease is billed as it is, and how an invoice came about. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.billing_reasons import Invoiced, Reason, due_reason, gaps, reason
from services.billing.domain.due_periods import Tenure
from services.billing.domain.invoices import Draft, Line
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.periods import BillingPeriod, month, period_at, periods_between
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.policy_book import Place, PolicyVersion
from services.billing.handlers.issuing import draft_chunk, first_fee_date
from services.billing.handlers.planning import Key
from services.billing.store import BilledStore, InvoiceStore, LeaseStore, PolicyStore
from services.billing.store.invoices import Invoice
from shared.clock import local_date

DECISIVE = ("auto_generate", "lead_days", "proration", "due_day", "due_after_days")
"""The fields of a policy that say whether, when and for how much a period is invoiced."""


@dataclass(frozen=True, slots=True)
class LeaseExplained:
    """One period of a lease, and why it is billed or not."""

    terms: LeaseTerms
    on: date
    period: BillingPeriod
    reason: Reason
    policy: BillingPolicy
    origins: Mapping[str, PolicyVersion | None]
    """Which version of a policy decides each field; None is the default."""
    draft: Draft | None
    """What its invoice would be, where it has none."""
    problems: Sequence[str]
    gaps: Sequence[BillingPeriod]
    """Earlier periods without an invoice, since the first that has one."""


@dataclass(frozen=True, slots=True)
class InvoiceExplained:
    """An invoice with the rules that led to it."""

    invoice: Invoice
    lines: Sequence[Line]
    policy: BillingPolicy
    due_because: str
    first_fee_on: date | None
    replaced_by: str | None
    """Of a void one: the invoice that has its period now."""
    on: date
    open_cents: int
    """What was to be paid at the end of that day."""


async def explain_lease(
    connection: AsyncConnection, lease_id: UUID, *, on: date | None, as_of: datetime
) -> LeaseExplained | None:
    """Why the period that a day lies in is billed or not; None for a lease that billing does not know."""
    terms = (await LeaseStore(connection).terms([lease_id])).get(lease_id)
    if terms is None:
        return None
    today = local_date(as_of, terms.time_zone)
    on = on or today
    tenure = Tenure(terms.frequency, terms.starts_on, terms.last_on)
    period = period_at(terms.frequency, terms.starts_on, on)
    place = Place(terms.property_id, lease_id)
    book = await PolicyStore(connection).book({lease_id: terms.property_id})
    invoiced = await BilledStore(connection).of_lease(lease_id)
    found = reason(tenure, period, invoiced, book.policy(place, today), today)
    drafts, problems = await _would_be(connection, lease_id, period, found, as_of)
    return LeaseExplained(
        terms=terms,
        on=on,
        period=period,
        reason=found,
        policy=book.policy(place, period.starts_on),
        origins=book.origins(place, period.starts_on),
        draft=drafts[0] if drafts else None,
        problems=problems,
        gaps=_gaps(tenure, invoiced, min(on, today), period),
    )


async def _would_be(
    connection: AsyncConnection, lease_id: UUID, period: BillingPeriod, found: Reason, as_of: datetime
) -> tuple[list[Draft], list[str]]:
    if found.verdict in {"billed", "not_in_force", "overlapped"}:
        return [], []
    drafted = await draft_chunk(connection, [Key(lease_id, period.starts_on)], as_of=as_of)
    return drafted.drafts, drafted.problems


def _gaps(
    tenure: Tenure, invoiced: Sequence[Invoiced], until: date, asked: BillingPeriod
) -> list[BillingPeriod]:
    if not invoiced:
        return []
    periods = periods_between(tenure.frequency, tenure.starts_on, invoiced[0].starts_on, until)
    return [period for period in gaps(tenure, periods, invoiced) if period != asked]


async def explain_invoice(
    connection: AsyncConnection, identity: str, *, on: date | None, as_of: datetime
) -> InvoiceExplained | None:
    """How an invoice came about, and what was open on it on a day; None where there is no such invoice."""
    store = InvoiceStore(connection)
    invoice = await store.find(identity)
    if invoice is None:
        return None
    policy = (await PolicyStore(connection).snapshots([invoice.terms_id]))[invoice.terms_id]
    terms = (await LeaseStore(connection).terms([invoice.lease_id])).get(invoice.lease_id)
    today = local_date(as_of, terms.time_zone if terms else "UTC")
    return InvoiceExplained(
        invoice=invoice,
        lines=await store.lines(invoice.invoice_id),
        policy=policy,
        due_because=_due_because(invoice, terms, policy),
        first_fee_on=first_fee_date(
            policy, max(invoice.due_on, invoice.issued_on), (invoice.period_starts_on, invoice.period_ends_on)
        ),
        replaced_by=await _replacement(connection, invoice),
        on=on or today,
        open_cents=0 if invoice.state == "void" else await store.open_on(invoice.invoice_id, on or today),
    )


def _due_because(invoice: Invoice, terms: LeaseTerms | None, policy: BillingPolicy) -> str:
    if terms is None:
        return "as it was agreed when the invoice was issued"
    period = month(invoice.period)
    if (period.starts_on, period.ends_on) != (invoice.period_starts_on, invoice.period_ends_on):
        period = period_at("weekly", invoice.period_starts_on, invoice.period_starts_on)
    return due_reason(terms, period, policy, invoice.due_on)


async def _replacement(connection: AsyncConnection, invoice: Invoice) -> str | None:
    if invoice.state != "void":
        return None
    others = await BilledStore(connection).of_lease(invoice.lease_id)
    same = (item for item in others if not item.is_void and item.starts_on == invoice.period_starts_on)
    return next((item.number for item in same), None)
