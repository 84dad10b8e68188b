"""`propman billing send-payment-reminders` and `explain reminder`."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final

import typer

from services.billing.domain.reminder_groups import in_chunks
from services.billing.domain.reminders import Why
from services.billing.handlers.reminder_explaining import Explained, explain_reminders
from services.billing.handlers.reminders import (
    Reminded,
    Verdict,
    decide_chunk,
    plan_reminders,
    remind_chunk,
    stages_asked_for,
)
from services.billing.handlers.runs import CHUNK
from services.billing.store import InvoiceStore
from services.billing.store.reminders import DueReminder
from services.billing.verbs.database import opened, refuse_unknown_property, unknown_invoice
from services.billing.verbs.enqueuing import enqueue as enqueue_trigger
from services.billing.verbs.explaining import app as explaining
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    PropertyOption,
    counted,
    date_option,
    json_wanted,
    print_json,
    print_record,
    print_table,
    progress,
    say,
    success,
    warning,
)
from shared.contracts.scheduler import PaymentRemindersDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions, command_envelope
from shared.money import format_cents

DaysBeforeOption = Annotated[
    int | None,
    typer.Option("--days-before", min=0, max=60, help="This stage before the due date, not the policies'."),
]
DaysAfterOption = Annotated[
    int | None,
    typer.Option("--days-after", min=0, max=365, help="This stage after the due date, not the policies'."),
]


def add_to(app: App) -> None:
    """Give billing's app its commands."""
    app.command()(send_payment_reminders)
    explaining.command("reminder")(explain_reminder)


async def send_payment_reminders(
    days_before: DaysBeforeOption = None,
    days_after: DaysAfterOption = None,
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Remind tenants of what is due soon and of what is overdue, at the date it is at each property.

    Each policy says on which days (by default 3 and 1 days before, 1, 7 and 30 days after the due date);
    --days-before and --days-after ask for others. A stage is said once, whoever asks how often; several
    that were missed become one of the latest; a tenant gets one message a day.

    \b
    Examples:
      propman billing send-payment-reminders --dry-run
      propman billing send-payment-reminders --days-before 5 --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman billing send-payment-reminders --enqueue
    """
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            await refuse_unknown_property(connection, property_id)
        if enqueue:
            chosen = {"property_id": property_id, "days_before": days_before, "days_after": days_after}
            await enqueue_trigger(transactions, PaymentRemindersDue, **chosen, dry_run=dry_run)
            return
        stages = stages_asked_for(days_before, days_after)
        async with transactions.engine.connect() as connection:
            as_of = transactions.clock.now()
            found = await plan_reminders(connection, as_of, property_id=property_id, stages=stages)
        done = await _work(transactions, found, stages, dry_run=dry_run)
    _report(found, done, dry_run=dry_run)


async def explain_reminder(
    invoice: Annotated[str, typer.Argument(help="The invoice's number or id.")],
    on: Annotated[date | None, date_option("--on", help="As of this day; by default today, there.")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say which reminders of an invoice were sent, which are to come, and why not, if not.

    \b
    Examples:
      propman billing explain reminder INV-2026-000001
      propman billing explain reminder INV-2026-000001 --on 2026-12-08 --json
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        found = await InvoiceStore(connection).find(invoice)
        if found is None:
            raise unknown_invoice(invoice)
        told = await explain_reminders(connection, found.invoice_id, on=on, at=transactions.clock.now())
    _show(told)


LEFT_OUT: Final[dict[Why, str]] = {
    "say": "to be reminded",
    "waiting": "whose day has not come, or has passed",
    "nothing_left": "of which everything was said",
    "void": "void",
    "paid": "paid",
    "held": "held",
    "charge_under_way": "being charged",
    "told_today": "whose tenants were told today already",
}
"""Why nobody is reminded of an invoice that was looked at."""


async def _work(
    transactions: Transactions, found: Sequence[DueReminder], stages: Sequence[int] | None, *, dry_run: bool
) -> list[Reminded]:
    """Chunk by chunk, each in its own transaction: a crash leaves whole chunks behind, and is resumed."""
    done: list[Reminded] = []
    story = command_envelope("billing.send_payment_reminders", new_id())
    with progress(len(found), "Deciding reminders") as bar:
        for chunk in in_chunks(found, CHUNK):
            wanted = {item.invoice_id: item.on for item in chunk}
            if dry_run:
                async with transactions.engine.connect() as connection:
                    done.append(await decide_chunk(connection, wanted, stages=stages))
            else:
                async with transactions.begin(story) as tx:
                    done.append(await remind_chunk(tx, wanted, stages=stages))
            bar.advance(len(chunk))
    return done


def _report(found: Sequence[DueReminder], done: Sequence[Reminded], *, dry_run: bool) -> None:
    said = [verdict for chunk in done for verdict in chunk.said]
    messages = sum(len(chunk.messages) for chunk in done)
    problems = [problem for chunk in done for problem in chunk.problems]
    left_out = Counter(
        item.decision.why for chunk in done for item in chunk.verdicts if item.decision.say is None
    )
    if json_wanted():
        counts = {"examined": len(found), "reminded": len(said), "messages": messages}
        lists = {"reminders": [_json(item) for item in said], "problems": problems, "left_out": left_out}
        print_json(counts | {"failed": len(problems)} | lists | {"dry_run": dry_run})
    else:
        columns = ["invoice", "due", "stage", "open", "for", "first possible fee"]
        print_table(columns, [_row(item) for item in said], empty="Nobody is to be reminded today.")
    if dry_run:
        say(f"Dry run: {counted(messages, 'reminder')} of {counted(len(said), 'invoice')} would be sent.")
    elif said:
        success(f"On the way: {counted(messages, 'reminder')} of {counted(len(said), 'invoice')}.")
    elif not problems:
        success("Nothing to do: nobody is to be reminded today.")
    if left_out:
        reasons = ", ".join(f"{number} {LEFT_OUT[why]}" for why, number in left_out.most_common())
        say(f"Left out: {reasons}. See `propman billing explain reminder INVOICE`.")
    for problem in problems:
        warning(problem)
    if problems:
        raise CommandError(f"{counted(len(problems), 'invoice')} could not be decided; the others were.")


def _row(verdict: Verdict) -> list[object]:
    invoice = verdict.invoice
    owed = format_cents(invoice.balance_cents, invoice.currency)
    people = "autopay" if verdict.charge_on else counted(len(invoice.tenant_ids), "tenant")
    return [invoice.number, invoice.due_on, f"{verdict.decision.say:+d}", owed, people, verdict.first_fee_on]


def _json(verdict: Verdict) -> dict[str, Any]:
    invoice = verdict.invoice
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "on": verdict.on,
        "due_on": invoice.due_on,
        "stage": verdict.decision.say,
        "collapsed": [item.stage for item in verdict.decision.stages if item.outcome == "collapsed"],
        "balance_cents": invoice.balance_cents,
        "currency": invoice.currency,
        "tenant_ids": invoice.tenant_ids,
        "charge_on": verdict.charge_on,
        "first_fee_on": verdict.first_fee_on,
    }


def _show(told: Explained) -> None:
    if json_wanted():
        print_json(told)
        return
    print_record({"invoice": told.number, "due on": told.due_on, "on": told.on, "answer": told.answer})
    rows = [[item.due_on, f"{item.stage:+d}", item.day, item.state, item.reason] for item in told.stages]
    print_table(["due", "stage", "day", "state", "why"], rows, empty="Its policy has no reminders.")
