"""The whole way by two bare scripts: invoices with their facts relayed, and notices in another database."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Event
from typing import Any, Final
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from uuid_utils.compat import uuid7

from benchmarks.bare.consuming import enter_inbox, take_batches
from benchmarks.bare.relay import publish_batch

CHUNK: Final = 500
_LEASES: Final = "select * from leases where lease_id = any($1::uuid[])"
_CHUNK_DONE: Final = """insert into inbox (consumer, message_id, correlation_id, processed_at)
    values ('bare', $1, $2, now())"""
_INVOICES: Final = """insert into invoices (invoice_id, number, account_id, lease_id, property_id, unit_id,
        unit_label, tenant_ids, period, period_starts_on, period_ends_on, issued_on, due_on, currency,
        terms_id, total_cents, rent_cents, charge_cents, created_at)
    select id, number, lease, lease, property, unit, label, array[tenant], $8, $9, $9 + 30, $9, $9, 'USD',
        '6b9f1f0e-54a5-5c0e-8a57-7465726d7330', total, total, 0, now()
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::uuid[],
        $10::bigint[])
        as given (id, number, lease, property, unit, label, tenant, total)"""
_LINES: Final = """insert into invoice_lines (invoice_id, position, kind, description, amount_cents)
    select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[])"""
_OUTBOX: Final = """insert into outbox (message_id, topic, subject, correlation_id, must_be_heard, body,
        occurred_at)
    select id, $3, subject, $4, false, body, now()
    from unnest($1::uuid[], $2::text[], $5::bytea[]) as given (id, subject, body)"""
_NOTICES: Final = """insert into notifications (id, category, template, tenant_id, dedup_key,
        source_message_id, correlation_id, context, created_at)
    select id, 'billing', 'invoice', tenant, key, source, $6, context, now()
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[])
        as given (id, tenant, key, source, context)
    on conflict do nothing"""
_DELIVERIES: Final = """insert into deliveries (id, notification_id, tenant_id, channel, state, address,
        next_attempt_at, expires_at, sent_at, updated_at)
    select id, notice, tenant, channel, state, address, due, due + interval '72 hours', shown, now()
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
        $8::timestamptz[]) as given (id, notice, tenant, channel, state, address, due, shown)
    on conflict do nothing"""
_CONTACTS: Final = "select tenant_id, name, email from contacts where tenant_id = any($1::uuid[])"

Row = Any  # asyncpg has no types


def billing(dsn: str, broker_url: str, exchange: str, topic: str, ready: Event, go: Event) -> None:
    """Invoice every lease, in chunks, and relay the facts meanwhile."""
    uvloop.run(_billing(dsn, broker_url, exchange, topic, ready, go))


async def _billing(dsn: str, broker_url: str, exchange: str, topic: str, ready: Event, go: Event) -> None:
    writing, relaying = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        target = await channel.get_exchange(exchange, ensure=False)
        ready.set()
        await asyncio.to_thread(go.wait)
        issuing = asyncio.create_task(_issue_all(writing, topic))
        while await _relay_some(relaying, target, last=issuing.done()):
            continue
        await issuing
    await writing.close()
    await relaying.close()


async def _relay_some(database: Row, target: aio_pika.abc.AbstractExchange, *, last: bool) -> bool:
    """Publish a batch; False when there was none and there will be no more."""
    if await publish_batch(database, target):
        return True
    await asyncio.sleep(0.002)
    return not last


async def _issue_all(database: Row, topic: str) -> None:
    cause = uuid4()
    found = await database.fetch("select lease_id from leases order by property_id, lease_id")
    for first in range(0, len(found), CHUNK):
        chunk = [row["lease_id"] for row in found[first : first + CHUNK]]
        async with database.transaction():
            await database.execute(_CHUNK_DONE, uuid7(), cause)
            await _issue(database, await database.fetch(_LEASES, chunk), first, topic, cause)


async def _issue(database: Row, leases: Sequence[Row], first: int, topic: str, cause: UUID) -> None:
    ids = [uuid7() for _ in leases]
    numbers = [f"INV-2026-{first + position:06d}" for position in range(1, len(leases) + 1)]
    lines = [_lines(lease) for lease in leases]
    totals = [sum(line["amount_cents"] for line in some) for some in lines]
    columns = [[row[name] for row in leases] for name in ("lease_id", "property_id", "unit_id", "unit_label")]
    tenants = [row["tenant_ids"][0] for row in leases]
    day = date(2026, 12, 1)
    await database.execute(_INVOICES, ids, numbers, *columns, tenants, "2026-12", day, totals)
    flat = list(zip(*_flat_lines(ids, lines), strict=True))
    await database.execute(_LINES, *flat)
    bodies = [_body(*some) for some in zip(ids, numbers, leases, totals, lines, strict=True)]
    subjects = [str(identity) for identity in ids]
    await database.execute(_OUTBOX, [uuid7() for _ in ids], subjects, topic, cause, bodies)


def _lines(lease: Row) -> list[dict[str, Any]]:
    rent = {"kind": "rent", "description": "Rent 2026-12", "amount_cents": lease["rent_cents"]}
    charges = [
        {"kind": "charge", "description": item["description"], "amount_cents": item["amount_cents"]}
        for item in json.loads(lease["charges"])
    ]
    return [rent, *charges]


def _flat_lines(ids: Sequence[UUID], lines: Sequence[Sequence[dict[str, Any]]]) -> Iterator[tuple[Any, ...]]:
    for identity, some in zip(ids, lines, strict=True):
        for position, line in enumerate(some, start=1):
            yield (identity, position, line["kind"], line["description"], line["amount_cents"])


def _body(identity: UUID, number: str, lease: Row, total: int, lines: Sequence[dict[str, Any]]) -> bytes:
    fact = {
        "invoice_id": str(identity),
        "number": number,
        "lease_id": str(lease["lease_id"]),
        "property_id": str(lease["property_id"]),
        "unit_id": str(lease["unit_id"]),
        "unit_label": lease["unit_label"],
        "tenant_ids": [str(tenant) for tenant in lease["tenant_ids"]],
        "period": "2026-12",
        "issued_on": "2026-12-01",
        "due_on": "2026-12-01",
        "currency": "USD",
        "total_cents": total,
        "lines": lines,
    }
    return json.dumps(fact).encode()


def notifications(dsn: str, broker_url: str, queue: str, count: int, ready: Event) -> None:
    """Turn `count` facts into notices with their deliveries, in micro-batches."""
    uvloop.run(_notifications(dsn, broker_url, queue, count, ready))


async def _notifications(dsn: str, broker_url: str, queue: str, count: int, ready: Event) -> None:
    left = count
    database = await asyncpg.connect(dsn)

    async def store(batch: Sequence[AbstractIncomingMessage]) -> bool:
        nonlocal left
        async with database.transaction():
            fresh = await enter_inbox(database, queue, batch)
            await _tell(database, [item for item in batch if UUID(item.message_id) in fresh])
        left -= len(batch)
        return left > 0

    ready.set()
    await take_batches(broker_url, queue, store)
    await database.close()


async def _tell(database: Row, batch: Sequence[AbstractIncomingMessage]) -> None:
    facts = [json.loads(message.body) for message in batch]
    tenants = [UUID(fact["tenant_ids"][0]) for fact in facts]
    found = {row["tenant_id"]: row["email"] for row in await database.fetch(_CONTACTS, tenants)}
    ids = [uuid7() for _ in batch]
    keys = [f"invoice:{fact['invoice_id']}:{fact['tenant_ids'][0]}" for fact in facts]
    sources = [UUID(message.message_id) for message in batch]
    bodies = [message.body.decode() for message in batch]
    cause = UUID(batch[0].correlation_id)
    await database.execute(_NOTICES, ids, tenants, keys, sources, bodies, cause)
    await database.execute(_DELIVERIES, *_deliveries(ids, tenants, found))


def _deliveries(
    ids: Sequence[UUID], tenants: Sequence[UUID], found: Mapping[UUID, str]
) -> tuple[list[Any], ...]:
    """An e-mail to be sent and an in-app message for each notice, as columns."""
    size, now = len(ids), datetime.now(UTC)
    return (
        [uuid7() for _ in range(2 * size)],
        [identity for identity in ids for _ in range(2)],
        [tenant for tenant in tenants for _ in range(2)],
        ["email", "in_app"] * size,
        ["queued", "delivered"] * size,
        [address for tenant in tenants for address in (found[tenant], None)],
        [now, None] * size,
        [None, now] * size,
    )
