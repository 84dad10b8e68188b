"""`propman leasing leases`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import typer

from services.leasing import handlers
from services.leasing.domain.leases import Lease, LeaseTerms, parse_amount, parse_charge
from services.leasing.domain.refusals import Unknown
from services.leasing.store import leases as store
from services.leasing.verbs.database import MORE, changing, first, given, parsed, reading, refusals
from shared.cli import (
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    PropertyOption,
    TenantOption,
    date_option,
    id_option,
    print_json,
    print_record,
    print_table,
    service_app,
    success,
)
from shared.money import format_cents

app = service_app("leases", "Who rents which unit, on what terms.")

ChargesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--charge", metavar="CODE:TEXT:AMOUNT", help='Monthly: "pet_rent:Pet rent:35.00". Repeatable.'
    ),
]
EndOption = Annotated[date | None, date_option("--ends-on", help="The last day; without, month to month.")]


@app.command()
async def add(
    *,
    unit_id: Annotated[UUID, id_option("--unit", help="What is let.")],
    tenant_ids: Annotated[list[UUID], id_option("--tenant", help="To whom. Repeatable.")],
    rent: Annotated[str, typer.Option("--rent", metavar="AMOUNT", help="Per month: 1234.50.")],
    starts_on: Annotated[date, date_option("--starts-on", help="The first day.")],
    ends_on: EndOption = None,
    due_day: Annotated[int, typer.Option("--due-day", help="Day of the month rent is due.")] = 1,
    charge: ChargesOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a unit to one or several tenants; prints the lease's id."""
    with refusals():
        terms = LeaseTerms(
            rent_cents=parsed("rent", parse_amount, rent),
            charges=tuple(parsed("charge", parse_charge, text) for text in charge or ()),
            starts_on=starts_on,
            ends_on=ends_on,
            due_day=due_day,
        )
    async with changing("sign_lease", dry_run=dry_run) as tx:
        found = await handlers.sign_lease(tx, unit_id, tenant_ids, terms)
    _announce(
        found, f"Unit {found.unit_label} is let from {found.starts_on}.", dry_run=dry_run, as_json=as_json
    )


@app.command()
async def change(
    *,
    identity: IdArgument,
    rent: Annotated[str | None, typer.Option("--rent", metavar="AMOUNT", help="A new rent.")] = None,
    due_day: Annotated[int | None, typer.Option("--due-day", help="A new due day.")] = None,
    ends_on: EndOption = None,
    charge: ChargesOption = None,
    no_charges: Annotated[bool, typer.Option("--no-charges", help="Take all charges away.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change a lease's terms; what is not given stays, and --charge replaces all charges."""
    with refusals():
        charges = tuple(parsed("charge", parse_charge, text) for text in charge or ())
        changes = given(
            rent_cents=parsed("rent", parse_amount, rent) if rent is not None else None,
            due_day=due_day,
            ends_on=ends_on,
            charges=charges if charges or no_charges else None,
        )
    async with changing("change_lease", dry_run=dry_run) as tx:
        found = await handlers.change_lease(tx, identity, **changes)
    _announce(found, f"The lease is at version {found.version}.", dry_run=dry_run, as_json=as_json)


@app.command()
async def end(
    identity: IdArgument,
    on: Annotated[date, date_option("--on", help="The last day.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a lease; its terms do not change any more."""
    async with changing("end_lease", dry_run=dry_run) as tx:
        found = await handlers.end_lease(tx, identity, on)
    _announce(
        found,
        f"The lease of unit {found.unit_label} ends on {found.ends_on}.",
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command("list")
async def list_(
    property_id: PropertyOption = None,
    tenant_id: TenantOption = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List leases by property, unit and start."""
    async with reading() as connection:
        found = await store.list_leases(
            connection, limit + MORE, property_id=property_id, tenant_id=tenant_id
        )
    rows = first(found, limit)
    if as_json:
        print_json([lease_document(row) for row in rows])
    else:
        print_leases(rows, empty="There are no leases here.")


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one lease with all its terms."""
    async with reading() as connection:
        rows = await store.list_leases(connection, 1, lease_id=identity)
    with refusals():
        if not rows:
            raise Unknown("lease", identity)
    if as_json:
        print_json(lease_document(rows[0]))
    else:
        print_record(_record(rows[0]))


def print_leases(rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Leases as a person scans them."""
    print_table(
        ["Property", "Unit", "Tenants", "Rent", "From", "To", "Due day", "State", "Id"],
        [
            [
                row["property"],
                row["unit_label"],
                ", ".join(row["tenants"]),
                format_cents(row["rent_cents"], row["currency"]),
                *(row[name] for name in ("starts_on", "ends_on", "due_day", "state", "id")),
            ]
            for row in rows
        ],
        empty=empty,
    )


def lease_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A lease as `--json` prints it; the tenants' names beside their ids."""
    return dict(row) | {"tenants": list(row["tenants"]), "tenant_ids": list(row["tenant_ids"])}


def _record(row: Mapping[str, Any]) -> dict[str, object]:
    tenants = [
        f"{name} ({identity})" for name, identity in zip(row["tenants"], row["tenant_ids"], strict=True)
    ]
    charges = [
        f"{item['description']} {format_cents(item['amount_cents'], row['currency'])}"
        for item in row["charges"]
    ]
    return {
        "Id": row["id"],
        "Property": f"{row['property']} ({row['property_id']})",
        "Unit": f"{row['unit_label']} ({row['unit_id']})",
        "Tenants": ", ".join(tenants),
        "Rent": format_cents(row["rent_cents"], row["currency"]),
        "Charges": ", ".join(charges) or None,
        "From": row["starts_on"],
        "To": row["ends_on"],
        "Due day": row["due_day"],
        "State": row["state"],
        "Time zone": row["time_zone"],
        "Version": row["version"],
    }


def _announce(found: Lease, words: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not dry_run:
        typer.echo(found.id)
        success(words)
