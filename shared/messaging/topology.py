"""The exchanges and queues of the whole system, declared in one step that may be repeated.

Declared before any service starts, so that the order in which services start can never lose a fact
for a consumer that was not there yet.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

from shared.messaging.naming import DEAD, EVENTS, RETRY_SECONDS, dead_queue_for, retry_name
from shared.messaging.router import Subscription

DELIVERY_LIMIT: Final = 50
"""Redeliveries before the broker itself gives up. Each deploy burns one per message in flight, and our
own attempt header ends retries long before; this stops only what kills the process that takes it."""

NO_LIMIT: Final = 1_000_000


def queue_arguments(consumer: str) -> dict[str, Any]:
    """What ordering and safety need, on RabbitMQ 3.10 as on 4.x; the rest belongs in policies.

    A quorum queue keeps redelivered messages at its head only where a delivery limit is set (3.10),
    and dead-letters at least once only with `reject-publish`.
    """
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": dead_queue_for(consumer),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def declare(
    channel: AbstractChannel, subscriptions: Iterable[Subscription], *, rungs: Sequence[int] = RETRY_SECONDS
) -> int:
    """Declare everything for these subscriptions; returns the number of queues of messages."""
    listed = list(subscriptions)
    events = await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
    await _declare_dead(channel, sorted({item.consumer for item in listed}))
    await _declare_ladder(channel, rungs)
    for subscription in listed:
        queue = await channel.declare_queue(
            subscription.queue, durable=True, arguments=queue_arguments(subscription.consumer)
        )
        await queue.bind(events, subscription.topic)
    return len(listed)


async def _declare_dead(channel: AbstractChannel, consumers: Iterable[str]) -> None:
    dead = await channel.declare_exchange(DEAD, ExchangeType.DIRECT, durable=True)
    for consumer in consumers:
        name = dead_queue_for(consumer)
        # RabbitMQ 4 drops after 20 redeliveries where nothing is said, and nothing comes after this queue.
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": NO_LIMIT}
        queue = await channel.declare_queue(name, durable=True, arguments=arguments)
        await queue.bind(dead, name)


async def _declare_ladder(channel: AbstractChannel, rungs: Sequence[int]) -> None:
    """One queue per delay: a message's time to live is only looked at when it is at the head.

    The rung is entered under the name of the queue to come back to, and leaves through the default
    exchange by that same name, so that nobody else sees the message again.
    """
    for seconds in rungs:
        name = retry_name(seconds)
        exchange = await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
        queue = await channel.declare_queue(
            name,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-message-ttl": seconds * 1_000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        await queue.bind(exchange)


def retry_names() -> list[str]:
    """The queues of the ladder, in which messages wait for their next try."""
    return [retry_name(seconds) for seconds in RETRY_SECONDS]
