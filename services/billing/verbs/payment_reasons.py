"""`propman billing explain payment`."""

from datetime import UTC
from typing import Annotated

import typer

from services.billing.domain.payment_reasons import explain_payment
from services.billing.handlers.settling import read_accounts
from services.billing.store import PaymentStore
from services.billing.verbs.database import reading, unknown_payment
from shared.cli import App, JsonOption, print_json, print_table, say
from shared.money import format_cents


def add_to(explain: App) -> None:
    """Give the group its command."""
    explain.command()(payment)


async def payment(
    identity: Annotated[str, typer.Argument(metavar="PAYMENT", help="Its reference or its id.")],
    as_json: JsonOption = False,
) -> None:
    r"""Say where each cent of a payment went, since when it counts there, and why.

    The ledger is replayed in the order of the dates on which things happened, whenever they were keyed in.

    \b
    Examples:
      propman billing explain payment CHK-1041
      propman billing explain payment CHK-1041 --json
    """
    async with reading() as connection:
        found = await PaymentStore(connection).find(identity)
        if found is None:
            raise unknown_payment(identity)
        account = await read_accounts(connection, [found.account_id])
    moved = explain_payment(
        account.ledgers[found.account_id], account.replays[found.account_id], found.payment_id
    )
    if as_json:
        print_json({"payment": found, "moved": moved})
        return
    amount = format_cents(found.amount_cents, found.currency)
    recorded = found.recorded_at.astimezone(UTC)
    say(
        f"{found.reference}: {amount} received on {found.received_on},"
        f" recorded at {recorded:%Y-%m-%d %H:%M:%S} UTC."
    )
    rows = [
        [item.on, format_cents(item.amount_cents, found.currency), item.where, item.counts_from, item.why]
        for item in moved
    ]
    print_table(["on", "amount", "where", "counts from", "why"], rows, empty="All of it was taken back.")
