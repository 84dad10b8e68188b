"""`propman billing generate-monthly-invoices`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from services.billing.domain.invoices import Draft
from services.billing.handlers.issuing import ChunkDone, Drafted, draft_chunk, issue_chunk
from services.billing.handlers.planning import Plan, Request, chunked, plan_invoices
from services.billing.store import LeaseStore
from services.billing.verbs import saved_plans
from services.billing.verbs.database import opened, refuse_unknown_property
from services.billing.verbs.enqueuing import enqueue as enqueue_trigger
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    MonthOption,
    PropertyOption,
    UsageProblem,
    counted,
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

SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="With --dry-run: keep the plan in a file, for --apply."),
]
ApplyOption = Annotated[
    Path | None,
    typer.Option("--apply", metavar="FILE", help="Issue exactly what a saved plan says, or nothing."),
]


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(generate_monthly_invoices)


async def generate_monthly_invoices(
    *,
    month: MonthOption = None,
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    save: SaveOption = None,
    apply: ApplyOption = None,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Issue an invoice for every lease and period: rent, charges, due date.

    With --month every period that begins in that month is billed. Without it, each lease is billed for the
    month it is at its property now, and for what its policy wants invoiced ahead. A period that has its
    invoice is left alone, so the command may be repeated, and may run at the same time as the schedule.

    \b
    Examples:
      propman billing generate-monthly-invoices --dry-run
      propman billing generate-monthly-invoices --month 2026-12
      propman billing generate-monthly-invoices --month 2026-12 --dry-run --save plan.json
      propman billing generate-monthly-invoices --apply plan.json
      propman billing generate-monthly-invoices --month 2026-12 --enqueue
    """
    _refuse_together(
        save=save, apply=apply, dry_run=dry_run, enqueue=enqueue, chosen=bool(month or property_id)
    )
    async with opened() as transactions:
        request = Request(transactions.clock.now(), month, property_id)
        if apply is not None:
            await _apply(transactions, apply)
        elif enqueue:
            chosen = {"period": month, "property_id": property_id, "dry_run": dry_run}
            await enqueue_trigger(transactions, MonthlyBillingDue, **chosen)
        elif dry_run:
            await _dry_run(transactions, request, save)
        else:
            plan = await _plan(transactions, request)
            await _report(transactions, plan, await _issue_all(transactions, plan, request))


async def _apply(transactions: Transactions, file: Path) -> None:
    done = await saved_plans.carry_out(transactions, file)
    if done is None:
        if json_wanted():
            print_json({"already_carried_out": True, "dry_run": False})
        success(f"{file} is already carried out: each of its invoices is there.")
        return
    plan, issued = done
    await _report(transactions, plan, ChunkDone(issued))


def _refuse_together(
    *, save: Path | None, apply: Path | None, dry_run: bool, enqueue: bool, chosen: bool
) -> None:
    if save is not None and (not dry_run or enqueue):
        raise UsageProblem("--save keeps the plan of a dry run.", remedy="Add --dry-run, without --enqueue.")
    if apply is not None and (dry_run or enqueue or chosen):
        raise UsageProblem("--apply takes all it needs from the plan.", remedy="Give it no other option.")


async def _plan(transactions: Transactions, request: Request) -> Plan:
    property_id: UUID | None = request.property_id
    async with transactions.engine.connect() as connection:
        await refuse_unknown_property(connection, property_id)
        return await plan_invoices(connection, request)


async def _issue_all(transactions: Transactions, plan: Plan, request: Request) -> ChunkDone:
    """Chunk by chunk, each in its own transaction: a crash leaves whole chunks behind, and is resumed."""
    total = ChunkDone()
    story = command_envelope("billing.generate_monthly_invoices", new_id())
    with progress(len(plan.to_bill), "Issuing invoices") as bar:
        for chunk in chunked(plan.to_bill):
            async with transactions.begin(story) as tx:
                done = await issue_chunk(tx, [item.key for item in chunk], as_of=request.as_of)
            total.issued += done.issued
            total.skipped += done.skipped
            total.problems += done.problems
            bar.advance(len(chunk))
    return total


async def _dry_run(transactions: Transactions, request: Request, save: Path | None) -> None:
    plan = await _plan(transactions, request)
    total = Drafted()
    async with transactions.engine.connect() as connection:
        for chunk in chunked(plan.to_bill):
            some = await draft_chunk(connection, [item.key for item in chunk], as_of=request.as_of)
            total.drafts += some.drafts
            total.billed += some.billed
            total.problems += some.problems
        names = await LeaseStore(connection).property_names()
    result = Outcome(plan, total.drafts, total.billed, total.problems)
    if save is not None:
        saved_plans.write(save, request, total.drafts)
    if json_wanted():
        print_json(result.summary | {"dry_run": True})
    else:
        _print_by_property(total.drafts, names)
        say(
            f"Dry run: {counted(len(total.drafts), 'invoice')} would be issued,"
            f" {result.already} leases are billed already."
        )
    if save is not None:
        say(f"The plan is in {save}; carry it out with --apply {save}.")
    _fail_on(result.problems)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, or would do."""

    plan: Plan
    drafts: Sequence[Draft]
    skipped: int
    chunk_problems: Sequence[str]

    @property
    def problems(self) -> list[str]:
        """Of planning and of issuing."""
        return [*self.plan.problems, *self.chunk_problems]

    @property
    def already(self) -> int:
        """Periods that have their invoice."""
        return self.plan.billed + self.skipped

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` shows."""
        return {
            "examined": self.plan.examined,
            "created": len(self.drafts),
            "skipped": self.already,
            "failed": len(self.problems),
            "total_cents": _totals(self.drafts),
            "problems": self.problems,
        }


async def _report(transactions: Transactions, plan: Plan, done: ChunkDone) -> None:
    result = Outcome(plan, [item.draft for item in done.issued], done.skipped, done.problems)
    if json_wanted():
        print_json(result.summary | {"dry_run": False})
    elif result.drafts:
        async with transactions.engine.connect() as connection:
            _print_by_property(result.drafts, await LeaseStore(connection).property_names())
    if result.drafts:
        success(
            f"{counted(len(result.drafts), 'invoice')} issued, {result.already} leases were billed already."
        )
    elif not result.problems:
        success(f"Nothing to do: {result.already} leases are billed already.")
    _fail_on(result.problems)


def _fail_on(problems: Sequence[str]) -> None:
    for problem in problems:
        warning(problem)
    if problems:
        raise CommandError(f"{counted(len(problems), 'lease')} could not be billed; that stops no other.")


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
