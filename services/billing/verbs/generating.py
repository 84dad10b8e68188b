"""`propman billing generate-monthly-invoices`."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.billing.domain.invoices import Draft
from services.billing.handlers.invoices import ChunkDone, Plan, chunked, draft_chunk, issue_chunk, plan_month
from services.billing.store import LeaseStore
from services.billing.store.leases import Candidate
from services.billing.verbs.database import opened
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    MonthOption,
    PropertyOption,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    success,
    warning,
)
from shared.contracts.scheduler import MonthlyBillingDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions, command_envelope
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(generate_monthly_invoices)


async def generate_monthly_invoices(
    month: MonthOption = None,
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Issue one invoice per active lease for a month: rent, recurring charges, due date.

    Without --month each lease is billed for the month it is at its property now. A lease that has its
    invoice is left alone, so the command may be repeated, and may run at the same time as the schedule.

    \b
    Examples:
      propman billing generate-monthly-invoices --dry-run
      propman billing generate-monthly-invoices --month 2026-12
      propman billing generate-monthly-invoices --month 2026-12 --enqueue
    """
    async with opened() as transactions:
        if enqueue:
            await _enqueue(transactions, month, property_id, dry_run=dry_run)
            return
        as_of = transactions.clock.now()
        plan = await _plan(transactions, as_of, month, property_id)
        if dry_run:
            await _show_dry_run(transactions, plan, as_of)
            return
        done = await _issue_all(transactions, plan, as_of)
        await _report(transactions, plan, done)


async def _enqueue(
    transactions: Transactions, month: str | None, property_id: UUID | None, *, dry_run: bool
) -> None:
    occurrence = new_id()
    async with transactions.begin(command_envelope("billing.enqueue", occurrence)) as tx:
        due = MonthlyBillingDue(
            occurrence_id=occurrence,
            schedule_key="billing-command",
            as_of=tx.at,
            origin="manual",
            period=month,
            property_id=property_id,
            dry_run=dry_run,
        )
        tx.emit(due, message_id=occurrence)
    if json_wanted():
        print_json({"occurrence_id": occurrence, "enqueued": True})
    success(f"MonthlyBillingDue is enqueued as {occurrence}; the running billing service does the rest.")


async def _plan(
    transactions: Transactions, as_of: datetime, month: str | None, property_id: UUID | None
) -> Plan:
    async with transactions.engine.connect() as connection:
        if property_id is not None and await LeaseStore(connection).property_named(property_id) is None:
            raise CommandError(
                f"Billing knows no property {property_id}.", remedy="See `propman leasing properties list`."
            )
        return await plan_month(connection, as_of, period=month, property_id=property_id)


async def _issue_all(transactions: Transactions, plan: Plan, as_of: datetime) -> ChunkDone:
    """Chunk by chunk, each in its own transaction: a crash leaves whole chunks behind, and is resumed."""
    total = ChunkDone()
    story = command_envelope("billing.generate_monthly_invoices", new_id())
    with progress(len(plan.to_bill), "Issuing invoices") as bar:
        for chunk in chunked(plan.to_bill):
            async with transactions.begin(story) as tx:
                done = await issue_chunk(tx, _wanted(chunk), as_of=as_of)
            total.issued += done.issued
            total.skipped += done.skipped
            total.problems += done.problems
            bar.advance(len(chunk))
    return total


def _wanted(candidates: Sequence[Candidate]) -> list[tuple[UUID, str]]:
    return [(item.lease_id, item.period) for item in candidates]


async def _show_dry_run(transactions: Transactions, plan: Plan, as_of: datetime) -> None:
    drafts: list[Draft] = []
    problems: list[str] = []
    async with transactions.engine.connect() as connection:
        for chunk in chunked(plan.to_bill):
            found, wrong = await draft_chunk(connection, _wanted(chunk), as_of=as_of)
            drafts += found
            problems += wrong
        names = await LeaseStore(connection).property_names()
    if json_wanted():
        print_json(_summary(plan, drafts, skipped=0, problems=problems) | {"dry_run": True})
    else:
        _print_by_property(drafts, names)
        say(f"Dry run: {len(drafts)} invoices would be issued, {plan.billed} leases are billed already.")
    _fail_on(problems)


async def _report(transactions: Transactions, plan: Plan, done: ChunkDone) -> None:
    drafts = [item.draft for item in done.issued]
    if json_wanted():
        print_json(_summary(plan, drafts, skipped=done.skipped, problems=done.problems) | {"dry_run": False})
    elif drafts:
        async with transactions.engine.connect() as connection:
            _print_by_property(drafts, await LeaseStore(connection).property_names())
    already = plan.billed + done.skipped
    if drafts:
        success(f"{len(drafts)} invoices issued, {already} leases were billed already.")
    elif not done.problems:
        success(f"Nothing to do: {already} leases are billed already.")
    _fail_on(done.problems)


def _fail_on(problems: Sequence[str]) -> None:
    for problem in problems:
        warning(problem)
    if problems:
        raise CommandError(f"{len(problems)} leases could not be billed; the others were.")


def _summary(plan: Plan, drafts: Sequence[Draft], *, skipped: int, problems: Sequence[str]) -> dict[str, Any]:
    return {
        "examined": plan.examined,
        "created": len(drafts),
        "skipped": plan.billed + skipped,
        "failed": len(problems),
        "total_cents": _totals(drafts),
        "problems": list(problems),
    }


def _totals(drafts: Sequence[Draft]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for draft in drafts:
        totals[draft.terms.currency] += draft.total_cents
    return totals


def _print_by_property(drafts: Sequence[Draft], names: dict[UUID, str]) -> None:
    groups: dict[tuple[UUID, str, str], list[Draft]] = {}
    for draft in drafts:
        groups.setdefault((draft.terms.property_id, draft.period.label, draft.terms.currency), []).append(
            draft
        )
    rows = [
        [names.get(place, str(place)), period, len(group), format_cents(_totals(group)[currency], currency)]
        for (place, period, currency), group in groups.items()
    ]
    print_table(["property", "month", "invoices", "total"], rows, empty="No lease is waiting for an invoice.")
