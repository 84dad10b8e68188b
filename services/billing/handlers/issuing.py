"""Issuing invoices: drafted from what is known under a lock, written as a set, announced."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.due_periods import Tenure, standing
from services.billing.domain.invoices import (
    Billed,
    Draft,
    InvoiceRefused,
    LeaseNotInForce,
    draft_invoice,
)
from services.billing.domain.lawful_policies import profile_of
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.periods import BillingPeriod, period_of
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.policy_book import Place, PolicyBook
from services.billing.domain.policy_dates import first_fee_on
from services.billing.handlers.converging import settle_new_invoices
from services.billing.handlers.planning import Key, Wanted, overlapping
from services.billing.handlers.settling import lock_accounts
from services.billing.jurisdictions import profiles
from services.billing.store import BilledStore, InvoiceStore, LeaseStore, PolicyStore
from services.billing.store.billed import Known
from services.billing.store.invoices import Issued
from shared.clock import local_date
from shared.contracts.billing import InvoiceCreated, InvoiceLine
from shared.documents import BadDocument
from shared.messaging.transaction import Tx


@dataclass(slots=True)
class Drafted:
    """What a chunk's invoices would be."""

    drafts: list[Draft] = field(default_factory=list)
    billed: int = 0
    """Periods that were billed meanwhile."""
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ChunkDone:
    """What came of one chunk."""

    issued: list[Issued] = field(default_factory=list)
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


async def issue_chunk(tx: Tx, keys: Sequence[Key], *, as_of: datetime) -> ChunkDone:
    """Issue the invoices of a chunk and announce each; what is billed meanwhile is skipped.

    The accounts are locked before anything is looked up, so that runs of one month take turns, and money
    that waits on an account pays its new invoice in the same transaction.
    """
    terms = await LeaseStore(tx.connection).terms({key.lease_id for key in keys})
    await lock_accounts(tx, {lease.account_id for lease in terms.values()})
    drafted = await draft_chunk(tx.connection, keys, as_of=as_of, terms=terms)
    issued = await issue(tx, drafted.drafts)
    return ChunkDone(issued, drafted.billed, drafted.problems)


async def issue(tx: Tx, drafts: Sequence[Draft]) -> list[Issued]:
    """Write invoices whose accounts are locked, say so, and let money that waits pay them."""
    await PolicyStore(tx.connection).keep(draft.policy for draft in drafts)
    issued = await InvoiceStore(tx.connection).add(drafts, tx.at)
    await BilledStore(tx.connection).keep([row for item in issued for row in _billed_rows(item)])
    tx.emit(*(announcement(item) for item in issued))
    latest_first = sorted(drafts, key=lambda draft: draft.issued_on, reverse=True)
    await settle_new_invoices(tx, {draft.terms.account_id: draft.issued_on for draft in latest_first})
    return issued


async def draft_chunk(
    connection: AsyncConnection,
    keys: Sequence[Key],
    *,
    as_of: datetime,
    terms: Mapping[UUID, LeaseTerms] | None = None,
) -> Drafted:
    """The invoices of these periods, and the reasons of those that cannot be drafted; reads only."""
    if terms is None:
        terms = await LeaseStore(connection).terms({key.lease_id for key in keys})
    await BilledStore(connection).plan_for_values()
    drafted = Drafted()
    wanted = _known_periods(keys, terms, drafted.problems)
    book = await PolicyStore(connection).book({item.lease_id: item.property_id for item in wanted})
    issued = await BilledStore(connection).near(item.days for item in wanted)
    known = await _known(connection, wanted, terms)
    for item in wanted:
        stands = standing(item.period, issued.get(item.lease_id, ()))
        if stands == "billed":
            drafted.billed += 1
        elif stands == "overlapped":
            drafted.problems.append(overlapping(item, issued[item.lease_id]))
        else:
            _draft(item, terms[item.lease_id], book, known.get(item.lease_id), as_of, drafted)
    return drafted


