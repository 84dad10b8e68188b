"""Messages of a queue into rows, each with its inbox row: one by one, and in micro-batches."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractIncomingMessage

PREFETCH: Final = 10
BATCH: Final = 200
COLLECT_SECONDS: Final = 0.005
_INBOX: Final = """insert into inbox (consumer, message_id, correlation_id, processed_at)
    values ($1, $2, $3, $4) on conflict do nothing returning message_id"""
_INBOX_ALL: Final = """insert into inbox (consumer, message_id, correlation_id, processed_at)
    select $1, id, cause, $4 from unnest($2::uuid[], $3::uuid[]) as given (id, cause)
    on conflict do nothing returning message_id"""
_ITEM: Final = "insert into items (item_id, label, amount_cents) values ($1, $2, $3)"
_ITEMS: Final = """insert into items (item_id, label, amount_cents)
    select * from unnest($1::uuid[], $2::text[], $3::bigint[])"""

Pool = Any  # asyncpg has no types


def one_by_one(dsn: str, broker_url: str, queue: str, count: int) -> float:
    """Take `count` messages, a transaction for each; returns the seconds, connecting included."""
    return uvloop.run(_one_by_one(dsn, broker_url, queue, count))


def in_batches(dsn: str, broker_url: str, queue: str, count: int) -> float:
    """Take `count` messages in micro-batches; returns the seconds, connecting included."""
    return uvloop.run(_in_batches(dsn, broker_url, queue, count))


async def _one_by_one(dsn: str, broker_url: str, queue_name: str, count: int) -> float:
    started = time.perf_counter()
    left = count
    finished = asyncio.Event()
    async with (
        asyncpg.create_pool(dsn, min_size=PREFETCH, max_size=PREFETCH) as pool,
        await aio_pika.connect(broker_url) as connection,
    ):
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(queue_name, ensure=False)

        async def take(message: AbstractIncomingMessage) -> None:
            nonlocal left
            await _store_one(pool, queue_name, message)
            await message.ack()
            left -= 1
            if left == 0:
                finished.set()

        await queue.consume(take)
        await finished.wait()
    return time.perf_counter() - started


async def _store_one(pool: Pool, consumer: str, message: AbstractIncomingMessage) -> None:
    item = json.loads(message.body)
    async with pool.acquire() as connection, connection.transaction():
        identity = UUID(message.message_id)
        cause = UUID(message.correlation_id)
        if await connection.fetchval(_INBOX, consumer, identity, cause, datetime.now(UTC)):
            await connection.execute(_ITEM, UUID(item["item_id"]), item["label"], item["amount_cents"])


async def _in_batches(dsn: str, broker_url: str, queue_name: str, count: int) -> float:
    started = time.perf_counter()
    left = count
    database = await asyncpg.connect(dsn)

    async def store(batch: Sequence[AbstractIncomingMessage]) -> bool:
        nonlocal left
        async with database.transaction():
            fresh = await enter_inbox(database, queue_name, batch)
            items = [json.loads(message.body) for message in batch if UUID(message.message_id) in fresh]
            identities = [UUID(item["item_id"]) for item in items]
            labels = [item["label"] for item in items]
            await database.execute(_ITEMS, identities, labels, [item["amount_cents"] for item in items])
        left -= len(batch)
        return left > 0

    await take_batches(broker_url, queue_name, store)
    await database.close()
    return time.perf_counter() - started


async def enter_inbox(
    database: "asyncpg.Connection[Any]", consumer: str, batch: Sequence[AbstractIncomingMessage]
) -> set[UUID]:
    """Record a batch as handled; returns the ids that are new."""
    rows = await database.fetch(
        _INBOX_ALL,
        consumer,
        [UUID(message.message_id) for message in batch],
        [UUID(message.correlation_id) for message in batch],
        datetime.now(UTC),
    )
    return {UUID(int=row["message_id"].int) for row in rows}


async def take_batches(
    broker_url: str, queue_name: str, store: Callable[[Sequence[AbstractIncomingMessage]], Awaitable[bool]]
) -> None:
    """Collect batches and acknowledge each when it is stored, for as long as `store` says so."""
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=BATCH * 2)
        queue = await channel.get_queue(queue_name, ensure=False)
        await queue.consume(arrived.put)
        go_on = True
        while go_on:
            batch = await _collect(arrived)
            go_on = await store(batch)
            await batch[-1].ack(multiple=True)


async def _collect(arrived: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
    batch = [await arrived.get()]
    deadline = time.perf_counter() + COLLECT_SECONDS
    while len(batch) < BATCH and time.perf_counter() < deadline:
        if arrived.empty():
            await asyncio.sleep(0.001)
        else:
            batch.append(arrived.get_nowait())
    return batch
