"""`propman notifications suppressions`: addresses that are closed, and the texts that closed them."""

from typing import Annotated

import typer

from services.notifications.addresses import e164, mailbox
from services.notifications.domain.contacts import is_address
from services.notifications.domain.kinds import Category
from services.notifications.domain.suppressions import EVERYTHING, Answer, Why
from services.notifications.store import reports
from services.notifications.store import suppressions as store
from services.notifications.verbs.database import database, looking
from shared.cli import (
    CommandError,
    JsonOption,
    LimitOption,
    UsageProblem,
    print_json,
    print_table,
    service_app,
    success,
)

app = service_app(
    "suppressions", "Addresses that are written off: bounces, complaints, STOP, unsubscriptions."
)

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address or a number.")]


@app.command("list")
async def list_command(
    address: Annotated[str | None, typer.Option(help="Only this address.")] = None,
    lifted: Annotated[bool, typer.Option("--lifted", help="Also those that were opened again.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List closed addresses, newest first.

    \b
    Example:
      propman notifications suppressions list --lifted
    """
    wanted = _read(address)[1] if address else None
    async with looking() as connection:
        found = await store.listed(connection, address=wanted, lifted=lifted, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = ["created_at", "channel", "address", "scope", "reason", "source", "until", "lifted_at"]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="No address is closed.")


@app.command()
async def add(
    address: AddressArgument,
    why: Annotated[str, typer.Option("--why", help="For whoever asks later.")],
    category: Annotated[str, typer.Option(help="Only for this category.")] = EVERYTHING,
    complaint: Annotated[bool, typer.Option("--complaint", help="They complained of our mail.")] = False,
) -> None:
    """Close an address by hand.

    \b
    Example:
      propman notifications suppressions add ann@example.com --why "asked by telephone"
    """
    if category not in {EVERYTHING, *Category}:
        raise UsageProblem(
            f"There is no category {category!r}.",
            remedy=f"Use one of {', '.join(Category)}, or {EVERYTHING}.",
        )
    channel, spelled = _read(address)
    reason = Why.COMPLAINT if complaint else Why.MANUAL
    async with database() as transactions, transactions.command("notifications.close_address") as tx:
        closed = await store.close(
            tx.connection, channel, spelled, reason=reason, scope=category, source=why, at=tx.at
        )
    success("Closed." if closed else "It was closed already.")


@app.command()
async def lift(
    address: AddressArgument, by: Annotated[str, typer.Option("--by", help="Who says so.")]
) -> None:
    """Open an address again. A number that said STOP opens only by START, which its owner sends.

    \b
    Example:
      propman notifications suppressions lift ann@example.com --by "Kim, after a call"
    """
    channel, spelled = _read(address)
    allowed = tuple(reason for reason in Why if reason is not Why.STOP)
    async with database() as transactions, transactions.command("notifications.open_address") as tx:
        count = await store.lift(tx.connection, channel, spelled, by=by, at=tx.at, reasons=allowed)
    if not count:
        raise CommandError(
            f"{address} is not closed, or said STOP.", remedy="See `propman notifications suppressions list`."
        )
    success("Open again.")


@app.command()
async def texts(
    answer: Annotated[
        Answer | None, typer.Option(help="Only those: review is what a person should read.")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List the texts that people sent to us, newest first.

    \b
    Example:
      propman notifications suppressions texts --answer review
    """
    async with looking() as connection:
        found = await reports.inbound(connection, answer, limit)
    if as_json:
        print_json(found)
        return
    columns = ["received_at", "phone", "answer", "body"]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="Nobody wrote.")


def _read(address: str) -> tuple[str, str]:
    """The channel an address is of, and its one spelling."""
    found = mailbox(address) or ""
    if is_address(found):
        return "email", found
    number = e164(address)
    if number is None:
        raise UsageProblem(f"{address!r} is neither an e-mail address nor a telephone number.")
    return "sms", number
