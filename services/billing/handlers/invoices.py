"""A month's invoices: planned, split into chunks, issued. The command line calls the same functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.invoices import Draft, InvoiceRules, LeaseNotInForce, draft_invoice
from services.billing.domain.periods import first_day, last_day, month, period_of
from services.billing.store import InvoiceStore, LeaseStore, RunStore
from services.billing.store.invoices import Issued
from services.billing.store.leases import Candidate, Month
from services.billing.store.runs import Run
from shared.clock import local_date
from shared.contracts.billing import InvoiceCreated, InvoiceLine, IssueInvoices, LeaseToBill
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

CHUNK: Final = 500
"""How many leases one command bills: enough for set-based SQL, few enough to share among replicas."""

router = Router("billing")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which leases a month's run is about."""

    to_bill: tuple[Candidate, ...]
    billed: int
    """Leases in force that have their invoice already."""

    @property
    def examined(self) -> int:
        """All leases in force."""
        return len(self.to_bill) + self.billed


@dataclass(slots=True)
class ChunkDone:
    """What came of one chunk."""

    issued: list[Issued] = field(default_factory=list)
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


@router.on(MonthlyBillingDue)
async def request_invoices(due: MonthlyBillingDue, tx: Tx) -> None:
    """Split the month's work into chunks, so that replicas share it and a crash resumes where it stood."""
    plan = await plan_month(tx.connection, due.as_of, period=due.period, property_id=due.property_id)
    wanted = () if due.dry_run else plan.to_bill
    chunks = chunked(wanted)
    run = Run(
        run_id=due.occurrence_id,
        trigger=due.topic,
        as_of=due.as_of,
        chunks_expected=len(chunks),
        examined=plan.examined,
        skipped=plan.billed,
        started_at=tx.at,
        finished_at=None if chunks else tx.at,
    )
    if not await RunStore(tx.connection).open(run):
        return
    for number, chunk in enumerate(chunks):
        leases = tuple(LeaseToBill(lease_id=item.lease_id, period=item.period) for item in chunk)
        tx.emit(IssueInvoices(run_id=run.run_id, chunk=number, as_of=due.as_of, leases=leases))
    if run.finished:
        tx.emit(outcome_of(run, tx.at))


@router.on(IssueInvoices, prefetch=2)
async def issue_invoices(command: IssueInvoices, tx: Tx) -> None:
    """Bill one chunk; the chunk that completes the run reports its outcome, once."""
    wanted = [(item.lease_id, item.period) for item in command.leases]
    done = await issue_chunk(tx, wanted, as_of=command.as_of)
    run = await RunStore(tx.connection).finish_chunk(
        command.run_id, created=len(done.issued), skipped=done.skipped, problems=done.problems, at=tx.at
    )
    if run is not None and run.finished:
        tx.emit(outcome_of(run, tx.at))


def chunked(wanted: Sequence[Candidate]) -> list[Sequence[Candidate]]:
    """The work in pieces of `CHUNK`."""
    return [wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK)]


async def plan_month(
    connection: AsyncConnection, as_of: datetime, *, period: str | None, property_id: UUID | None
) -> Plan:
    """The leases to bill: for `period`, or for the month it is at each property at `as_of`."""
    store = LeaseStore(connection)
    months = [_month(name, as_of, period) for name in await store.time_zones()]
    found = await store.candidates(months, property_id) if months else []
    to_bill = tuple(item for item in found if not item.billed)
    return Plan(to_bill, billed=len(found) - len(to_bill))


def _month(time_zone: str, as_of: datetime, period: str | None) -> Month:
    chosen = period or period_of(local_date(as_of, time_zone))
    return Month(time_zone, chosen, first_day(chosen), last_day(chosen))


async def draft_chunk(
    connection: AsyncConnection, wanted: Sequence[tuple[UUID, str]], *, as_of: datetime
) -> tuple[list[Draft], list[str]]:
    """The invoices of these leases and months, and the reasons of those that cannot be drafted."""
    terms = await LeaseStore(connection).terms([lease_id for lease_id, _ in wanted])
    drafts: list[Draft] = []
    problems: list[str] = []
    for lease_id, period in wanted:
        lease = terms.get(lease_id)
        try:
            if lease is None:
                problems.append(f"lease {lease_id}: unknown to billing")
            else:
                today = local_date(as_of, lease.time_zone)
                drafts.append(draft_invoice(lease, month(period), InvoiceRules(), issued_on=today))
        except (LeaseNotInForce, ValueError) as refusal:
            problems.append(f"lease {lease_id}: {refusal}")
    return drafts, problems


async def issue_chunk(tx: Tx, wanted: Sequence[tuple[UUID, str]], *, as_of: datetime) -> ChunkDone:
    """Issue the invoices of a chunk and announce each; what is billed meanwhile is skipped."""
    drafts, problems = await draft_chunk(tx.connection, wanted, as_of=as_of)
    issued = await InvoiceStore(tx.connection).add(drafts, tx.at)
    tx.emit(*(announcement(item) for item in issued))
    return ChunkDone(issued, skipped=len(drafts) - len(issued), problems=problems)


def announcement(item: Issued) -> InvoiceCreated:
    """The fact that an invoice was issued."""
    draft, terms = item.draft, item.draft.terms
    return InvoiceCreated(
        invoice_id=item.invoice_id,
        number=item.number,
        lease_id=terms.lease_id,
        property_id=terms.property_id,
        unit_id=terms.unit_id,
        unit_label=terms.unit_label,
        tenant_ids=terms.tenant_ids,
        period=draft.period.label,
        issued_on=draft.issued_on,
        due_on=draft.due_on,
        currency=terms.currency,
        total_cents=draft.total_cents,
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


def outcome_of(run: Run, at: datetime) -> TriggerOutcome:
    """What the scheduler is told when a run is complete."""
    state = "succeeded" if run.failed == 0 else "partial" if run.created or run.skipped else "failed"
    return TriggerOutcome(
        occurrence_id=run.run_id,
        trigger=run.trigger,
        consumer="billing",
        state=state,
        counts=run.counts,
        problems=run.problems,
        finished_at=at,
    )
