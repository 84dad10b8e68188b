"""Carrying messages between services without a broker: from each outbox to whoever subscribed, in this process.

For tests of what several services make of something together, where how it travels is not the question.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from propman.catalog import app_module, service_names
from shared.logging import only_errors
from shared.messaging.edge import Outcome
from shared.messaging.envelope import Delivery
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases
from tests.support.messages import edge_for


@dataclass(frozen=True)
class PostOffice:
    """The databases of all services, and what is said between them."""

    services: dict[str, Transactions]
    environment: dict[str, str]
    """What a command needs to reach them."""
    outcomes: frozenset[Outcome] = frozenset({"done", "repeat"})
    """What may become of a message."""

    async def carry(self) -> int:
        """Deliver what is said, and what is said because of it, until all is quiet; how many it were."""
        with only_errors():  # a command may run beside this, and its output is its own
            return await self._carry_all()

    async def _carry_all(self) -> int:
        carried = 0
        while found := [row for name in self.services for row in await self._taken(name)]:
            for row in found:
                await self._deliver(row)
            carried += len(found)
        return carried

    async def rows(self) -> dict[str, int]:
        """How many rows each table of each service has."""
        counted: dict[str, int] = {}
        for name, transactions in self.services.items():
            async with transactions.engine.connect() as connection:
                tables = await connection.scalars(
                    sa.text("select tablename from pg_tables where schemaname = 'public' order by 1")
                )
                parts = [f"select '{table}', count(*) from {table}" for table in tables]
                for table, count in await connection.execute(sa.text(" union all ".join(parts))):
                    counted[f"{name}.{table}"] = count
        return counted

    async def _taken(self, name: str) -> Sequence[Any]:
        async with self.services[name].engine.begin() as connection:
            return (await connection.execute(sa.delete(outbox).returning(outbox))).all()

    async def _deliver(self, row: Any) -> None:
        delivery = Delivery(
            body=row.body,
            message_id=str(row.message_id),
            topic=row.topic,
            correlation_id=str(row.correlation_id),
            headers={"ce-subject": row.subject},
        )
        for name, transactions in self.services.items():
            for subscription in app_module(name).router.subscriptions:
                if subscription.topic == row.topic:
                    outcome = await edge_for(transactions).take(subscription, delivery)
                    assert outcome in self.outcomes, (subscription.queue, outcome)


@asynccontextmanager
async def a_post_office(databases: TestDatabases) -> AsyncIterator[PostOffice]:
    """Every service's database, empty."""
    environment = {
        "PROPMAN_RABBITMQ_URL": "amqp://nobody@127.0.0.1:1/",
        "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:1",
    }
    async with AsyncExitStack() as stack:
        services = {}
        for name in service_names():
            services[name] = await stack.enter_async_context(databases.transactions(name))
            environment[f"{name.upper()}_DATABASE_URL"] = await databases.url(name)
        yield PostOffice(services, environment)