def _known_periods(
    keys: Iterable[Key], terms: Mapping[UUID, LeaseTerms], problems: list[str]
) -> list[Wanted]:
    """In order of time, so that what one period's invoice takes along is not on the next one's too."""
    wanted: list[Wanted] = []
    for key in sorted(keys, key=lambda key: key.starts_on):
        lease = terms.get(key.lease_id)
        if lease is None:
            problems.append(f"lease {key.lease_id}: unknown to billing")
            continue
        period = Tenure(lease.frequency, lease.starts_on, lease.last_on).begins(key.starts_on)
        if period is None:
            problems.append(f"lease {key.lease_id}: none of its periods begins on {key.starts_on} any more")
        else:
            wanted.append(Wanted(lease.lease_id, lease.property_id, period))
    return wanted


async def _known(
    connection: AsyncConnection, wanted: Sequence[Wanted], terms: Mapping[UUID, LeaseTerms]
) -> dict[UUID, Known]:
    """Only leases with charges have something that could have missed its invoice."""
    charged = {item.lease_id for item in wanted if terms[item.lease_id].charges}
    if not charged:
        return {}
    before = min(item.period.starts_on for item in wanted)
    return await BilledStore(connection).known(charged, before)


def _draft(
    item: Wanted, lease: LeaseTerms, book: PolicyBook, known: Known | None, as_of: datetime, drafted: Drafted
) -> None:
    policy = book.policy(Place(lease.property_id, lease.lease_id), item.period.starts_on)
    try:
        draft = draft_invoice(
            lease,
            item.period,
            policy,
            issued_on=local_date(as_of, lease.time_zone),
            billed=_billed(known, item.period),
        )
        payable_on = max(draft.due_on, draft.issued_on)  # nobody is late with what did not exist
        period = (item.period.starts_on, item.period.ends_on)
        draft = replace(draft, first_fee_on=first_fee_date(policy, payable_on, period))
    except (LeaseNotInForce, InvoiceRefused, BadDocument, ValueError) as refusal:
        drafted.problems.append(f"lease {lease.lease_id}: {refusal}")
        return
    if known is not None:
        known.charges |= {(line.kind, line.occurs_on) for line in draft.lines if line.occurs_on}
    drafted.drafts.append(draft)


@lru_cache(maxsize=4096)
def first_fee_date(policy: BillingPolicy, due_on: date, period: tuple[date, date]) -> date | None:
    """The first day on which a late fee is possible, within the law of the place; None where none ever is.

    Remembered, because it is the same for all leases that are due together under one policy.
    """
    return first_fee_on(policy, due_on, profile_of(policy, profiles()), period=period)


def _billed(known: Known | None, period: BillingPeriod) -> Billed:
    if known is None:
        return Billed()
    earlier = sorted(days for days in known.periods if days[0] < period.starts_on)
    periods = [BillingPeriod(*days, period_of(days[0]), period.frequency) for days in earlier]
    return Billed(known.charges, periods)


def _billed_rows(item: Issued) -> list[dict[str, Any]]:
    return [
        {
            "lease_id": item.draft.terms.lease_id,
            "code": line.kind,
            "occurs_on": line.occurs_on,
            "invoice_id": item.invoice_id,
        }
        for line in item.draft.lines
        if line.occurs_on is not None
    ]


def announcement(item: Issued) -> InvoiceCreated:
    """The fact that an invoice was issued."""
    draft, terms = item.draft, item.draft.terms
    return InvoiceCreated(
        invoice_id=item.invoice_id,
        number=item.number,
        lease_id=terms.lease_id,
        account_id=terms.account_id,
        property_id=terms.property_id,
        unit_id=terms.unit_id,
        unit_label=terms.unit_label,
        tenant_ids=terms.tenant_ids,
        period=draft.period.label,
        period_starts_on=draft.period.starts_on,
        period_ends_on=draft.period.ends_on,
        issued_on=draft.issued_on,
        due_on=draft.due_on,
        currency=terms.currency,
        total_cents=draft.total_cents,
        rent_cents=draft.rent_cents,
        first_fee_on=draft.first_fee_on,
        lines=tuple(
            InvoiceLine(
                kind=line.kind,
                description=line.description,
                amount_cents=line.amount_cents,
                formula=line.formula,
            )
            for line in draft.lines
        ),
    )
