"""An empty leasing database for each test that asks for one, and a way to type commands on it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner, Result

from services.leasing.cli import app
from shared.messaging.transaction import Transactions
from tests.leasing.typed import Run
from tests.support.databases import TestDatabases


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    """Leasing's database, clean and migrated, as the role the service runs as."""
    async with databases.transactions("leasing") as found:
        yield found


@pytest.fixture
async def run(databases: TestDatabases, transactions: Transactions, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command; it runs in a thread, because it brings its own event loop."""
    monkeypatch.setenv("LEASING_DATABASE_URL", await databases.url("leasing"))
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://nobody@127.0.0.1:1/")

    async def typed(*words: object, given: bytes | None = None) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words], input=given)

    return typed
