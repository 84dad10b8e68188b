"""`propman leasing units`."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from services.leasing import handlers
from services.leasing.domain.refusals import Unknown
from services.leasing.store import leases as lease_store
from services.leasing.store import properties as store
from services.leasing.verbs.database import MORE, changing, first, now, reading, refusals
from services.leasing.verbs.lease_display import lease_document, print_leases
from shared.cli import (
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    PropertyOption,
    id_option,
    print_json,
    print_record,
    print_table,
    service_app,
    success,
)

app = service_app("units", "The dwellings of a property: what a lease lets.")


@app.command()
async def add(
    property_id: Annotated[UUID, id_option("--property", help="Which property it is in.")],
    label: Annotated[str, typer.Option("--label", help="How it is called there, such as 4B.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a unit to a property; prints its id."""
    async with changing("add_unit", dry_run=dry_run) as tx:
        unit = await handlers.add_unit(tx, property_id, label)
    if as_json:
        print_json(unit)
    elif not dry_run:
        typer.echo(unit.id)
        success(f"Unit {unit.label} is added.")


@app.command("list")
async def list_(
    property_id: PropertyOption = None, limit: LimitOption = 100, as_json: JsonOption = False
) -> None:
    """List units by property and label."""
    async with reading() as connection:
        rows = first(await store.list_units(connection, limit + MORE, property_id), limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["Property", "Unit", "Leases", "Id"],
        [[row[column] for column in ("property", "label", "leases", "id")] for row in rows],
        empty="There are no units here.",
    )


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one unit with the leases it had and has."""
    async with reading() as connection:
        unit = await store.unit_by_id(connection, identity)
        rows = await lease_store.list_leases(connection, 10_000, unit_id=identity)
    with refusals():
        if unit is None:
            raise Unknown("unit", identity)
    if as_json:
        print_json(asdict(unit) | {"leases": [lease_document(row, now()) for row in rows]})
        return
    print_record({"Id": unit.id, "Label": unit.label, "Property": unit.property_id})
    print_leases(rows, now(), empty="It was never let.")
