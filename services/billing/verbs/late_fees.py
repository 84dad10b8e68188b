"""`propman billing apply-late-fees` and `waive-fee`."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from services.billing.domain.waiving import WaiverRefused
from services.billing.handlers.late_fees import Judged, apply_chunk, due_invoices
from services.billing.handlers.payments import InvoiceUnknown
from services.billing.handlers.runs import chunked
from services.billing.handlers.waivers import Waived
from services.billing.handlers.waivers import waive_fee as waive
from services.billing.store import LeaseStore
from services.billing.store.fees import DueInvoice, LateInvoice, NewLine
from services.billing.verbs.amounts import cents_in
from services.billing.verbs.database import changing, opened, refuse_unknown_property, unknown_invoice
from services.billing.verbs.enqueuing import enqueue as enqueue_trigger
from shared.cli import (
    App,
    ByOption,
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    PropertyOption,
    counted,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    signed,
    success,
    warning,
)
from shared.contracts.scheduler import LateFeesDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions, Tx, command_envelope
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give billing's app its commands."""
    app.command()(apply_late_fees)
    app.command()(waive_fee)


async def apply_late_fees(
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Judge overdue invoices: post the late fees and interest that are missing, take back what is not owed.

    Each invoice is judged at the date it is at its property, under the terms it was issued with. The
    command may be repeated, and may run at the same time as the schedule: what is there is not posted
    again. A dry run does all of it and then takes everything back.

    \b
    Examples:
      propman billing apply-late-fees --dry-run
      propman billing apply-late-fees --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman billing apply-late-fees --enqueue
    """
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            await refuse_unknown_property(connection, property_id)
        if enqueue:
            await enqueue_trigger(transactions, LateFeesDue, property_id=property_id, dry_run=dry_run)
            return
        found = await _due(transactions, property_id)
        done = await _judge_all(transactions, found, dry_run=dry_run)
        names = await _names(transactions)
    _report(found, done, names, dry_run=dry_run)


async def _due(transactions: Transactions, property_id: UUID | None) -> list[DueInvoice]:
    async with transactions.engine.connect() as connection:
        as_of: datetime = transactions.clock.now()
        return await due_invoices(connection, as_of, property_id=property_id)


async def _names(transactions: Transactions) -> dict[UUID, str]:
    async with transactions.engine.connect() as connection:
        return await LeaseStore(connection).property_names()


async def _judge_all(
    transactions: Transactions, found: Sequence[DueInvoice], *, dry_run: bool
) -> list[Judged]:
    """Chunk by chunk, each in its own transaction: a crash leaves whole chunks behind, and is resumed."""
    done: list[Judged] = []
    with progress(len(found), "Judging invoices") as bar:
        for chunk in chunked(found):
            async with _transaction(transactions, dry_run=dry_run) as tx:
                done.append(await apply_chunk(tx, {item.invoice_id: item.on for item in chunk}))
            bar.advance(len(chunk))
    return done


@asynccontextmanager
async def _transaction(transactions: Transactions, *, dry_run: bool) -> AsyncIterator[Tx]:
    """A transaction of the run; that of a dry run is never committed, and what it emits is never written."""
    story = command_envelope("billing.apply_late_fees", new_id())
    if not dry_run:
        async with transactions.begin(story) as tx:
            yield tx
        return
    async with transactions.engine.connect() as connection:
        yield Tx(connection, at=transactions.clock.now(), cause=story)


def _report(
    found: Sequence[DueInvoice], done: Sequence[Judged], names: dict[UUID, str], *, dry_run: bool
) -> None:
    posted = [new for judged in done for new in judged.posted]
    overdue = [invoice for judged in done for invoice in judged.overdue]
    problems = [problem for judged in done for problem in judged.problems]
    if json_wanted():
        print_json(_summary(found, posted, overdue, problems) | {"dry_run": dry_run})
    else:
        _print_by_property(posted, overdue, names)
    would = "would be " if dry_run else ""
    if posted or overdue:
        lines, invoices = counted(len(posted), "line"), counted(len(overdue), "invoice")
        words = f"{lines} {would}posted, {invoices} {would}marked overdue."
        (say if dry_run else success)(f"Dry run: {words}" if dry_run else words)
    elif not problems:
        (say if dry_run else success)(f"Nothing to do: {len(found)} invoices were due for a look.")
    for problem in problems:
        warning(problem)
    if problems:
        raise CommandError(f"{counted(len(problems), 'invoice')} could not be judged; the others were.")


def _summary(
    found: Sequence[DueInvoice],
    posted: Sequence[NewLine],
    overdue: Sequence[LateInvoice],
    problems: Sequence[str],
) -> dict[str, Any]:
    totals: Counter[str] = Counter()
    for new in posted:
        totals[new.invoice.currency] += new.line.amount_cents
    return {
        "examined": len(found),
        "posted": len(posted),
        "overdue": [invoice.number for invoice in overdue],
        "failed": len(problems),
        "total_cents": totals,
        "lines": [
            {
                "invoice": new.invoice.number,
                "kind": new.line.kind,
                "rule": new.line.rule,
                "on": new.line.counts_on,
                "amount_cents": new.line.amount_cents,
                "formula": new.line.formula,
            }
            for new in posted
        ],
        "problems": list(problems),
    }


def _print_by_property(
    posted: Sequence[NewLine], overdue: Sequence[LateInvoice], names: dict[UUID, str]
) -> None:
    groups: defaultdict[tuple[UUID, str], list[NewLine]] = defaultdict(list)
    late: Counter[tuple[UUID, str]] = Counter()
    for new in posted:
        groups[new.invoice.property_id, new.invoice.currency].append(new)
    for invoice in overdue:
        late[invoice.property_id, invoice.currency] += 1
    rows = []
    for place, currency in sorted({*groups, *late}, key=lambda key: names.get(key[0], "")):
        lines = groups[place, currency]
        charged = sum(new.line.amount_cents for new in lines if new.line.amount_cents > 0)
        taken_back = sum(new.line.amount_cents for new in lines if new.line.amount_cents < 0)
        rows.append(
            [
                names.get(place, str(place)),
                late[place, currency],
                len(lines),
                format_cents(charged, currency),
                format_cents(taken_back, currency),
            ]
        )
    columns = ["property", "newly overdue", "lines", "charged", "taken back"]
    print_table(columns, rows, empty="No invoice owes anything new for being late.")


async def waive_fee(
    invoice: Annotated[str, typer.Argument(help="Its number or its id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words; tenants are told.")],
    amount: Annotated[
        str | None, typer.Option("--amount", help="So much of the late fees; without it all, and interest.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Let late fees go. Fee and waiver both stay in history, and no later run charges them again.

    What had been paid of them is free again, and becomes credit.

    \b
    Examples:
      propman billing waive-fee INV-2026-000001 --reason "First time late"
      propman billing waive-fee INV-2026-000001 --amount 25.00 --reason "Agreed by phone" --dry-run
    """
    cents = None if amount is None else cents_in(amount)
    try:
        async with changing("billing.waive_fee", dry_run=dry_run) as tx:
            waived = await waive(tx, invoice, amount_cents=cents, by=signed(by), reason=reason)
    except InvoiceUnknown:
        raise unknown_invoice(invoice) from None
    except WaiverRefused as refusal:
        raise CommandError(f"Not waived: {refusal}.") from refusal
    _report_waiver(waived, dry_run=dry_run)


def _report_waiver(waived: Waived, *, dry_run: bool) -> None:
    if json_wanted():
        print_json(asdict(waived) | {"dry_run": dry_run})
    money = waived.currency
    words = [
        f"{format_cents(waived.waived_cents, money)} waived on {waived.number}",
        f"still open {format_cents(waived.balance_cents, money)}",
    ]
    if waived.credit_cents:
        words.append(f"freed as credit {format_cents(waived.credit_cents, money)}")
    if dry_run:
        say(f"Dry run, nothing was waived. It would be: {', '.join(words)}.")
    else:
        success(", ".join(words) + ".")
