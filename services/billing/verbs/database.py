"""Opening billing's database for a command, and the sentences that several commands share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.settings import Settings
from services.billing.store import LeaseStore
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


@asynccontextmanager
async def changing(name: str, *, dry_run: bool) -> AsyncIterator[Tx]:
    """A transaction for one command; of a dry run nothing stays."""
    async with opened() as transactions, transactions.command(name, dry_run=dry_run) as tx:
        yield tx


async def refuse_unknown_property(connection: AsyncConnection, property_id: UUID | None) -> None:
    """Raise `UsageProblem` for a property that billing has not heard of."""
    if property_id is not None and await LeaseStore(connection).property_named(property_id) is None:
        raise UsageProblem(
            f"Billing knows no property {property_id}.", remedy="See `propman leasing properties list`."
        )


def unknown_invoice(invoice: str) -> UsageProblem:
    """There is no such invoice, and where to look."""
    return UsageProblem(f"There is no invoice {invoice!r}.", remedy="See `propman billing invoices list`.")


def unknown_lease(lease: object) -> UsageProblem:
    """There is no such lease, and where to look."""
    return UsageProblem(f"Billing knows no lease {lease}.", remedy="See `propman leasing leases list`.")


def unknown_payment(payment: str) -> UsageProblem:
    """There is no such payment, and where to look."""
    return UsageProblem(f"There is no payment {payment!r}.", remedy="See `propman billing payments list`.")
