"""Rows of a table to a quorum queue with confirms, in batches, deleted when confirmed."""

import asyncio
import time
from typing import Any, Final

import aio_pika
import asyncpg
import uvloop

BATCH: Final = 500
_SELECT: Final = """select id, message_id, topic, subject, correlation_id, body, occurred_at
    from outbox order by id limit $1"""
_DELETE: Final = "delete from outbox where id = any($1::bigint[])"


def relay(dsn: str, broker_url: str, exchange: str) -> float:
    """Empty the outbox; returns the seconds it took, connecting included."""
    return uvloop.run(_relay(dsn, broker_url, exchange))


async def _relay(dsn: str, broker_url: str, exchange: str) -> float:
    started = time.perf_counter()
    database = await asyncpg.connect(dsn)
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        target = await channel.get_exchange(exchange, ensure=False)
        while await publish_batch(database, target):
            continue
    await database.close()
    return time.perf_counter() - started


async def publish_batch(database: "asyncpg.Connection[Any]", target: aio_pika.abc.AbstractExchange) -> int:
    """Send one batch and delete it; returns its size."""
    rows = await database.fetch(_SELECT, BATCH)
    if rows:
        await asyncio.gather(
            *(target.publish(_message(row), row["topic"], mandatory=True, timeout=15) for row in rows)
        )
        await database.execute(_DELETE, [row["id"] for row in rows])
    return len(rows)


def _message(row: asyncpg.Record) -> aio_pika.Message:
    return aio_pika.Message(
        row["body"],
        message_id=str(row["message_id"]),
        type=row["topic"],
        correlation_id=str(row["correlation_id"]),
        timestamp=row["occurred_at"],
        headers={"ce-subject": row["subject"]},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
