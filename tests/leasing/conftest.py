"""An empty leasing database for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Leasing's database, clean and migrated, as the role the service runs as."""
    async with databases.transactions("leasing") as found:
        yield found
