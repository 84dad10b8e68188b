"""The databases of several services at once, for commands that look at the whole system."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import app_module
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions

T = TypeVar("T")


@asynccontextmanager
async def transactions_of(service: str) -> AsyncIterator[Transactions]:
    """One service's database, as the service's own role."""
    async with open_transactions(app_module(service).Settings(), service) as transactions:
        yield transactions


async def ask_each(
    services: Sequence[str], question: Callable[[AsyncConnection], Awaitable[T]]
) -> dict[str, T]:
    """Ask the same of each service's database, all at once."""

    async def ask(service: str) -> T:
        async with transactions_of(service) as transactions, transactions.engine.connect() as connection:
            return await question(connection)

    answers = await asyncio.gather(*(ask(service) for service in services))
    return dict(zip(services, answers, strict=True))
