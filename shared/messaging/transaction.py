"""One message is one transaction: the effect, the inbox row and the outbox rows, or none of them."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.clock import Clock
from shared.contracts.base import Message
from shared.db import columnar, insert_rows
from shared.identity import new_id
from shared.messaging.envelope import Envelope
from shared.messaging.tables import inbox, outbox

_OUTBOX_COLUMNS: Final = (
    "message_id",
    "topic",
    "subject",
    "correlation_id",
    "causation_id",
    "traceparent",
    "must_be_heard",
    "body",
    "occurred_at",
)
LARGEST_BODY: Final = 256 * 1024
"""Bytes; a broker that refuses a message for its size closes the channel under all the others."""

_OUTBOX_INSERT: Final = insert_rows(outbox, _OUTBOX_COLUMNS)
_INBOX_INSERT: Final = (
    insert_rows(inbox, ("consumer", "message_id", "correlation_id", "processed_at"))
    .on_conflict_do_nothing()
    .returning(inbox.c.message_id)
)


class TooLarge(ValueError):
    """A message that no broker should be asked to carry; send an id, or several messages."""


class _OnlyLooked(Exception):
    """Ends the transaction of a dry run, so that nothing of it stays."""


@dataclass(slots=True)
class Tx:
    """An open transaction, as handlers and commands get it. They never commit it."""

    connection: AsyncConnection
    at: datetime
    """When it was opened, by the service's clock."""
    cause: Envelope
    """The message being handled, or the command being run."""
    _emitted: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, *messages: Message, message_id: UUID | None = None, cause: Envelope | None = None) -> None:
        """Say something to the rest of the system, if and only if this transaction commits.

        `message_id` names a single message whose identity is derived; `cause` is which message of a
        batch it answers. Raises `TooLarge` for a payload of more than `LARGEST_BODY` bytes.
        """
        origin = cause or self.cause
        for message in messages:
            self._emitted.append(
                {
                    "message_id": message_id or new_id(),
                    "topic": message.topic,
                    "subject": message.subject,
                    "correlation_id": origin.correlation_id,
                    "causation_id": origin.message_id,
                    "traceparent": origin.traceparent,
                    "must_be_heard": message.must_be_heard,
                    "body": _body(message),
                    "occurred_at": self.at,
                }
            )

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Where the block fails, undo what it wrote and what it said, and nothing else; locks are kept."""
        said = len(self._emitted)
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            del self._emitted[said:]
            raise

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Take back what the block wrote and said, also where it ends well: a dry run by the same code."""
        try:
            async with self.savepoint():
                yield
                raise _OnlyLooked
        except _OnlyLooked:
            return

    async def write_outbox(self) -> None:
        """Write what was emitted; the edge does this just before it commits."""
        if self._emitted:
            await self.connection.execute(_OUTBOX_INSERT, columnar(self._emitted, _OUTBOX_COLUMNS))
            self._emitted.clear()


def _body(message: Message) -> bytes:
    body = message.model_dump_json().encode()
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"a {message.topic} of {len(body)} bytes; the most is {LARGEST_BODY}")
    return body


@dataclass(frozen=True, slots=True)
class Transactions:
    """Opens transactions on one service's database."""

    engine: AsyncEngine
    clock: Clock

    @asynccontextmanager
    async def begin(self, cause: Envelope) -> AsyncIterator[Tx]:
        """A transaction that commits, with its outbox, when the block ends well."""
        async with self.engine.begin() as connection:
            tx = Tx(connection, at=self.clock.now(), cause=cause)
            yield tx
            await tx.write_outbox()

    @asynccontextmanager
    async def command(
        self, name: str, *, correlation_id: UUID | None = None, dry_run: bool = False
    ) -> AsyncIterator[Tx]:
        """A transaction for somebody at the command line, who begins a story of their own.

        A dry run does all of it and then takes it back. So it runs the very same code at the same instant,
        and leaves no row, no message and no key behind.
        """
        identity = new_id()
        try:
            async with self.begin(command_envelope(name, correlation_id or identity, identity)) as tx:
                yield tx
                if dry_run:
                    raise _OnlyLooked
        except _OnlyLooked:
            return


def command_envelope(name: str, correlation_id: UUID, identity: UUID | None = None) -> Envelope:
    """The envelope of work that no message caused."""
    return Envelope(
        message_id=identity or correlation_id,
        topic=name,
        correlation_id=correlation_id,
        traceparent=f"00-{correlation_id.hex}-{os.urandom(8).hex()}-01",
    )


async def enter_inbox(tx: Tx, consumer: str, envelopes: Sequence[Envelope]) -> set[UUID]:
    """Record messages as handled; returns the ids that had not been handled before.

    It comes first in the transaction: a concurrent copy of the same message waits on the key.
    """
    if len(envelopes) == 1:
        return await _enter_one(tx, consumer, envelopes[0])
    # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
    unique = {item.message_id: item for item in sorted(envelopes, key=lambda item: item.message_id)}
    fresh = await tx.connection.scalars(
        _INBOX_INSERT,
        {
            "consumer": [consumer] * len(unique),
            "message_id": list(unique),
            "correlation_id": [envelope.correlation_id for envelope in unique.values()],
            "processed_at": [tx.at] * len(unique),
        },
    )
    return set(fresh)


_INBOX_INSERT_ONE: Final = (
    insert(inbox)
    .values(
        consumer=sa.bindparam("consumer"),
        message_id=sa.bindparam("message_id"),
        correlation_id=sa.bindparam("correlation_id"),
        processed_at=sa.bindparam("processed_at"),
    )
    .on_conflict_do_nothing()
    .returning(inbox.c.message_id)
)


async def _enter_one(tx: Tx, consumer: str, envelope: Envelope) -> set[UUID]:
    row = {
        "consumer": consumer,
        "message_id": envelope.message_id,
        "correlation_id": envelope.correlation_id,
        "processed_at": tx.at,
    }
    return set(await tx.connection.scalars(_INBOX_INSERT_ONE, row))
