"""A hot queue taken in batches: one transaction, one inbox insert, one multiple acknowledgement."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import aio_pika
import structlog
from aio_pika.abc import (
    AbstractChannel,
    AbstractIncomingMessage,
    AbstractQueue,
    AbstractRobustConnection,
)

from shared.messaging.edge import Edge
from shared.messaging.envelope import Delivery
from shared.messaging.errors import describe
from shared.messaging.router import Subscription

COLLECT_SECONDS: Final = 0.005
"""How long the first message of a batch waits for company."""

GRACE_SECONDS: Final = 30.0
"""How long a stopping service waits for the handlers in flight."""

GIVE_BACK_SECONDS: Final = 1.0
"""The pause before a message that even the edge could not settle goes back to its queue."""

log = structlog.get_logger()


class BatchConsumer:
    """Collects up to `batch` deliveries of one queue for at most 5 ms and takes them together."""

    def __init__(self, subscription: Subscription, edge: Edge) -> None:
        """Consumes nothing yet."""
        self._subscription = subscription
        self._edge = edge
        self._arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._source: object = None
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self._tag: str | None = None
        self._worker: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def consuming(self) -> bool:
        """Whether the worker is alive and the broker knows us as the consumer of an open channel."""
        if self._worker is None or self._worker.done() or self._channel is None:
            return False
        return await has_consumer(self._channel, self._tag)

    async def start(self, connection: AbstractRobustConnection) -> None:
        """Open a channel of its own and begin to collect."""
        channel = self._channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=self._subscription.prefetch)
        queue = self._queue = await channel.get_queue(self._subscription.queue)
        self._tag = await queue.consume(self._arrive)
        self._worker = asyncio.create_task(self._work(), name=f"batches-{self._subscription.queue}")

    async def stop(self) -> None:
        """Finish the batch in hand; what was only fetched goes back to the queue with the channel."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._queue is not None and self._tag is not None:
            await _at_most(2, self._queue.cancel(self._tag))
        if self._worker is not None:
            await asyncio.wait([self._worker], timeout=GRACE_SECONDS)
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._channel is not None:
            await _at_most(2, self._channel.close())

    async def _arrive(self, message: AbstractIncomingMessage) -> None:
        with suppress(RuntimeError):  # its channel is closed already: it will come again
            if message.channel is not self._source:
                # A new channel: what the old one brought comes again, and can only be acknowledged there.
                while not self._arrived.empty():
                    self._arrived.get_nowait()
                self._source = message.channel
            self._arrived.put_nowait(message)

    async def _work(self) -> None:
        while (batch := await self._collect()) is not None:
            await self._take(batch)

    async def _collect(self) -> list[AbstractIncomingMessage] | None:
        first = await self._first()
        if first is None:
            return None
        batch = [first]
        deadline = asyncio.get_running_loop().time() + COLLECT_SECONDS
        while len(batch) < self._subscription.batch:
            try:
                batch.append(self._arrived.get_nowait())
            except asyncio.QueueEmpty:
                if asyncio.get_running_loop().time() >= deadline:
                    break
                await asyncio.sleep(0.001)
        return batch

    async def _first(self) -> AbstractIncomingMessage | None:
        """The next arrival, or None when asked to stop."""
        if self._stopping.is_set():
            return None
        if not self._arrived.empty():
            return self._arrived.get_nowait()
        arrival = asyncio.ensure_future(self._arrived.get())
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([arrival, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if arrival.done():
            return arrival.result()
        arrival.cancel()
        return None

    async def _take(self, batch: Sequence[AbstractIncomingMessage]) -> None:
        deliveries = [delivery_of(message) for message in batch]
        if await self._edge.take_batch(self._subscription, deliveries):
            await acknowledge(batch[-1], multiple=True)
            return
        for message, delivery in zip(batch, deliveries, strict=True):
            await settle(message, self._edge.take(self._subscription, delivery))


async def has_consumer(channel: AbstractChannel, tag: str | None) -> bool:
    """Whether a channel is open and consumes under this tag; one that is being restored is not."""
    try:
        async with asyncio.timeout(1):
            underlay = await channel.get_underlay_channel()
    except (aio_pika.exceptions.AMQPError, RuntimeError, OSError, TimeoutError):
        return False
    return not underlay.is_closed and tag in cast("Any", underlay).consumers


def delivery_of(message: AbstractIncomingMessage) -> Delivery:
    """What the edge needs of a message."""
    return Delivery(
        body=message.body,
        message_id=message.message_id,
        topic=message.type,
        correlation_id=str(message.correlation_id) if message.correlation_id else None,
        headers=message.headers,
    )


async def settle(message: AbstractIncomingMessage, taking: Awaitable[object]) -> None:
    """Acknowledge a message once it was taken; give it back when even the edge failed at it."""
    try:
        await taking
    except Exception as error:  # noqa: BLE001 - nothing may leave a message hanging, or end its consumer
        # No traceback: drawn with its locals it takes seconds, and shows what messages carry.
        log.error("message_given_back", message_id=message.message_id, error=describe(error))  # noqa: TRY400
        await asyncio.sleep(GIVE_BACK_SECONDS)
        with suppress(aio_pika.exceptions.AMQPError, RuntimeError, OSError):
            await message.reject(requeue=True)
    else:
        await acknowledge(message)


async def _at_most(seconds: float, step: Awaitable[object]) -> None:
    """Take a step of saying goodbye; a robust channel would wait for a broker that is gone."""
    with suppress(aio_pika.exceptions.AMQPError, RuntimeError, OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            await step


async def acknowledge(message: AbstractIncomingMessage, *, multiple: bool = False) -> None:
    """Acknowledge; on a connection that broke meanwhile the broker redelivers, and the inbox knows it."""
    try:
        await message.ack(multiple=multiple)
    except (aio_pika.exceptions.AMQPError, RuntimeError, OSError) as error:
        log.info("acknowledgement_lost", message_id=message.message_id, error=describe(error))
