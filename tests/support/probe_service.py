"""A small service with everything a real one has, in the test's own process, on real servers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import aio_pika
import asyncpg
import sqlalchemy as sa
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from prometheus_client import CollectorRegistry

from shared.contracts.base import Message
from shared.db import columnar, create_engine, driver_url, insert_rows
from shared.identity import new_id
from shared.messaging import topology
from shared.messaging.consumers import Consumers
from shared.messaging.dead_letters import DeadLetter, list_dead_letters
from shared.messaging.edge import Edge, probe_database
from shared.messaging.envelope import Received
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import RETRY_SECONDS, dead_queue_for
from shared.messaging.outage import OutageGate
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Router
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions, Tx
from tests.support.brokers import TestVhost
from tests.support.eventually import eventually
from tests.support.probe import Noted

EFFECTS = sa.Table(
    "effects",
    sa.MetaData(schema="probe"),
    sa.Column("item_id", sa.Uuid, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
)
CREATE_EFFECTS = """
    create schema if not exists probe;
    create table if not exists probe.effects
        (id bigint generated always as identity, item_id uuid not null, number int not null);
    grant usage on schema probe to public;
    grant all on all tables in schema probe to public;
    delete from probe.effects;
    delete from inbox;
    delete from outbox;
    delete from dead_letters"""


async def note(message: Any, tx: Tx) -> None:
    """Handle a message by one row, so that a second handling is seen."""
    await tx.connection.execute(EFFECTS.insert().values(item_id=message.item_id, number=message.number))


async def note_all(batch: Sequence[Received[Noted]], tx: Tx) -> None:
    """Handle a batch by one row for each message, in one statement."""
    columns = ("item_id", "number")
    rows = [{"item_id": item.body.item_id, "number": item.body.number} for item in batch]
    await tx.connection.execute(insert_rows(EFFECTS, columns), columnar(rows, columns))


class Held:
    """A handler that stands still in its transaction, its effect written, until it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, message: Any, tx: Tx) -> None:
        """Note the message and wait; the first time only."""
        await (note_all(message, tx) if isinstance(message, Sequence) else note(message, tx))
        self.entered.set()
        await self.release.wait()


@dataclass(frozen=True)
class Ground:
    """Where a probe runs: a database of billing's kind, and a virtual host."""

    database_url: str
    admin_url: str
    transactions: Transactions
    vhost: TestVhost

    async def admin(self, statement: str, *arguments: object) -> Any:
        """Run SQL as the administrator; returns its first value."""
        connection = await asyncpg.connect(driver_url(self.admin_url))
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    async def elsewhere(self, statement: str, *arguments: object) -> Any:
        """The same in another database of that server, for when this one is closed."""
        url = sa.make_url(self.admin_url).set(database="postgres").render_as_string(hide_password=False)
        connection = await asyncpg.connect(driver_url(url))
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    async def end_backends(self, application: str) -> int:
        """End the server's side of connections, as an administrator would; returns how many."""
        found = await self.elsewhere(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name like $1 and datname = $2",
            application,
            sa.make_url(self.admin_url).database,
        )
        return int(found)

    async def prepare(self) -> None:
        """Make the table of effects; empty it and the tables of messaging (faster than to truncate)."""
        connection = await asyncpg.connect(driver_url(self.admin_url))
        try:
            await connection.execute(CREATE_EFFECTS)
        finally:
            await connection.close()

    async def rows(self, table: sa.Table) -> list[Any]:
        """Every row of a table, the oldest first where it has ids."""
        async with self.transactions.engine.connect() as connection:
            order = [table.c.id] if "id" in table.c else []
            return list(await connection.execute(sa.select(table).order_by(*order)))

    async def flushed(self) -> None:
        """Wait until nothing is left in the outbox."""

        async def is_empty() -> bool:
            return not await self.rows(outbox)

        await eventually(is_empty)

    async def numbers(self) -> list[int]:
        """The number of every effect, in the order they were committed in."""
        return [row.number for row in await self.rows(EFFECTS)]

    async def letters(self) -> list[DeadLetter]:
        """Every open dead letter."""
        async with self.transactions.engine.connect() as connection:
            return await list_dead_letters(connection)

    async def emit(self, *messages: Message) -> UUID:
        """Say something in a transaction of its own; returns the correlation id."""
        async with self.transactions.command("test") as tx:
            tx.emit(*messages)
        return tx.cause.correlation_id


class MakeProbe(Protocol):
    """Makes a probe of a handler; it is stopped when the test ends."""

    def __call__(self, handler: Any = ..., *, batch: int = 0, **options: Any) -> "ProbeService": ...


