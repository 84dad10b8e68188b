"""`propman leasing import`, `export-template` and `republish`."""

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from services.leasing import handlers
from services.leasing.domain.portfolio import COLUMNS, Portfolio, Problem, UnreadableFile, read_portfolio
from services.leasing.handlers import ImportOutcome
from services.leasing.settings import Settings
from services.leasing.store import leases as store
from services.leasing.verbs.database import changing, reading
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    print_json,
    print_table,
    progress,
    success,
    warning,
)
from shared.clock import zone
from shared.hosting import open_transactions

STANDARD_INPUT: Final = "-"

_SAMPLES: Final = (
    (
        *(
            "Cedar House",
            "12 Cedar Street, Albany NY",
            "America/New_York",
            "42.6526",
            "-73.7562",
            "USD",
            "1A",
        ),
        *("Ann Lee", "ann.lee@example.com", "+1 518 555 0100", "en", "email"),
        *("1250.00", "1", "2026-01-01", "2036-12-31", "pet_rent:Pet rent:35.00;parking:Parking:50.00"),
    ),
    (
        *("Cedar House", "", "", "", "", "", "1B"),
        *("Luis Ortega", "luis@example.com", "+1 518 555 0101", "es", "sms"),
        *("1180.00", "5", "2026-03-15", "", ""),
    ),
)


def export_template() -> None:
    """Print a sample file to fill in: the header and two leases of one property."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_SAMPLES)


async def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="One row per lease, UTF-8; - reads standard input.")
    ],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Keep the good rows of a bad file.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Add the leases of a file, with the properties, units and tenants they mention first.

    Properties are recognised by name, tenants by e-mail address; what is stored already stays as it is, so
    the same file may be imported again. Nothing of a file with a bad row is kept, unless --skip-bad.

    \b
    Examples:
      propman leasing export-template > portfolio.csv
      propman leasing import portfolio.csv --dry-run
      docker compose exec -T leasing propman leasing import - < portfolio.csv
    """
    portfolio = _read(file)
    halt = bool(portfolio.problems) and not skip_bad
    async with changing("import") as tx:
        outcome = await handlers.import_portfolio(
            tx, portfolio.rows, skip_bad=skip_bad, dry_run=dry_run or halt
        )
    problems = sorted([*portfolio.problems, *outcome.problems], key=lambda problem: problem.line)
    if as_json:
        print_json(_document(outcome, problems, dry_run=dry_run))
    else:
        _tell(outcome, problems, dry_run=dry_run)
    if problems:
        raise _verdict(problems, outcome, skip_bad=skip_bad, dry_run=dry_run)


async def republish(dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Say again how all properties, tenants and leases are, for a consumer that was added later.

    Versions stay as they are, so whoever has them ignores it. The facts leave while the service runs.
    """
    async with reading() as connection:
        totals = await store.count_all(connection)
    if not dry_run:
        async with open_transactions(Settings(), "leasing") as transactions:
            with progress(sum(totals.values()), "Publishing again") as bar:
                for say_again in handlers.REPUBLISHED.values():
                    after, more = None, True
                    while more:
                        async with transactions.command("leasing.republish") as tx:
                            page = await say_again(tx, after)
                        after, more = page.last, page.last is not None
                        bar.advance(page.count)
    if as_json:
        print_json(totals | {"dry_run": dry_run})
    else:
        verb = "would be" if dry_run else "are"
        success(f"{_counted(totals)} {verb} published again.")


def add_to(app: App) -> None:
    """Offer these verbs right under `propman leasing`."""
    app.command("import")(import_file)
    app.command("export-template")(export_template)
    app.command("republish")(republish)


def _read(file: Path) -> Portfolio:
    try:
        data = sys.stdin.buffer.read() if str(file) == STANDARD_INPUT else file.read_bytes()
        return read_portfolio(data, zone)
    except UnreadableFile as refusal:
        remedy = "`propman leasing export-template` prints a sample."
        raise UsageProblem(f"{file}: {refusal}.", remedy=remedy) from refusal


def _added(outcome: ImportOutcome) -> dict[str, int]:
    return {name: getattr(outcome, name) for name in ("properties", "units", "tenants", "leases")}


def _document(outcome: ImportOutcome, problems: list[Problem], *, dry_run: bool) -> dict[str, object]:
    return {
        "saved": outcome.saved,
        "dry_run": dry_run,
        "added": _added(outcome) if outcome.saved or dry_run else dict.fromkeys(_added(outcome), 0),
        "already_there": outcome.already_there,
        "kept_as_stored": list(outcome.kept_as_stored),
        "problems": [asdict(problem) for problem in problems],
    }


def _tell(outcome: ImportOutcome, problems: list[Problem], *, dry_run: bool) -> None:
    if problems:
        print_table(
            ["Line", "Column", "Reason"], [[item.line, item.column, item.reason] for item in problems]
        )
    if outcome.kept_as_stored:
        lines = ", ".join(map(str, outcome.kept_as_stored[:20]))
        warning(f"Stored with other terms, and kept so: line {lines}. Use `propman leasing leases change`.")
    already = f" {outcome.already_there} leases are there already." if outcome.already_there else ""
    if dry_run:
        success(f"Dry run: {_counted(_added(outcome))} would be added.{already}")
    elif outcome.saved and outcome.leases:
        success(f"Added {_counted(_added(outcome))}.{already}")
    elif outcome.saved:
        success(f"Nothing to add.{already}")


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def _verdict(
    problems: list[Problem], outcome: ImportOutcome, *, skip_bad: bool, dry_run: bool
) -> CommandError:
    bad = len({problem.line for problem in problems})
    rows = "1 row is bad" if bad == 1 else f"{bad} rows are bad"
    if dry_run:
        return CommandError(f"{rows}.")
    if skip_bad:
        return CommandError(f"{rows}; the others were kept ({outcome.leases} leases added).")
    return CommandError(
        f"{rows}; nothing was kept.", remedy="Correct the file, or keep the good rows with --skip-bad."
    )
