"""Knowing that nothing is under way any more, exactly and at once, wherever the services run.

Every message passes the one exchange. A queue of our own that hears all of them says what was published;
each consumer's inbox says what it has handled; what was handled has left its consequences in the same
transaction, in an outbox or as work for a service's own workers. So nothing is under way when, in this order,
every published message is in the inbox of all that take it, no worker has anything in hand, no outbox has a
row, and nothing new was published meanwhile.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

import aio_pika
import sqlalchemy as sa
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel, AbstractRobustConnection
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import all_subscriptions
from shared.cli import CommandError
from shared.clock import stopwatch
from shared.messaging.naming import EVENTS
from shared.messaging.tables import dead_letters, inbox, outbox

QUEUE: Final = "propman.simulation"
"""Hears everything while a past is simulated; kept until its end: a run that was cut off goes on with it."""

PAUSE: Final = 0.004
"""Seconds between two looks."""

STUCK: Final = 120.0
"""Seconds without any progress after which something must be wrong."""

_HANDLED: Final = sa.select(inbox.c.message_id).where(
    inbox.c.consumer == sa.bindparam("topic"),
    inbox.c.message_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))),
)
_ANY_WAITS: Final = sa.select(sa.exists(sa.select(1).select_from(outbox)))
_ANY_DEAD: Final = sa.select(dead_letters.c.queue, dead_letters.c.error).where(dead_letters.c.state == "open")

Busy = Callable[[AsyncConnection], Awaitable[bool]]
"""Whether a service's own workers have something in hand, or to take in hand by now."""


class Tap:
    """What was published and is not known to be handled, by service and message."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._takers: defaultdict[str, list[str]] = defaultdict(list)
        for item in all_subscriptions():
            self._takers[item.topic].append(item.consumer)
        self.pending: defaultdict[tuple[str, str], set[UUID]] = defaultdict(set)
        self.heard = 0
        self._newest: AbstractIncomingMessage | None = None
        self._marks: dict[str, asyncio.Event] = {}
        self._connection: AbstractRobustConnection | None = None
        self._channel: AbstractRobustChannel | None = None

    async def open(self) -> None:
        """Declare the queue and listen."""
        self._connection = await aio_pika.connect_robust(self._url, timeout=5)
        channel = self._channel = await self._connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(QUEUE, durable=True)
        await queue.bind(EVENTS, routing_key="#")
        await queue.consume(self._hear)

    async def close(self) -> None:
        """Stop listening; the queue stays, for whoever goes on."""
        if self._connection is not None:
            await self._connection.close()

    async def forget(self) -> None:
        """Take the queue away: as long as it hears everything, no trigger is ever unheard."""
        if self._channel is not None:
            await self._channel.queue_delete(QUEUE)

    async def catch_up(self) -> None:
        """Hear everything that was published by now: a queue keeps its order."""
        mark, channel = uuid4().hex, self._channel
        assert channel is not None  # noqa: S101 - opened by whoever asks
        arrived = self._marks[mark] = asyncio.Event()
        message = aio_pika.Message(b"", message_id=mark)
        await channel.default_exchange.publish(message, routing_key=QUEUE, mandatory=False)
        async with asyncio.timeout(STUCK):
            await arrived.wait()

    async def settled(self) -> None:
        """Everything that was heard is handled: the broker need not keep it for us any more."""
        newest, self._newest = self._newest, None
        if newest is not None:
            with suppress(aio_pika.exceptions.AMQPError, RuntimeError, OSError):
                await newest.ack(multiple=True)

    def done(self, service: str, topic: str, identities: set[UUID]) -> None:
        """These are in a consumer's inbox."""
        self.pending[service, topic] -= identities
        if not self.pending[service, topic]:
            del self.pending[service, topic]

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        self._newest = message
        if (mark := self._marks.pop(message.message_id or "", None)) is not None:
            mark.set()
            return
        self.heard += 1
        for service in self._takers.get(message.type or "", ()):
            self.pending[service, message.type or ""].add(UUID(message.message_id))


class Watch:
    """Waits until nothing is under way."""

    def __init__(self, tap: Tap, databases: Mapping[str, AsyncConnection], busy: Mapping[str, Busy]) -> None:
        """`databases` are connections that commit by themselves; `busy` asks those that have workers."""
        self._tap = tap
        self._databases = databases
        self._busy = busy

    async def end(self) -> None:
        """Watch no more; nothing is under way, and the past is complete."""
        await self._tap.forget()

    async def until_quiet(self, waiting: Callable[[float], Awaitable[None]]) -> None:
        """Return when nothing is under way; `waiting` is told for how long nothing has changed.

        Raises `CommandError` where a message became a dead letter, or nothing has moved for too long.
        """
        since, before = stopwatch(), (-1, -1)
        while True:
            await self._tap.catch_up()
            await self._look_into_inboxes()
            heard = self._tap.heard
            left = sum(map(len, self._tap.pending.values()))
            if not left and not await self._anything_in_hand():
                await self._tap.catch_up()
                if heard == self._tap.heard:
                    await self._tap.settled()
                    return
            if (heard, left) != before:
                since, before = stopwatch(), (heard, left)
            await self._complain(stopwatch() - since)
            await waiting(stopwatch() - since)
            await asyncio.sleep(PAUSE)

    async def _look_into_inboxes(self) -> None:
        wanted: dict[str, list[tuple[str, list[UUID]]]] = defaultdict(list)
        for (service, topic), ids in self._tap.pending.items():
            wanted[service].append((topic, list(ids)))
        await asyncio.gather(*(self._look_into(service, topics) for service, topics in wanted.items()))

    async def _look_into(self, service: str, topics: list[tuple[str, list[UUID]]]) -> None:
        for topic, ids in topics:
            handled = await self._databases[service].scalars(_HANDLED, {"topic": topic, "ids": ids})
            self._tap.done(service, topic, set(handled))

    async def _anything_in_hand(self) -> bool:
        return any(await asyncio.gather(*(self._in_hand(service) for service in self._databases)))

    async def _in_hand(self, service: str) -> bool:
        """Workers first, then the outbox: what a worker finished in between is seen in it."""
        connection = self._databases[service]
        if service in self._busy and await self._busy[service](connection):
            return True
        return bool(await connection.scalar(_ANY_WAITS))

    async def _complain(self, seconds: float) -> None:
        if seconds < 1.0:
            return
        for service, connection in self._databases.items():
            row = (await connection.execute(_ANY_DEAD)).first()
            if row is not None:
                raise CommandError(
                    f"{service} could not handle a message of {row.queue}: {row.error}.",
                    remedy="See `propman dead-letters list`.",
                )
        if seconds > STUCK:
            raise CommandError(f"Nothing has moved for {STUCK:.0f} s: {self._left()}.")

    def _left(self) -> str:
        kinds: dict[str, Any] = {
            f"{service} has yet to handle {topic}": len(ids)
            for (service, topic), ids in self._tap.pending.items()
        }
        return ", ".join(f"{what} ({count})" for what, count in kinds.items()) or "some work is in hand"
