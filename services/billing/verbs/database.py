"""Opening billing's database for a command, and the sentences that several commands share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.settings import Settings
from shared.cli import CommandError
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions


@asynccontextmanager
async def opened() -> AsyncIterator[Transactions]:
    """Billing's database, for a command that writes."""
    async with open_transactions(Settings(), "billing") as transactions:  # from the environment
        yield transactions


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncConnection]:
    """A connection to look at things with."""
    async with opened() as transactions, transactions.engine.connect() as connection:
        yield connection


def unknown_invoice(invoice: str) -> CommandError:
    """There is no such invoice, and where to look."""
    return CommandError(f"There is no invoice {invoice!r}.", remedy="See `propman billing invoices list`.")
