"""`propman billing import-bank`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.billing.domain.bank_statements import (
    COLUMNS,
    DATE_FORMATS,
    BadStatement,
    Statement,
    read_statement,
)
from services.billing.handlers.bank_import import Account, Line, Outcome, import_statement
from services.billing.verbs.database import opened
from shared.cli import (
    App,
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    json_wanted,
    print_json,
    print_table,
    say,
    signed,
    success,
    warning,
)
from shared.messaging.transaction import Transactions
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(import_bank)


class _NotKept(Exception):
    """Carries what would have been done out of a transaction that is taken back."""

    def __init__(self, lines: list[Line]) -> None:
        super().__init__("not kept")
        self.lines = lines


async def import_bank(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The statement, as CSV in UTF-8.")],
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Names of columns, e.g. date=Booked,amount=Sum,text=Purpose."),
    ] = None,
    dates: Annotated[str, typer.Option("--dates", help="iso, mdy (12/31/2026) or dmy (31/12/2026).")] = "iso",
    source: Annotated[str, typer.Option("--source", help="A name for the account at the bank.")] = "bank",
    currency: Annotated[str, typer.Option("--currency", help="Of the account at the bank.")] = "USD",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Book the good lines although others are refused.")
    ] = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Book the payments on a bank's statement: by the invoice number or the lease id that each line names.

    A line that names nothing is listed with the invoices whose open amount it is, and booked by nobody.
    Importing a file twice, or files that overlap, books nothing twice. If a line is refused, nothing at
    all is booked, unless --skip-bad.

    \b
    Examples:
      propman billing import-bank november.csv --dry-run
      propman billing import-bank november.csv --source chase --dates mdy
      propman billing import-bank umsatz.csv --columns "date=Buchung,amount=Betrag,text=Zweck"
    """
    statement = _read(file, columns, dates)
    account = Account(source, currency.upper(), signed(by))
    async with opened() as transactions:
        lines, kept = await _import(transactions, statement, account, keep=not dry_run, skip_bad=skip_bad)
    _report(lines, currency.upper(), dry_run=dry_run, kept=kept)


def _read(file: Path, columns: str | None, dates: str) -> Statement:
    if dates not in DATE_FORMATS:
        raise UsageProblem(
            f"{dates!r} is no order of dates.", remedy=f"Choose one of {', '.join(DATE_FORMATS)}."
        )
    try:
        return read_statement(file.read_bytes(), _columns(columns), dates)
    except BadStatement as error:
        raise UsageProblem(f"{file}: {error}.") from error


def _columns(text: str | None) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(",")] if text else []
    if bad := [name for name, equals, value in pairs if not (name.strip() and equals and value.strip())]:
        raise UsageProblem(
            f"{', '.join(bad) or '--columns'}: no COLUMN=NAME.", remedy=f"Columns are {', '.join(COLUMNS)}."
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


async def _import(
    transactions: Transactions, statement: Statement, account: Account, *, keep: bool, skip_bad: bool
) -> tuple[list[Line], bool]:
    """All of it in one transaction, which is taken back for a dry run and, by default, for a bad line."""
    try:
        async with transactions.command("billing.import_bank") as tx:
            lines = await import_statement(tx, statement, account)
            bad = any(line.outcome is Outcome.REFUSED for line in lines)
            if not keep or (bad and not skip_bad):
                raise _NotKept(lines)
    except _NotKept as found:
        return found.lines, False
    return lines, True


def _report(lines: Sequence[Line], currency: str, *, dry_run: bool, kept: bool) -> None:
    counts = Counter(str(line.outcome) for line in lines)
    taken_back = not kept and not dry_run
    if json_wanted():
        print_json({"dry_run": dry_run, "kept": kept, "counts": counts, "lines": lines})
    else:
        columns = ["line", "date", "amount", "outcome", "why", "text"]
        print_table(
            columns,
            [_row(line, currency, taken_back=taken_back) for line in lines],
            empty="The statement has no lines.",
        )
        for line in lines:
            for suggestion in line.suggestions:
                say(f"Line {line.line} may be meant for {suggestion}; it was not booked.")
    _conclude(counts, dry_run=dry_run, kept=kept)


def _row(line: Line, currency: str, *, taken_back: bool) -> list[Any]:
    """A line of the table; what another line kept from being booked is not called booked."""
    outcome = (
        "not booked" if taken_back and line.outcome in {Outcome.BOOKED, Outcome.RETURNED} else line.outcome
    )
    amount = format_cents(line.amount_cents, currency) if line.on else None
    return [line.line, line.on or None, amount, outcome, line.what, line.text or None]


def _conclude(counts: Counter[str], *, dry_run: bool, kept: bool) -> None:
    refused = counts[Outcome.REFUSED]
    words = (
        f"{counts[Outcome.BOOKED]} booked, {counts[Outcome.RETURNED]} returned,"
        f" {counts[Outcome.KNOWN]} already known, {counts[Outcome.NOT_MATCHED]} not matched"
    )
    if counts[Outcome.NOT_MATCHED]:
        warning("Lines that were not matched are booked by `propman billing record-payment`.")
    if refused and not kept and not dry_run:
        raise CommandError(
            f"{refused} lines are refused, so nothing was booked.",
            remedy="Correct them, or book the others with --skip-bad.",
        )
    if refused:
        raise CommandError(
            f"{words}, {refused} refused{' (dry run, nothing was booked)' if dry_run else ''}."
        )
    success(f"Dry run, nothing was booked: {words}." if dry_run else f"Done: {words}.")
