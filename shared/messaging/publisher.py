"""A connection of its own for publishing, with confirms: what comes back without error is safe.

Consumers have another connection: when the broker blocks publishers (a memory alarm) acknowledgements
on the same connection would be stuck behind them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import ConfirmationFrameType, DeliveredMessage
from pamqp import commands

from shared.messaging.envelope import CONTENT_TYPE

CONFIRM_SECONDS: Final = 15.0
"""How long to wait for a batch's confirms. After that their outcome is unknown and they are sent again."""

Result = Literal["confirmed", "unroutable", "refused"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it leaves: body, AMQP properties, and where to."""

    exchange: str
    routing_key: str
    body: bytes
    properties: commands.Basic.Properties


def properties(
    *,
    message_id: str,
    topic: str,
    correlation_id: str | None,
    source: str,
    timestamp: datetime,
    headers: dict[str, Any],
) -> commands.Basic.Properties:
    """Persistent, with the CloudEvents attributes where AMQP has a place for them."""
    return commands.Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=2,
        message_id=message_id,
        message_type=topic,
        correlation_id=correlation_id,
        app_id=source,
        timestamp=timestamp,
        headers={name: value for name, value in headers.items() if value is not None},
    )


class Publisher:
    """Publishes batches in order, `mandatory` and confirmed, over one connection and one channel."""

    def __init__(self, url: str, *, name: str) -> None:
        """Connects on first use; `name` is what the broker's console shows."""
        self._url = url
        self._name = name
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._lock = asyncio.Lock()

    async def publish(self, batch: Sequence[Outgoing]) -> list[Result]:
        """Send a batch and wait for every confirm.

        Raises `TimeoutError` or the connection's error where the outcome of any is unknown; the caller
        then sends the whole batch again, under the same message ids.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    channel = await self._open_channel()
                    underlay = await channel.get_underlay_channel()
                    # Tasks write their frames in the order they are made: broker order is batch order.
                    sent = [asyncio.ensure_future(self._send(underlay, message)) for message in batch]
                    return await _all_or_nothing(sent)
            except BaseException:
                await self.close()
                raise

    async def _send(self, underlay: Any, message: Outgoing) -> Result:
        try:
            confirmation: ConfirmationFrameType | DeliveredMessage | None = await underlay.basic_publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=message.properties,
                mandatory=True,
                wait=False,  # the confirm says more than the socket's drain, at half the cost
            )
        except aio_pika.exceptions.DeliveryError:  # a nack: this one only, the channel is well
            return "refused"
        return "confirmed" if isinstance(confirmation, commands.Basic.Ack) else "unroutable"

    async def _open_channel(self) -> AbstractChannel:
        if self._connection is None:
            self._connection = await aio_pika.connect(
                self._url, timeout=5, client_properties={"connection_name": self._name}
            )
        if self._channel is None:
            self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=False)
        return self._channel

    async def close(self) -> None:
        """Drop the connection; the next publish makes a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await asyncio.wait([asyncio.ensure_future(_close_quietly(connection))], timeout=2)


async def _all_or_nothing(sent: Sequence[asyncio.Future[Result]]) -> list[Result]:
    try:
        return await asyncio.gather(*sent)
    finally:
        for future in sent:
            future.cancel()


async def _close_quietly(connection: AbstractConnection) -> None:
    try:
        await connection.close()
    except (aio_pika.exceptions.AMQPError, OSError, asyncio.CancelledError, RuntimeError):
        return
