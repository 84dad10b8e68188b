"""Which queues nobody takes from, asked of the broker itself."""

import asyncio
from collections.abc import Collection
from typing import Final

import aio_pika
import aio_pika.exceptions
from aio_pika.abc import AbstractConnection

PATIENCE: Final = 5.0
"""Seconds for all of them."""


class BrokerSilent(Exception):
    """The broker did not say, and nothing is known of any queue."""


async def queues_without_consumer(url: str, names: Collection[str]) -> set[str]:
    """Which of these queues are there and have no consumer; raises `BrokerSilent`.

    A queue that is not there is not among them: its messages are unroutable, and shown as such.
    """
    try:
        async with asyncio.timeout(PATIENCE), await aio_pika.connect(url, timeout=PATIENCE) as connection:
            return {name for name in sorted(names) if await _consumers(connection, name) == 0}
    except (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerSilent(str(error)) from error


async def _consumers(connection: AbstractConnection, name: str) -> int | None:
    channel = await connection.channel()  # of its own: the broker closes it where there is no such queue
    try:
        declared = await channel.declare_queue(name, passive=True)
    except aio_pika.exceptions.ChannelNotFoundEntity:
        return None
    finally:
        if not channel.is_closed:
            await channel.close()
    return declared.declaration_result.consumer_count
