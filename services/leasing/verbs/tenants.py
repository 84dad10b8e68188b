"""`propman leasing tenants`."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.leasing import handlers
from services.leasing.domain.refusals import Unknown
from services.leasing.domain.tenants import Tenant, TenantDetails, channel
from services.leasing.store import leases as lease_store
from services.leasing.store import signing
from services.leasing.store import tenants as store
from services.leasing.verbs.database import MORE, changing, first, given, now, parsed, reading, refusals
from services.leasing.verbs.lease_display import lease_document, print_leases
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
    warning,
)

app = service_app("tenants", "The people who rent, and how they are reached.")

Email = Annotated[str | None, typer.Option("--email", help="Where mail goes; unique.")]
Phone = Annotated[str | None, typer.Option("--phone", help="For text messages: +1 212 555 0100.")]
Locale = Annotated[str | None, typer.Option("--locale", help="Language of messages: en, pt-BR.")]
ChannelOption = Annotated[str | None, typer.Option("--channel", help="email, sms or in_app.")]
Zone = Annotated[
    str | None, typer.Option("--time-zone", metavar="ZONE", help="For messages at a decent hour.")
]


@app.command()
async def add(
    *,
    name: Annotated[str, typer.Option("--name", help="First and last name.")],
    email: Email = None,
    phone: Phone = None,
    locale: Locale = None,
    way: ChannelOption = None,
    time_zone: Zone = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take in a tenant; prints their id."""
    with refusals():
        details = TenantDetails(
            name=name,
            email=email,
            phone=phone,
            locale=locale or "en",
            channel=parsed("channel", channel, way or "email"),
            time_zone=time_zone,
        )
    async with changing("add_tenant", dry_run=dry_run) as tx:
        found = await handlers.register_tenant(tx, details)
    _announce(found, f"Tenant {found.name} is registered.", dry_run=dry_run, as_json=as_json)


@app.command()
async def change(
    *,
    identity: IdArgument,
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    email: Email = None,
    phone: Phone = None,
    locale: Locale = None,
    way: ChannelOption = None,
    time_zone: Zone = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Change how a tenant is reached; what is not given stays, and --phone "" takes a number away."""
    changes = given(name=name, email=email, phone=phone, locale=locale, channel=way, time_zone=time_zone)
    async with changing("change_tenant", dry_run=dry_run) as tx:
        found = await handlers.change_tenant(tx, identity, **changes)
        unsigned = await signing.open_leases_of_tenant(tx.connection, identity) if email is not None else ()
    for lease_id in sorted(unsigned):
        warning(f"A link to the old address signs nothing: propman leasing signing-links resend {lease_id}")
    _announce(found, f"Tenant {found.name} is at version {found.version}.", dry_run=dry_run, as_json=as_json)


@app.command("list")
async def list_(limit: LimitOption = 100, as_json: JsonOption = False) -> None:
    """List tenants by name."""
    async with reading() as connection:
        rows = first(await store.list_tenants(connection, limit + MORE), limit)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["Name", "E-mail", "Phone", "Locale", "Channel", "Id"],
        [[row[column] for column in ("name", "email", "phone", "locale", "channel", "id")] for row in rows],
        empty="There are no tenants yet. Add one, or import a portfolio.",
    )


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one tenant with their leases."""
    async with reading() as connection:
        found = await store.tenant_by_id(connection, identity)
        rows = await lease_store.list_leases(connection, 10_000, tenant_id=identity)
    with refusals():
        if found is None:
            raise Unknown("tenant", identity)
    if as_json:
        print_json(asdict(found) | {"leases": [lease_document(row, now()) for row in rows]})
        return
    print_record(
        {
            "Id": found.id,
            "Name": found.name,
            "E-mail": found.email,
            "Phone": found.phone,
            "Locale": found.locale,
            "Channel": found.channel,
            "Time zone": found.time_zone,
            "Version": found.version,
        }
    )
    print_leases(rows, now(), empty="No lease was signed yet.")


def _announce(found: Tenant, words: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif not dry_run:
        typer.echo(found.id)
        success(words)
