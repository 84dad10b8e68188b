"""An empty billing database for each test."""

from collections.abc import AsyncIterator

import pytest

from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Billing's database, as billing's own role."""
    async with databases.transactions("billing") as found:
        yield found
