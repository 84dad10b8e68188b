"""Taking messages off the queues: FastStream for one at a time, aio-pika itself for batches.

FastStream has no batch subscriber for RabbitMQ. Both share one connection, on which nothing is
published, with a channel per subscription; both acknowledge only after `Edge.take` has returned.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, cast

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from shared.messaging.batches import BatchConsumer, acknowledge, delivery_of
from shared.messaging.edge import Edge
from shared.messaging.naming import dead_queue_for
from shared.messaging.router import Subscription

GRACE_SECONDS: Final = 30.0
"""How long a stopping service waits for the handlers in flight."""


class Consumers:
    """All subscriptions of one service, on one connection of their own."""

    def __init__(self, url: str, *, service: str, subscriptions: Sequence[Subscription], edge: Edge) -> None:
        """Connects nothing yet."""
        self._service = service
        self._edge = edge
        self._broker = RabbitBroker(
            url,
            app_id=service,
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=GRACE_SECONDS,
            fail_fast=False,
            reconnect_interval=1.0,
            client_properties=cast("Any", {"connection_name": f"propman-{service}-consume"}),
            logger=None,
        )
        self._batches = [BatchConsumer(item, edge) for item in subscriptions if item.batch]
        for subscription in subscriptions:
            if not subscription.batch:
                self._subscribe(subscription)
        if subscriptions:
            self._subscribe_dead()

    async def start(self) -> None:
        """Connect and begin to consume; waits for the broker when it is not there yet."""
        connection = await self._broker.connect()
        await self._broker.start()
        for batch in self._batches:
            await batch.start(connection)

    async def stop(self) -> None:
        """Finish what is in flight, give back what was only fetched, and disconnect."""
        for batch in self._batches:
            await batch.stop()
        await self._broker.stop()

    async def ready(self) -> bool:
        """Whether the broker answers and every queue has its consumer."""
        return await self._broker.ping(timeout=2.0) and all(batch.consuming for batch in self._batches)

    def _subscribe(self, subscription: Subscription) -> None:
        async def consume(message: RabbitMessage) -> None:
            await self._edge.take(subscription, delivery_of(message.raw_message))
            await acknowledge(message.raw_message)

        self._attach(subscription.queue, subscription.prefetch, consume)

    def _subscribe_dead(self) -> None:
        """What the broker gave up on is brought into the service's own table."""

        async def collect(message: RabbitMessage) -> None:
            await self._edge.bury_returned(self._service, delivery_of(message.raw_message))
            await acknowledge(message.raw_message)

        self._attach(dead_queue_for(self._service), 1, collect)

    def _attach(
        self, queue: str, prefetch: int, consume: Callable[[RabbitMessage], Coroutine[Any, Any, None]]
    ) -> None:
        # The body is read by the edge, so that what cannot be read becomes a dead letter with its reason.
        subscriber = self._broker.subscriber(
            RabbitQueue(queue, declare=False, durable=True),
            channel=Channel(prefetch_count=prefetch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_leave_body,
        )
        subscriber(consume)


async def _leave_body(_message: Any) -> None:
    return None
