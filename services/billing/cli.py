"""`propman billing`: what an operator does with invoices and payments."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from services.billing.domain.invoices import Draft
from services.billing.domain.payments import PaymentRefused
from services.billing.handlers import router
from services.billing.handlers.invoices import ChunkDone, Plan, chunked, draft_chunk, issue_chunk, plan_month
from services.billing.handlers.payments import Booked, InvoiceUnknown
from services.billing.handlers.payments import record_payment as book
from services.billing.settings import Settings
from services.billing.store import InvoiceStore, LeaseStore, PaymentStore
from services.billing.store.invoices import Invoice
from services.billing.store.leases import Candidate
from shared.cli import (
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    LimitOption,
    MonthOption,
    PropertyOption,
    UsageProblem,
    date_option,
    json_wanted,
    print_json,
    print_record,
    print_table,
    progress,
    say,
    service_app,
    success,
    warning,
)
from shared.contracts.scheduler import MonthlyBillingDue
from shared.hosting import open_transactions
from shared.identity import new_id
from shared.messaging.commands import add_messaging_commands
from shared.messaging.transaction import Transactions, command_envelope
from shared.money import BadAmount, format_cents, parse_cents

app = service_app("billing", "Invoices, what is paid on them, and what is still owed.")
add_messaging_commands(app, router)
invoices = app.group("invoices", "Look at invoices.")


@app.command()
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
    async with open_transactions(_settings(), "billing") as transactions:
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
        groups.setdefault((draft.terms.property_id, draft.period, draft.terms.currency), []).append(draft)
    rows = [
        [names.get(place, str(place)), period, len(group), format_cents(_totals(group)[currency], currency)]
        for (place, period, currency), group in groups.items()
    ]
    print_table(["property", "month", "invoices", "total"], rows, empty="No lease is waiting for an invoice.")


@invoices.command("list")
async def list_invoices(
    month: MonthOption = None,
    property_id: PropertyOption = None,
    state: Annotated[str | None, typer.Option("--state", help="open, paid or void.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List invoices, newest first.

    \b
    Examples:
      propman billing invoices list --month 2026-12
      propman billing invoices list --state open --json
    """
    if state not in {None, "open", "paid", "void"}:
        raise UsageProblem(f"{state!r} is not a state.", remedy="Choose open, paid or void.")
    async with (
        open_transactions(_settings(), "billing") as transactions,
        transactions.engine.connect() as connection,
    ):
        found = await InvoiceStore(connection).search(
            period=month, property_id=property_id, state=state, limit=limit
        )
    if as_json:
        print_json([_invoice_json(item) for item in found])
        return
    rows = [
        [
            item.number,
            item.unit_label,
            item.period,
            item.due_on,
            format_cents(item.total_cents, item.currency),
            format_cents(item.balance_cents, item.currency),
            item.state,
        ]
        for item in found
    ]
    print_table(["number", "unit", "month", "due", "total", "open", "state"], rows, empty="No invoices.")


@invoices.command("show")
async def show_invoice(
    invoice: Annotated[str, typer.Argument(help="Its number or its id.")], as_json: JsonOption = False
) -> None:
    r"""Show one invoice with its lines and payments.

    \b
    Example:
      propman billing invoices show INV-2026-000001
    """
    async with (
        open_transactions(_settings(), "billing") as transactions,
        transactions.engine.connect() as connection,
    ):
        found = await InvoiceStore(connection).find(invoice)
        if found is None:
            raise _unknown(invoice)
        lines = await InvoiceStore(connection).lines(found.invoice_id)
        paid = await PaymentStore(connection).of_invoice(found.invoice_id)
    if as_json:
        print_json(_invoice_json(found) | {"lines": lines, "payments": paid})
        return
    money = found.currency
    print_record(
        {
            "invoice": found.number,
            "id": found.invoice_id,
            "unit": found.unit_label,
            "month": found.period,
            "issued on": found.issued_on,
            "due on": found.due_on,
            "state": found.state,
            "total": format_cents(found.total_cents, money),
            "open": format_cents(found.balance_cents, money),
        }
    )
    print_table(
        ["line", "amount"], [[line.description, format_cents(line.amount_cents, money)] for line in lines]
    )
    if paid:
        rows = [
            [item.received_on, item.reference, item.method, format_cents(item.amount_cents, money)]
            for item in paid
        ]
        print_table(["received on", "reference", "method", "amount"], rows)


@app.command()
async def record_payment(
    invoice: Annotated[str, typer.Option("--invoice", help="The invoice's number or id.")],
    amount: Annotated[str, typer.Option("--amount", help="In the invoice's currency, e.g. 1250.00.")],
    reference: Annotated[str, typer.Option("--reference", help="The bank's or your own id; booked once.")],
    received_on: Annotated[
        date | None,
        date_option("--received-on", help="When it was received; by default today, at the property."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="check, transfer, cash, card …")] = "other",
    as_json: JsonOption = False,
) -> None:
    r"""Book a payment on an invoice. The same reference again changes nothing and says so.

    \b
    Example:
      propman billing record-payment --invoice INV-2026-000001 --amount 1250.00 --reference CHK-1041
    """
    try:
        cents = parse_cents(amount)
    except BadAmount as error:
        raise UsageProblem(f"{error}.") from error
    async with open_transactions(_settings(), "billing") as transactions:
        try:
            async with transactions.command("billing.record_payment") as tx:
                booked = await book(
                    tx,
                    reference=reference,
                    invoice=invoice,
                    amount_cents=cents,
                    received_on=received_on,
                    method=method,
                )
        except InvoiceUnknown:
            raise _unknown(invoice) from None
        except PaymentRefused as refusal:
            raise CommandError(f"Not booked: {refusal}.") from refusal
    _report_payment(booked)


def _report_payment(booked: Booked) -> None:
    payment = booked.payment
    if json_wanted():
        print_json(asdict(payment) | {"repeated": booked.repeated, "balance_cents": booked.balance_cents})
    credit = payment.amount_cents - payment.applied_cents
    words = [
        f"{format_cents(payment.amount_cents, payment.currency)} on {booked.invoice_number}",
        f"still open {format_cents(booked.balance_cents, payment.currency)}",
    ]
    if credit:
        words.append(f"kept as credit {format_cents(credit, payment.currency)}")
    success(("Already recorded: " if booked.repeated else "Recorded: ") + ", ".join(words) + ".")


def _invoice_json(invoice: Invoice) -> dict[str, Any]:
    return asdict(invoice) | {"balance_cents": invoice.balance_cents}


def _unknown(invoice: str) -> CommandError:
    return CommandError(f"There is no invoice {invoice!r}.", remedy="See `propman billing invoices list`.")


def _settings() -> Settings:
    return Settings()  # from the environment
