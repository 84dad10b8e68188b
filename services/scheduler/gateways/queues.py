"""What waits in queues and who takes from them, asked of the broker itself."""

import asyncio
from collections.abc import Collection
from typing import Final

import aio_pika
import aio_pika.exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection

from services.scheduler.domain.services import QueueState

PATIENCE: Final = 5.0
"""Seconds for all of them."""


class BrokerSilent(Exception):
    """The broker did not say, and nothing is known of any queue."""


async def queue_states(url: str, names: Collection[str]) -> dict[str, QueueState]:
    """How these queues are, by name; raises `BrokerSilent`.

    A queue that is not there is not among them: its messages are unroutable, and shown as such.
    """
    found: dict[str, QueueState] = {}
    try:
        async with asyncio.timeout(PATIENCE), await aio_pika.connect(url, timeout=PATIENCE) as connection:
            channel = await connection.channel()
            for name in sorted(names):
                channel = await _open(connection, channel)
                if state := await _state(channel, name):
                    found[name] = state
    except (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerSilent(str(error)) from error
    return found


async def _open(connection: AbstractConnection, channel: AbstractChannel) -> AbstractChannel:
    """The channel, or a new one: the broker closes it where somebody asks for a queue that is not there."""
    return await connection.channel() if channel.is_closed else channel


async def _state(channel: AbstractChannel, name: str) -> QueueState | None:
    try:
        declared = (await channel.declare_queue(name, passive=True)).declaration_result
    except aio_pika.exceptions.ChannelNotFoundEntity:
        return None
    return QueueState(declared.message_count or 0, declared.consumer_count or 0)
