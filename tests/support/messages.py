"""Running the real edge on a message without a broker, and reading what it left in the outbox."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from typing_extensions import override

from shared.contracts.base import Message
from shared.identity import new_id
from shared.messaging.edge import Edge, Outcome, probe_database
from shared.messaging.envelope import Delivery
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.outage import OutageGate
from shared.messaging.publisher import Outgoing, Publisher, Result
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Router, Subscription
from shared.messaging.tables import dead_letters, inbox, outbox
from shared.messaging.transaction import Transactions


class RecordingPublisher(Publisher):
    """Keeps what would have been published; for tests of what is done, not of the broker."""

    def __init__(self) -> None:
        super().__init__("amqp://nowhere", name="recording")
        self.sent: list[Outgoing] = []

    @override
    async def publish(self, batch: Sequence[Outgoing]) -> list[Result]:
        self.sent.extend(batch)
        return ["confirmed"] * len(batch)


def edge_for(transactions: Transactions, publisher: Publisher | None = None) -> Edge:
    """The edge as a service has it, on a test's database."""
    ladder = RetryLadder(publisher or RecordingPublisher(), source="test")
    metrics = MessagingMetrics(CollectorRegistry())
    return Edge(transactions, ladder, metrics, OutageGate(lambda: probe_database(transactions)))


def subscription_for(router: Router, message: Message) -> Subscription:
    """The subscription of a router for a message; fails where it has none."""
    return next(item for item in router.subscriptions if item.topic == message.topic)


def delivery_for(
    message: Message, message_id: UUID | None = None, correlation_id: UUID | None = None
) -> Delivery:
    """A message as the broker would deliver it."""
    identity = message_id or new_id()
    return Delivery(
        body=message.model_dump_json().encode(),
        message_id=str(identity),
        topic=message.topic,
        correlation_id=str(correlation_id or identity),
        headers={"ce-subject": message.subject},
    )


async def deliver(
    transactions: Transactions,
    router: Router,
    message: Message,
    *,
    message_id: UUID | None = None,
    correlation_id: UUID | None = None,
    publisher: Publisher | None = None,
) -> Outcome:
    """Let a service handle one message, with everything the edge does around it."""
    edge = edge_for(transactions, publisher)
    return await edge.take(
        subscription_for(router, message), delivery_for(message, message_id, correlation_id)
    )


async def deliver_batch(
    transactions: Transactions, router: Router, messages: Sequence[Message], *, ids: Sequence[UUID] = ()
) -> bool:
    """Let a batch subscriber take several messages of one kind in one transaction."""
    identities = list(ids) or [new_id() for _ in messages]
    deliveries = [delivery_for(item, identity) for item, identity in zip(messages, identities, strict=True)]
    return await edge_for(transactions).take_batch(subscription_for(router, messages[0]), deliveries)


async def emitted(transactions: Transactions) -> list[tuple[str, dict[str, Any]]]:
    """Topic and payload of everything in the outbox, in order."""
    async with transactions.engine.connect() as connection:
        rows = await connection.execute(sa.select(outbox.c.topic, outbox.c.body).order_by(outbox.c.id))
        return [(row.topic, json.loads(row.body)) for row in rows]


async def count_rows(transactions: Transactions, table: sa.Table) -> int:
    """How many rows a table has."""
    async with transactions.engine.connect() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


__all__ = [
    "RecordingPublisher",
    "count_rows",
    "dead_letters",
    "deliver",
    "deliver_batch",
    "delivery_for",
    "edge_for",
    "emitted",
    "inbox",
    "outbox",
    "subscription_for",
]
