"""`propman billing aging` and `rent-roll`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.aging import AGES, Aged, totals
from services.billing.domain.rent_roll import RollLine
from services.billing.handlers.reporting import aging as age_debts
from services.billing.handlers.reporting import rent_roll as roll
from services.billing.store import LeaseStore
from services.billing.verbs.database import opened, refuse_unknown_property
from shared.cli import (
    App,
    CsvOption,
    JsonOption,
    MonthOption,
    PropertyOption,
    UsageProblem,
    date_option,
    json_wanted,
    print_csv,
    print_json,
    print_table,
)
from shared.money import format_cents


def add_to(app: App) -> None:
    """Give billing's app its commands."""
    app.command()(aging)
    app.command()(rent_roll)


async def aging(
    property_id: PropertyOption = None,
    on: Annotated[
        date | None, date_option("--on", help="As it was at the end of this day; by default, as it is now.")
    ] = None,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Show who owes how much since when: not due, 0-30, 31-60, 61-90 and more than 90 days past due.

    For a day of the past it counts what had happened by then, also what was keyed in later.

    \b
    Examples:
      propman billing aging
      propman billing aging --on 2026-12-31 --csv > aging.csv
    """
    _one_form(as_csv, as_json)
    async with _snapshot() as (connection, as_of):
        await refuse_unknown_property(connection, property_id)
        rows = await age_debts(connection, as_of, on=on, property_id=property_id)
        names = await LeaseStore(connection).property_names()
    if json_wanted():
        print_json({"accounts": [_aging_json(row) for row in rows], "totals": totals(rows)})
    elif as_csv:
        columns = ["property", "unit", "account", "tenants", "on", "currency", *AGES, "total"]
        print_csv(columns, [_aging_csv(row, names) for row in rows])
    else:
        columns = ["property", "unit", "account", *AGES, "total"]
        print_table(columns, [*_aging_rows(rows, names), *_aging_totals(rows)], empty="Nobody owes anything.")


@asynccontextmanager
async def _snapshot() -> AsyncIterator[tuple[AsyncConnection, datetime]]:
    """One state of the books for the whole of a report, whoever writes meanwhile; and what time it is."""
    async with opened() as transactions, transactions.engine.connect() as connection:
        steady = await connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        yield steady, transactions.clock.now()


def _one_form(as_csv: bool, as_json: bool) -> None:
    if as_csv and as_json:
        raise UsageProblem("--csv and --json exclude each other.")


def _aging_json(row: Aged) -> dict[str, Any]:
    household = row.household
    return {
        "account_id": household.account_id,
        "lease_id": household.lease_id,
        "property_id": household.property_id,
        "unit_label": household.unit_label,
        "tenant_ids": household.tenant_ids,
        "currency": household.currency,
        "on": row.on,
        "cents": {name: row.cents[name] for name in AGES},
        "total_cents": row.total_cents,
    }


def _aging_csv(row: Aged, names: dict[UUID, str]) -> list[object]:
    household = row.household
    tenants = " ".join(str(tenant_id) for tenant_id in household.tenant_ids)
    place = names.get(household.property_id, str(household.property_id))
    known = [place, household.unit_label, household.account_id, tenants, row.on, household.currency]
    return [*known, *(_decimal(row.cents[name]) for name in AGES), _decimal(row.total_cents)]


def _decimal(cents: int) -> Decimal:
    """For a spreadsheet: a number, and no more than that."""
    return Decimal(cents).scaleb(-2)


def _aging_rows(rows: Sequence[Aged], names: dict[UUID, str]) -> list[list[object]]:
    return [
        [
            names.get(row.household.property_id, str(row.household.property_id)),
            row.household.unit_label,
            row.household.account_id,
            *(format_cents(row.cents[name], row.household.currency) for name in AGES),
            format_cents(row.total_cents, row.household.currency),
        ]
        for row in rows
    ]


def _aging_totals(rows: Sequence[Aged]) -> list[list[object]]:
    return [
        [
            f"total {currency}",
            None,
            None,
            *(format_cents(cents[name], currency) for name in AGES),
            format_cents(sum(cents.values()), currency),
        ]
        for currency, cents in sorted(totals(rows).items())
    ]


async def rent_roll(
    property_id: PropertyOption = None,
    month: MonthOption = None,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Show each lease of a month: what is agreed, what was billed, paid and is open, and what is not billed.

    A month of the past is shown as it stood at its end. The rent is that of the day; charges are those that
    accompany it each period.

    \b
    Examples:
      propman billing rent-roll
      propman billing rent-roll --month 2026-11 --csv > november.csv
    """
    _one_form(as_csv, as_json)
    async with _snapshot() as (connection, as_of):
        await refuse_unknown_property(connection, property_id)
        lines = await roll(connection, as_of, month=month, property_id=property_id)
        names = await LeaseStore(connection).property_names()
    if json_wanted():
        print_json({"leases": [_roll_json(line) for line in lines], "totals": _roll_totals(lines)})
    elif as_csv:
        columns = [
            "property",
            "unit",
            "lease",
            "tenants",
            "from",
            "until",
            "on",
            "currency",
            *_MONEY,
            "unbilled",
        ]
        print_csv(columns, [_roll_csv(line, names) for line in lines])
    else:
        columns = ["property", "unit", "from", "until", *_MONEY, "unbilled"]
        rows = [_roll_row(line, names) for line in lines]
        print_table(columns, [*rows, *_roll_total_rows(lines)], empty="No lease is in force in that month.")


_MONEY = ("rent", "charges", "billed", "paid", "open")


def _money(line: RollLine) -> tuple[int, ...]:
    return line.rent_cents, line.charge_cents, line.billed_cents, line.paid_cents, line.open_cents


def _roll_json(line: RollLine) -> dict[str, Any]:
    terms = line.terms
    return {
        "lease_id": terms.lease_id,
        "account_id": terms.account_id,
        "property_id": terms.property_id,
        "unit_id": terms.unit_id,
        "unit_label": terms.unit_label,
        "tenant_ids": terms.tenant_ids,
        "frequency": terms.frequency,
        "starts_on": terms.starts_on,
        "ends_on": terms.last_on,
        "rolls_over": terms.rolls_over,
        "on": line.on,
        "currency": terms.currency,
        **{f"{name}_cents": cents for name, cents in zip(_MONEY, _money(line), strict=True)},
        "unbilled": line.unbilled,
    }


def _roll_csv(line: RollLine, names: dict[UUID, str]) -> list[object]:
    terms = line.terms
    tenants = " ".join(str(tenant_id) for tenant_id in terms.tenant_ids)
    place = names.get(terms.property_id, str(terms.property_id))
    known = [place, terms.unit_label, terms.lease_id, tenants, terms.starts_on, terms.last_on, line.on]
    return [*known, terms.currency, *map(_decimal, _money(line)), " ".join(line.unbilled)]


def _roll_row(line: RollLine, names: dict[UUID, str]) -> list[object]:
    terms = line.terms
    place = names.get(terms.property_id, str(terms.property_id))
    amounts = [format_cents(cents, terms.currency) for cents in _money(line)]
    missing = ", ".join(line.unbilled) or None
    return [place, terms.unit_label, terms.starts_on, terms.last_on, *amounts, missing]


def _roll_totals(lines: Sequence[RollLine]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        sums = found.setdefault(line.terms.currency, dict.fromkeys((f"{name}_cents" for name in _MONEY), 0))
        for name, cents in zip(_MONEY, _money(line), strict=True):
            sums[f"{name}_cents"] += cents
    return found


def _roll_total_rows(lines: Sequence[RollLine]) -> list[list[object]]:
    return [
        [
            f"total {currency}",
            None,
            None,
            None,
            *(format_cents(cents, currency) for cents in sums.values()),
            None,
        ]
        for currency, sums in sorted(_roll_totals(lines).items())
    ]
