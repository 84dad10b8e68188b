"""`propman billing ledger`: what was charged and paid on an account, with a running balance."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from services.billing.domain.statements import Row, running
from services.billing.store.statements import Heading, StatementStore
from services.billing.verbs.database import reading, unknown_lease
from shared.cli import (
    App,
    CsvOption,
    JsonOption,
    LeaseOption,
    TenantOption,
    UsageProblem,
    json_wanted,
    print_csv,
    print_json,
    print_table,
    say,
)
from shared.money import format_cents

Ledgers = Sequence[tuple[Heading, list[Row]]]


def add_to(billing: App) -> None:
    """Give billing's app its command."""
    billing.command()(ledger)


async def ledger(
    lease: LeaseOption = None,
    tenant: TenantOption = None,
    as_csv: CsvOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Show a running ledger: date, what, charge, payment, balance. Below nothing the balance is credit.

    A lease and its renewals have one ledger; a tenant with two leases has two.

    \b
    Examples:
      propman billing ledger --lease ID
      propman billing ledger --tenant ID --csv > ledger.csv
    """
    if (lease is None) == (tenant is None):
        raise UsageProblem("Say whose ledger.", remedy="Give either --lease or --tenant.")
    if as_csv and as_json:
        raise UsageProblem("--csv and --json exclude each other.")
    async with reading() as connection:
        store = StatementStore(connection)
        headings = await store.headings(lease_id=lease, tenant_id=tenant)
        entries = await store.entries([heading.account_id for heading in headings])
    if not headings:
        unknown = UsageProblem(
            f"Billing knows no lease of tenant {tenant}.", remedy="See `propman leasing tenants list`."
        )
        raise unknown_lease(lease) if lease else unknown
    ledgers = [(heading, running(entries.get(heading.account_id, ()))) for heading in headings]
    if json_wanted():
        print_json([_document(heading, rows) for heading, rows in ledgers])
    elif as_csv:
        _print_csv(ledgers)
    else:
        _print(ledgers)


def _document(heading: Heading, rows: Sequence[Row]) -> dict[str, Any]:
    return asdict(heading) | {
        "balance_cents": rows[-1].balance_cents if rows else 0,
        "entries": [
            asdict(row.entry) | {"kind": row.entry.kind.name.lower(), "balance_cents": row.balance_cents}
            for row in rows
        ],
    }


def _print_csv(ledgers: Ledgers) -> None:
    columns = ["account", "unit", "date", "reference", "what", "charge", "payment", "balance", "currency"]
    lines = [
        [
            *(heading.account_id, heading.unit_label, row.entry.on, row.entry.reference, row.entry.what),
            *(_plain(row.entry.charge_cents), _plain(row.entry.payment_cents), _plain(row.balance_cents)),
            heading.currency,
        ]
        for heading, rows in ledgers
        for row in rows
    ]
    print_csv(columns, lines)


def _plain(cents: int) -> Decimal:
    """The amount as a spreadsheet adds it up: no sign of the currency, no comma, two places."""
    return Decimal(cents).scaleb(-2)


def _print(ledgers: Ledgers) -> None:
    for heading, rows in ledgers:
        money = heading.currency
        say(f"Ledger of unit {heading.unit_label}, {heading.property_name or 'property unknown'}")
        lines = [
            [
                row.entry.on,
                row.entry.what,
                row.entry.reference,
                format_cents(row.entry.charge_cents, money) if row.entry.charge_cents else "",
                format_cents(row.entry.payment_cents, money) if row.entry.payment_cents else "",
                format_cents(row.balance_cents, money),
            ]
            for row in rows
        ]
        columns = ["date", "what", "reference", "charge", "payment", "balance"]
        print_table(columns, lines, empty="Nothing was charged or paid yet.")
