"""`propman billing void`."""

from typing import Annotated

import typer

from services.billing.handlers.issuing import ChunkDone
from services.billing.handlers.payments import InvoiceUnknown
from services.billing.handlers.voiding import Voided, issue_again, void_invoice
from services.billing.verbs.database import changing, unknown_invoice
from shared.cli import (
    App,
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    json_wanted,
    print_json,
    say,
    signed,
    success,
)
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(void)


async def void(
    invoice: Annotated[str, typer.Argument(help="Its number or its id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the tenants are told, and it is kept.")],
    reissue: Annotated[
        bool, typer.Option("--reissue", help="Bill its period anew, under the terms as they are now.")
    ] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Void an invoice: it no longer counts, and its number is never used again.

    What was paid on it becomes credit, which pays what else is open and then the next invoice. The schedule
    does not bill the period again by itself; --reissue does, or generate-monthly-invoices with its month.

    \b
    Examples:
      propman billing void INV-2026-000012 --reason "Wrong rent" --dry-run
      propman billing void INV-2026-000012 --reason "Wrong rent" --reissue
    """
    if not reason.strip():
        raise UsageProblem("--reason is empty.", remedy="Say why, in a few words.")
    try:
        async with changing("billing.void", dry_run=dry_run) as tx:
            voided = await void_invoice(tx, invoice, reason=reason.strip(), by=signed(by))
            again = await issue_again(tx, voided) if reissue else ChunkDone()
    except InvoiceUnknown:
        raise unknown_invoice(invoice) from None
    _report(voided, again, reissue=reissue, dry_run=dry_run)


def _report(voided: Voided, again: ChunkDone, *, reissue: bool, dry_run: bool) -> None:
    found = voided.invoice
    numbers = [item.number for item in again.issued]
    if json_wanted():
        print_json(
            {
                "invoice": found.number,
                "repeated": voided.repeated,
                "released_cents": 0 if voided.repeated else found.paid_cents,
                "reissued_as": numbers[0] if numbers else None,
                "dry_run": dry_run,
            }
        )
    if voided.repeated:
        success(f"{found.number} was void already.")
    else:
        freed = f"; {format_cents(found.paid_cents, found.currency)} of it had been paid" * bool(
            found.paid_cents
        )
        success(f"{found.number} is void{freed}.")
    for item in again.issued:
        total = format_cents(item.draft.total_cents, item.draft.terms.currency)
        success(f"{item.number} takes its place: {total}, due on {item.draft.due_on}.")
    if dry_run:
        say("Dry run: nothing was written.")
    if reissue and not numbers:
        _not_again(again)


def _not_again(again: ChunkDone) -> None:
    if again.problems:
        raise CommandError(f"It was not billed again: {again.problems[0]}.")
    say("Its period has another invoice already.")
