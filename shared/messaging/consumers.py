"""Taking messages off the queues: FastStream for one at a time, aio-pika itself for batches.

FastStream has no batch subscriber for RabbitMQ. Both share one connection, on which nothing is
published, with a channel per subscription; both acknowledge only after `Edge.take` has returned.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, cast

import aio_pika
import structlog
from aio_pika.abc import AbstractRobustConnection
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from shared.messaging.batches import GRACE_SECONDS, BatchConsumer, delivery_of, has_consumer, settle
from shared.messaging.edge import Edge
from shared.messaging.errors import describe
from shared.messaging.naming import dead_queue_for
from shared.messaging.router import Subscription

RECONNECT_SECONDS: Final = 1.0

WATCH_SECONDS: Final = 2.0
MOST_MISSES: Final = 3
"""How often in a row a queue may be found without its consumer before all of them begin anew."""

log = structlog.get_logger()


class Consumers:
    """All subscriptions of one service, on one connection of their own."""

    def __init__(self, url: str, *, service: str, subscriptions: Sequence[Subscription], edge: Edge) -> None:
        """Connects nothing yet."""
        self._url = url
        self._service = service
        self._subscriptions = subscriptions
        self._edge = edge
        self._connection: AbstractRobustConnection | None = None
        self._watch: asyncio.Task[None] | None = None
        self._prepare()

    def _prepare(self) -> None:
        """A broker and batch consumers that have not been used yet."""
        self._broker = RabbitBroker(
            self._url,
            app_id=self._service,
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=GRACE_SECONDS,
            fail_fast=False,
            reconnect_interval=RECONNECT_SECONDS,
            client_properties=cast("Any", {"connection_name": f"propman-{self._service}-consume"}),
            logger=None,
            # Injecting parameters would cost a thread per message; a handler of ours takes the message.
            apply_types=False,
        )
        self._batches = [BatchConsumer(item, self._edge) for item in self._subscriptions if item.batch]
        for subscription in self._subscriptions:
            if not subscription.batch:
                self._subscribe(subscription)
        if self._subscriptions:
            self._subscribe_dead()

    async def start(self) -> None:
        """Connect and begin to consume; waits for the broker when it is not there yet."""
        await self._await_broker()
        await self._connect()
        self._watch = asyncio.create_task(self._keep_consuming(), name=f"{self._service}-consumers")

    async def stop(self) -> None:
        """Finish what is in flight, give back what was only fetched, and disconnect."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._disconnect()

    async def ready(self) -> bool:
        """Whether the broker answers and every queue has its consumer."""
        return await self._broker.ping(timeout=2.0) and await self._all_consuming()

    async def _connect(self) -> None:
        connection = self._connection = await self._broker.connect()
        await self._broker.start()
        for batch in self._batches:
            await batch.start(connection)

    async def _disconnect(self) -> None:
        await asyncio.gather(*(batch.stop() for batch in self._batches))
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            # Without a connection FastStream would wait for the next one; nothing is in flight then.
            if connection.connected.is_set():
                async with asyncio.timeout(GRACE_SECONDS + 5):
                    await self._broker.stop()
        except Exception as error:  # noqa: BLE001 - whatever it was, the connection is closed and we leave
            log.warning("consumers_stopped_hard", service=self._service, error=describe(error))
        finally:
            await connection.close()

    async def _keep_consuming(self) -> None:
        """Begin anew where a queue stays without its consumer although the broker answers.

        aio-pika restores channels by itself, but not one that loses its connection in the middle of
        being restored: that one stays deaf for ever.
        """
        misses = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            misses = 0 if await self._all_consuming() else misses + 1
            if misses < MOST_MISSES:
                continue
            await self._await_broker()
            await asyncio.sleep(WATCH_SECONDS)  # it may have come back just now, and restore itself
            if not await self._all_consuming():
                await self._begin_anew()
            misses = 0

    async def _begin_anew(self) -> None:
        log.warning("consumers_restarted", service=self._service)
        try:
            await self._disconnect()
            self._prepare()
            await self._connect()
        except Exception as error:  # noqa: BLE001 - the watch goes on, and finds them missing again
            log.warning("consumers_not_restarted", service=self._service, error=describe(error))

    async def _all_consuming(self) -> bool:
        alive = [await batch.consuming() for batch in self._batches]
        for subscriber in self._broker.subscribers:
            queue, tag = getattr(subscriber, "_queue_obj", None), getattr(subscriber, "_consumer_tag", None)
            alive.append(queue is not None and await has_consumer(queue.channel, tag))
        return all(alive)

    async def _await_broker(self) -> None:
        """Wait until the broker answers, in a way that can be cancelled: aio-pika's own cannot."""
        while True:
            try:
                await (await aio_pika.connect(self._url, timeout=5)).close()
            except (aio_pika.exceptions.AMQPError, OSError, TimeoutError) as error:
                log.warning("waiting_for_broker", service=self._service, error=describe(error))
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                return

    def _subscribe(self, subscription: Subscription) -> None:
        async def consume(message: RabbitMessage) -> None:
            raw = message.raw_message
            await settle(raw, self._edge.take(subscription, delivery_of(raw)))

        self._attach(subscription.queue, subscription.prefetch, consume)

    def _subscribe_dead(self) -> None:
        """What the broker gave up on is brought into the service's own table."""

        async def collect(message: RabbitMessage) -> None:
            raw = message.raw_message
            await settle(raw, self._edge.bury_returned(self._service, delivery_of(raw)))

        self._attach(dead_queue_for(self._service), 1, collect)

    def _attach(
        self, queue: str, prefetch: int, consume: Callable[[RabbitMessage], Coroutine[Any, Any, None]]
    ) -> None:
        # The body is read by the edge, so that what cannot be read becomes a dead letter with its reason.
        subscriber = self._broker.subscriber(
            RabbitQueue(queue, declare=False, durable=True),
            channel=Channel(prefetch_count=prefetch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_whole_message,
        )
        subscriber(consume)


async def _whole_message(message: RabbitMessage) -> RabbitMessage:
    return message
