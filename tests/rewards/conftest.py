"""An empty rewards database for each test, and a landlord's desk on it."""

from collections.abc import AsyncIterator

import pytest

from propman.dev import ServerUrls
from tests.rewards.desk import Desk
from tests.support.databases import TestDatabases


@pytest.fixture
async def desk(databases: TestDatabases, servers: ServerUrls) -> AsyncIterator[Desk]:
    """Rewards' database, as rewards' own role, and a clock that is moved by hand."""
    environment = {
        "REWARDS_DATABASE_URL": await databases.url("rewards"),
        "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url,
    }
    async with databases.transactions("rewards") as transactions:
        yield await Desk(transactions, environment).open()
