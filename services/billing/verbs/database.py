"""Opening billing's database for a command, and the sentences that several commands share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.settings import Settings
from shared.cli import UsageProblem
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions, Tx


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


class _OnlyLooked(Exception):
    """Ends the transaction of a dry run, so that nothing of it stays."""


@asynccontextmanager
async def changing(name: str, *, dry_run: bool) -> AsyncIterator[Tx]:
    """A transaction for a command; a dry run does all of it and then takes it back.

    So it runs the very same code at the same instant, and leaves no row, no message and no key behind.
    """
    async with opened() as transactions:
        try:
            async with transactions.command(name) as tx:
                yield tx
                if dry_run:
                    raise _OnlyLooked
        except _OnlyLooked:
            return


def unknown_invoice(invoice: str) -> UsageProblem:
    """There is no such invoice, and where to look."""
    return UsageProblem(f"There is no invoice {invoice!r}.", remedy="See `propman billing invoices list`.")


def unknown_lease(lease: object) -> UsageProblem:
    """There is no such lease, and where to look."""
    return UsageProblem(f"Billing knows no lease {lease}.", remedy="See `propman leasing leases list`.")


def unknown_payment(payment: str) -> UsageProblem:
    """There is no such payment, and where to look."""
    return UsageProblem(f"There is no payment {payment!r}.", remedy="See `propman billing payments list`.")
