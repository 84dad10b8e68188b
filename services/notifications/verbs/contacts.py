"""`propman notifications contacts`: people and systems that are no tenants, such as the office's own."""

import secrets
from typing import Annotated

import typer

from services.notifications.addresses import e164, typed_mailbox
from services.notifications.domain.contacts import is_webhook
from services.notifications.store import groups as store
from services.notifications.verbs.database import database, looking
from shared.cli import (
    IdArgument,
    JsonOption,
    UsageProblem,
    print_json,
    print_table,
    service_app,
    success,
)

app = service_app(
    "contacts", "People and systems of the office that are told things; tenants come from leasing."
)


@app.command("list")
async def list_command(as_json: JsonOption = False) -> None:
    """List the contacts that the office added.

    \b
    Example:
      propman notifications contacts list
    """
    async with looking() as connection:
        found = await store.external_contacts(connection)
    if as_json:
        print_json(found)
        return
    columns = ["id", "name", "email", "phone", "webhook_url", "locale"]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="Nobody was added.")


@app.command()
async def add(
    name: Annotated[str, typer.Option(help="What to call them.")],
    email: Annotated[str | None, typer.Option(help="An e-mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="For texts; adding it says that they agreed.")] = None,
    webhook: Annotated[str | None, typer.Option(help="An https address that takes signed JSON.")] = None,
    locale: Annotated[str, typer.Option(help="en or es.")] = "en",
    time_zone: Annotated[str | None, typer.Option(help="For quiet hours: America/New_York.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a person or a system. A webhook's secret is shown once, here.

    \b
    Examples:
      propman notifications contacts add --name "Front desk" --email desk@example.com
      propman notifications contacts add --name Ledger --webhook https://ledger.example.com/propman
    """
    address, number = typed_mailbox(email), e164(phone)
    if email is not None and address is None:
        raise UsageProblem(f"{email!r} is not an e-mail address such as ann@example.com.")
    if phone is not None and number is None:
        raise UsageProblem(f"{phone!r} is not a telephone number.", remedy="Write it like +1 212 555 0100.")
    if webhook is not None and not is_webhook(webhook):
        raise UsageProblem("A webhook begins with https://.")
    if address is None and number is None and webhook is None:
        raise UsageProblem("Say how to reach them: --email, --phone or --webhook.")
    secret = secrets.token_hex(32) if webhook else None
    async with database() as transactions, transactions.command("notifications.add_contact") as tx:
        identity = await store.add_contact(
            tx.connection,
            tx.at,
            name=name,
            email=address,
            phone=phone,
            phone_e164=number,
            webhook_url=webhook,
            webhook_secret=secret,
            locale=locale,
            time_zone=time_zone,
            sms_consent_at=tx.at if number else None,
            sms_consent_source="added by the office" if number else None,
        )
    if as_json:
        print_json({"id": identity, "webhook_secret": secret})
        return
    typer.echo(str(identity))
    if secret:
        typer.echo(f"secret {secret}")
    success(f"{name} can be told things now. Put them into a group with `groups add-member`.")


@app.command()
async def remove(identity: IdArgument) -> None:
    """Forget a contact that the office added.

    \b
    Example:
      propman notifications contacts remove 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with database() as transactions, transactions.command("notifications.remove_contact") as tx:
        if not await store.remove_contact(tx.connection, identity):
            raise UsageProblem(
                f"There is no such contact {identity}.", remedy="See `propman notifications contacts list`."
            )
    success("Forgotten.")
