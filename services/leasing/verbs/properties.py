"""`propman leasing properties`."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.leasing import handlers
from services.leasing.domain.properties import Property, PropertyDetails
from services.leasing.domain.refusals import Unknown
from services.leasing.store import properties as store
from services.leasing.verbs.database import MORE, changing, first, given, reading, refusals
from shared.cli import (
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    print_json,
    print_record,
    print_table,
    service_app,
    success,
)

app = service_app("properties", "Buildings under management: where they are and what time it is there.")

ZoneOption = Annotated[str, typer.Option("--time-zone", metavar="ZONE", help="IANA name: America/New_York.")]
Latitude = Annotated[float | None, typer.Option("--latitude", help="Degrees north, for weather.")]
Longitude = Annotated[float | None, typer.Option("--longitude", help="Degrees east, for weather.")]


@app.command()
async def add(
    *,
    name: Annotated[str, typer.Option("--name", help="How people call it; unique.")],
    time_zone: ZoneOption,
    address: Annotated[str, typer.Option("--address", help="Street and town.")] = "",
    latitude: Latitude = None,
    longitude: Longitude = None,
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Of its rents.")] = "USD",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a property under management; prints its id."""
    details = PropertyDetails(
        name=name,
        address=address,
        time_zone=time_zone,
        latitude=latitude,
        longitude=longitude,
        currency=currency,
    )
    async with changing("add_property", dry_run=dry_run) as tx:
        found = await handlers.register_property(tx, details)
    _announce(found, f"Property {found.name} is registered.", dry_run=dry_run, as_json=as_json)


@app.command()
async def change(
    *,
    identity: IdArgument,
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="A new address.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", metavar="ZONE", help="Its zone.")] = None,
    latitude: Latitude = None,
    longitude: Longitude = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change what is said of a property; what is not given stays."""
    changes = given(name=name, address=address, time_zone=time_zone, latitude=latitude, longitude=longitude)
    async with changing("change_property", dry_run=dry_run) as tx:
        found = await handlers.change_property(tx, identity, **changes)
    _announce(
        found, f"Property {found.name} is at version {found.version}.", dry_run=dry_run, as_json=as_json
    )


@app.command("list")
async def list_(limit: LimitOption = 100, as_json: JsonOption = False) -> None:
    """List properties by name."""
    async with reading() as connection:
        rows = first(await store.list_properties(connection, limit + MORE), limit)
    if as_json:
        print_json(rows)
        return
    columns = ("name", "time_zone", "currency", "units", "address", "id")
    print_table(
        ["Name", "Time zone", "Currency", "Units", "Address", "Id"],
        [[row[column] for column in columns] for row in rows],
        empty="There are no properties yet. Add one, or import a portfolio.",
    )


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one property with its units."""
    async with reading() as connection:
        found = await store.property_by_id(connection, identity)
        units = await store.list_units(connection, 10_000, identity)
    with refusals():
        if found is None:
            raise Unknown("property", identity)
    if as_json:
        print_json(asdict(found) | {"units": [{key: row[key] for key in ("id", "label")} for row in units]})
        return
    print_record(_record(found) | {"Units": ", ".join(row["label"] for row in units) or None})


def _announce(found: Property, words: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not dry_run:
        typer.echo(found.id)
        success(words)


def _record(found: Property) -> dict[str, object]:
    place = None if found.latitude is None else f"{found.latitude}, {found.longitude}"
    return {
        "Id": found.id,
        "Name": found.name,
        "Address": found.address or None,
        "Time zone": found.time_zone,
        "Coordinates": place,
        "Currency": found.currency,
        "Version": found.version,
    }
