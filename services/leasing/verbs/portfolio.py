"""`propman leasing import`, `export`, `export-template` and `republish`."""

import csv
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from services.leasing import handlers
from services.leasing.domain.portfolio import COLUMNS, Portfolio, Problem, UnreadableFile, read_portfolio
from services.leasing.domain.portfolio_writing import rows_of
from services.leasing.handlers import ImportOutcome
from services.leasing.settings import Settings
from services.leasing.store import leases as store
from services.leasing.store import properties as property_store
from services.leasing.store import tenants as tenant_store
from services.leasing.verbs.database import changing, reading
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    JsonOption,
    PropertyOption,
    UsageProblem,
    counted,
    print_json,
    print_table,
    progress,
    success,
    warning,
)
from shared.clock import zone
from shared.hosting import open_transactions

STANDARD_INPUT: Final = "-"
_ONE: Final = {"properties": "property", "units": "unit", "tenants": "tenant", "leases": "lease"}
ALL: Final = 2**31 - 1
"""More than there is of anything."""

_SAMPLES: Final[tuple[Mapping[str, str], ...]] = (
    {
        "property": "Cedar House",
        "address": "12 Cedar Street, Albany NY",
        "time_zone": "America/New_York",
        "latitude": "42.6526",
        "longitude": "-73.7562",
        "currency": "USD",
        "unit": "1A",
        "tenant_name": "Ann Lee",
        "tenant_email": "ann.lee@example.com",
        "tenant_phone": "+1 518 555 0100",
        "locale": "en",
        "channel": "email",
        "rent": "1250.00",
        "due_day": "1",
        "starts_on": "2026-01-01",
        "ends_on": "2026-12-31",
        "charges": "pet_rent:Pet rent:35.00;boiler:Boiler inspection:120.00:annual:2026-03-01;"
        "parking:Parking:50.00:monthly:2026-04-01:2026-09-30",
        "rent_changes": "2026-07-01:1290.00",
        "free_months": "2026-02",
        "rolls_over": "yes",
    },
    {
        "property": "Cedar House",
        "unit": "1A",
        "tenant_name": "Noor Haddad",
        "tenant_email": "noor@example.com",
        "starts_on": "2026-01-01",
    },
    {
        "property": "Cedar House",
        "unit": "1B",
        "tenant_name": "Luis Ortega",
        "tenant_email": "luis@example.com",
        "tenant_phone": "+1 518 555 0101",
        "locale": "es",
        "channel": "sms",
        "rent": "295.00",
        "starts_on": "2026-03-16",
        "frequency": "weekly",
    },
)


def export_template() -> None:
    r"""Print a sample file to fill in: two leases of one property, the first of them with two tenants.

    A further tenant of a lease is a further row of the same property, unit and start, which may leave out the
    terms. What a later row leaves out of its property is what an earlier one said.

    \b
    charges       CODE:TEXT:AMOUNT[:FREQUENCY[:FROM[:TO]]], separated by semicolons;
                  monthly, quarterly, annual or once; without FROM and TO as long as the lease
    due_day       day of the month; empty is 1
    ends_on       the agreed end; empty goes on from month to month
    frequency     monthly, weekly or four_weekly; empty is monthly
    rent_changes  DATE:AMOUNT, separated by semicolons: the rent from that day on
    free_months   YYYY-MM, separated by semicolons
    rolls_over    yes: it goes on from month to month after the agreed end; empty is no
    """
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_SAMPLES)


async def export(property_id: PropertyOption = None) -> None:
    r"""Print all leases as a file that `import` reads: for a spreadsheet, or for another Propman.

    Accounts and renewals are not in it: each lease comes in as one of its own.

    \b
    Example:
      propman leasing export > portfolio.csv
    """
    async with reading() as connection:
        # Leases first: whatever they mention is never deleted, so it is there afterwards.
        found = [row.lease for row in await store.list_leases(connection, ALL, property_id=property_id)]
        places = {item.id: item for item in await property_store.properties_after(connection, None, ALL)}
        people = {item.id: item for item in await tenant_store.tenants_after(connection, None, ALL)}
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for lease in found:
        signers = [people[identity] for identity in lease.tenant_ids]
        writer.writerows(rows_of(lease, places[lease.property_id], signers))
    without = {identity for lease in found for identity in lease.tenant_ids if not people[identity].email}
    if without:
        warning(f"Tenants without an e-mail address, which an import needs: {len(without)}.")


async def import_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="One row per lease and tenant, UTF-8; - reads stdin.")
    ],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Keep the good rows of a bad file.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Add the leases of a file, with the properties, units and tenants they mention first.

    Properties are recognised by name, tenants by e-mail address; what is stored already stays as it is, so
    the same file may be imported again. Nothing of a file with a bad row is kept, unless --skip-bad, and a
    lease never without one of its tenants. The columns: `propman leasing export-template --help`.

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
    app.command("export")(export)
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
    return {name: getattr(outcome, name) for name in _ONE}


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
    return ", ".join(f"{number} {_ONE[name] if number == 1 else name}" for name, number in numbers.items())


def _verdict(
    problems: list[Problem], outcome: ImportOutcome, *, skip_bad: bool, dry_run: bool
) -> CommandError:
    bad = len({problem.line for problem in problems})
    rows = "1 row is bad" if bad == 1 else f"{bad} rows are bad"
    if dry_run:
        return CommandError(f"{rows}.")
    if skip_bad:
        return CommandError(f"{rows}; the others were kept ({counted(outcome.leases, 'lease')} added).")
    return CommandError(
        f"{rows}; nothing was kept.", remedy="Correct the file, or keep the good rows with --skip-bad."
    )
