"""The service's own database, for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.settings import Settings
from services.notifications.store import people, reading
from shared.cli import UsageProblem
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions


@asynccontextmanager
async def database() -> AsyncIterator[Transactions]:
    """Transactions for a command."""
    async with open_transactions(Settings(), "notifications") as transactions:
        yield transactions


@asynccontextmanager
async def looking() -> AsyncIterator[AsyncConnection]:
    """A connection for a command that only reads."""
    async with database() as transactions, transactions.engine.connect() as connection:
        yield connection


async def require_tenant(connection: AsyncConnection, tenant: UUID) -> None:
    """Stop with one line where nobody ever heard of a tenant."""
    if not await reading.tenant_is_known(connection, tenant):
        raise UsageProblem(f"There is no tenant {tenant}.", remedy="See `propman leasing tenants list`.")


async def require_person(connection: AsyncConnection, person: UUID) -> None:
    """The same for anybody who can be told something, external contacts too."""
    if person not in await people.known_contacts(connection, [person]):
        raise UsageProblem(
            f"There is no contact {person}.",
            remedy="See `propman leasing tenants list` and `propman notifications contacts list`.",
        )
