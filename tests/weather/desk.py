"""Weather as tests use it: real database, real HTTP to a provider of this machine, time moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.weather.asking import Asker
from services.weather.gateways.http import Http
from services.weather.handlers import router
from services.weather.poller import Poller, PollerMetrics, Polling
from services.weather.schema import incidents
from shared.contracts.base import Message
from shared.contracts.scheduler import WeatherCheckDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.support.builders import a_property
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted
from tests.weather.clocks import HandClock
from tests.weather.provider import Provider, a_provider
from tests.weather.test_asking import someone_who_asks

ALBANY = {"latitude": 42.745, "longitude": -73.752}
ALERTS = "/alerts/active?point"


@dataclass
class Desk:
    """One weather service and the provider it asks."""

    transactions: Transactions
    clock: HandClock
    provider: Provider
    http: Http
    asker: Asker

    async def hear(self, message: Message) -> None:
        await deliver(self.transactions, router, message)

    async def register(self, **changes: Any) -> UUID:
        """A property in Albany, unless it is said to be elsewhere."""
        fact = a_property(**ALBANY | changes)
        await self.hear(fact)
        return fact.property_id

    async def due(self, check: str = "alerts", **changes: Any) -> WeatherCheckDue:
        """It is time to ask; who has to be asked is queued."""
        values = {
            "occurrence_id": new_id(),
            "schedule_key": "weather",
            "as_of": self.clock.now(),
            "check": check,
        }
        trigger = WeatherCheckDue.model_validate(values | changes)
        await deliver(self.transactions, router, trigger, message_id=trigger.occurrence_id)
        return trigger

    def poller(self, **polling: Any) -> Poller:
        """A poller; replicas share the database and nothing else."""
        return Poller(
            transactions=self.transactions,
            asker=self.asker,
            metrics=PollerMetrics(CollectorRegistry()),
            polling=Polling(**polling),
        )

    async def ask(self, check: str = "alerts", **polling: Any) -> None:
        """It is time to ask, and everybody is asked."""
        await self.due(check)
        poller = self.poller(**polling)
        while await poller.ask_next():
            pass

    async def asks_at(self, moment: datetime, check: str = "alerts") -> None:
        """The same at another time."""
        self.clock.moment = moment
        await self.ask(check)

    async def said(self, *, since: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """What was said of alerts: the message's name and its payload."""
        found = await emitted(self.transactions)
        named = [(topic.split(".")[1], body) for topic, body in found if topic.startswith("weather.")]
        return named[since:]

    async def names(self) -> list[str]:
        """What was said of alerts, by name."""
        return [name.removeprefix("weather_") for name, _ in await self.said()]

    async def outcomes(self) -> list[dict[str, Any]]:
        """What the scheduler was told."""
        return [body for topic, body in await emitted(self.transactions) if "trigger_outcome" in topic]

    async def rows(self, table: sa.Table) -> list[Any]:
        async with self.transactions.engine.connect() as connection:
            return list(await connection.execute(sa.select(table)))

    async def open(self) -> list[Any]:
        """The incidents that last."""
        return [row for row in await self.rows(incidents) if row.closed_at is None]


@asynccontextmanager
async def a_desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """An empty database, a provider, and a clock that stands at noon."""
    clock = HandClock()
    with a_provider() as provider:
        http, asker = someone_who_asks(provider, clock)
        async with databases.transactions("weather", clock) as transactions:
            yield Desk(transactions, clock, provider, http, asker)
        await asker.close()
