"""An empty notifications database, a mail server that does as it is told, and a sender between them."""

from collections.abc import AsyncIterator

import pytest

from shared.messaging.transaction import Transactions
from tests.notifications.mail_server import ObedientMailServer
from tests.notifications.office import Office
from tests.support.databases import TestDatabases


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """The database of notifications, as its own role."""
    async with databases.transactions("notifications") as found:
        yield found


@pytest.fixture
async def mail_server() -> AsyncIterator[ObedientMailServer]:
    async with ObedientMailServer() as server:
        yield server


@pytest.fixture
async def office(
    transactions: Transactions, databases: TestDatabases, mail_server: ObedientMailServer
) -> Office:
    return Office(transactions, await databases.url("notifications"), mail_server)
