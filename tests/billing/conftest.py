"""An empty billing database for each test, and a Stripe to charge cards with."""

from collections.abc import AsyncIterator

import pytest

from propman.dev import ServerUrls
from shared.messaging.transaction import Transactions
from tests.billing.autopay_desk import DUE, Desk, MovableClock
from tests.billing.office import Office
from tests.billing.stripe_server import StripeServer
from tests.support.databases import TestDatabases


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Billing's database, as billing's own role."""
    async with databases.transactions("billing") as found:
        yield found


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """Billing on the first of December, at ten in the morning in New York."""
    clock = MovableClock(DUE)
    async with databases.transactions("billing", clock) as found, StripeServer() as stripe:
        stripe.clock = int(DUE.timestamp())
        yield Desk(found, await databases.url("billing"), stripe, clock)


@pytest.fixture
async def office(transactions: Transactions, databases: TestDatabases, servers: ServerUrls) -> Office:
    """Billing's database, and the commands on it."""
    environment = {
        "BILLING_DATABASE_URL": await databases.url("billing"),
        "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url,
    }
    return Office(transactions, environment)