class ProbeService:
    """Consumers, relay, edge and ladder of one consumer name."""

    def __init__(
        self,
        ground: Ground,
        router: Router,
        *,
        rungs: Sequence[int] = RETRY_SECONDS,
        broker_url: str | None = None,
        database_url: str | None = None,
    ) -> None:
        self.ground = ground
        self.router = router
        self.rungs = rungs
        self.broker_url = broker_url or ground.vhost.url
        self.database_url = database_url or ground.database_url
        self.registry = CollectorRegistry()
        self.metrics = MessagingMetrics(self.registry)
        self.engine = create_engine(self.database_url, application="probe")
        self.transactions = Transactions(self.engine, ground.transactions.clock)
        self.gate = OutageGate(lambda: probe_database(self.transactions))
        self.publishers = [Publisher(self.broker_url, name=f"probe-{use}") for use in ("relay", "retry")]
        ladder = RetryLadder(self.publishers[1], source="probe", rungs=rungs)
        self.edge = Edge(self.transactions, ladder, self.metrics, self.gate)
        self.consumers = Consumers(
            self.broker_url, service=router.consumer, subscriptions=router.subscriptions, edge=self.edge
        )
        self.relay = Relay(
            service="probe",
            dsn=driver_url(self.database_url),
            publisher=self.publishers[0],
            metrics=self.metrics,
            clock=self.transactions.clock,
        )
        self.relay_task: asyncio.Task[None] | None = None

    @property
    def queue(self) -> str:
        """The queue of its first subscription."""
        return self.router.subscriptions[0].queue

    async def declare(self) -> None:
        """Its exchanges and queues."""
        async with open_channel(self.ground.vhost.url) as channel:
            await topology.declare(channel, self.router.subscriptions, rungs=self.rungs)

    async def start(self, *, consume: bool = True) -> None:
        """Declare, publish, and consume unless told otherwise."""
        await self.declare()
        self.start_relay()
        if consume:
            await self.consumers.start()

    def start_relay(self) -> None:
        """Publish from now on."""
        self.relay_task = asyncio.create_task(self.relay.run())

    async def stop(self) -> None:
        """Drain and leave; may be repeated."""
        await self.consumers.stop()
        self.relay.stop()
        if self.relay_task is not None:
            await asyncio.gather(self.relay_task, return_exceptions=True)
        for publisher in self.publishers:
            await publisher.close()
        await self.engine.dispose()

    async def leads(self) -> None:
        """Wait until its relay is the one that publishes."""
        await eventually(lambda: self.sample("propman_relay_leader") == 1)

    async def handled(self, count: int, outcome: str = "done") -> None:
        """Wait until so many messages ended that way, and no more of them."""
        await eventually(lambda: self.outcomes(outcome) >= count)
        assert self.outcomes(outcome) == count

    def outcomes(self, outcome: str) -> float:
        """How many messages ended that way, of whatever topic."""
        return sum(
            self.sample("propman_messages_handled_total", topic=item.topic, outcome=outcome)
            for item in self.router.subscriptions
        )

    async def waiting(self, count: int, queue: str | None = None) -> None:
        """Wait until so many messages wait in a queue and are in nobody's hands."""

        async def so_many() -> bool:
            return await self.ready(queue) == count

        await eventually(so_many)

    def sample(self, name: str, **labels: str) -> float:
        """The value of one of its metrics."""
        return self.registry.get_sample_value(name, labels) or 0.0

    async def send(self, body: bytes, *, queue: str | None = None, **properties: Any) -> None:
        """Put anything at all into its queue, as a stranger might."""
        async with open_channel(self.ground.vhost.url) as channel:
            message = aio_pika.Message(body, **({"delivery_mode": 2} | properties))
            await channel.default_exchange.publish(message, routing_key=queue or self.queue)

    async def send_all(self, *messages: Message) -> None:
        """Put good messages into its queue, past the outbox."""
        async with open_channel(self.ground.vhost.url) as channel:
            for message in messages:
                await channel.default_exchange.publish(as_amqp(message), routing_key=self.queue)

    async def ready(self, queue: str | None = None) -> int:
        """How many messages wait in a queue and are in nobody's hands."""
        async with open_channel(self.ground.vhost.url) as channel:
            found = await channel.declare_queue(queue or self.queue, passive=True)
            return int(found.declaration_result.message_count or 0)

    async def get(self, queue: str | None = None) -> AbstractIncomingMessage | None:
        """Take one message out of a queue, for good."""
        async with open_channel(self.ground.vhost.url) as channel:
            found = await channel.get_queue(queue or self.queue)
            return await found.get(no_ack=True, fail=False)

    async def remove(self) -> None:
        """Delete its queues."""
        names = [item.queue for item in self.router.subscriptions] + [dead_queue_for(self.router.consumer)]
        async with open_channel(self.ground.vhost.url) as channel:
            for name in names:
                with suppress(aio_pika.exceptions.ChannelClosed):
                    await channel.queue_delete(name)


@asynccontextmanager
async def open_channel(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own, past every proxy."""
    async with await aio_pika.connect(url) as connection:
        yield await connection.channel()


def as_amqp(message: Message, message_id: UUID | None = None) -> aio_pika.Message:
    """A message as a relay would send it, near enough."""
    return aio_pika.Message(
        message.model_dump_json().encode(),
        message_id=str(message_id or new_id()),
        type=message.topic,
        delivery_mode=2,
    )
