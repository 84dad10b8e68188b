"""Part 4's stage: billing and notifications with their databases, leases and contacts, and nobody awaited."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import asyncpg

from benchmarks.servers import Place, execute, make_place, start_even
from propman.broker import declare_topology
from propman.catalog import app_module
from propman.dev import ServerUrls
from services.billing.domain.leases import Charge, LeaseTerms
from services.billing.store import LeaseStore
from shared.clock import SystemClock
from shared.db import create_engine
from shared.identity import new_id
from shared.messaging.transaction import Transactions

ZONES: Final = ("America/New_York", "America/Chicago", "America/Los_Angeles")
_CHUNK: Final = 500
_CONTACTS: Final = """insert into contacts (tenant_id, version, name, email, updated_at)
    select tenant_id, 1, 'Somebody', tenant_id || '@example.com', $2
    from unnest($1::uuid[]) as given (tenant_id)"""
_BILLED: Final = ("invoices", "invoice_lines", "invoice_numbers", "runs", "inbox", "outbox", "dead_letters")
_TOLD: Final = ("notifications", "deliveries", "delivery_history", "inbox", "outbox", "dead_letters")


@dataclass(frozen=True, slots=True)
class Stage:
    """The two databases, made for `leases` leases."""

    billing: Place
    notifications: Place
    leases: int

    async def clear(self) -> None:
        """As if no month had been billed; leases and contacts stay."""
        await start_even(self.billing.admin_url, _BILLED)
        await start_even(self.notifications.admin_url, _TOLD)


async def set_up(urls: ServerUrls, leases: int) -> Stage:
    """Databases and queues, leases in billing and their tenants' contacts in notifications."""
    await declare_topology(urls.rabbitmq_url)
    billing, notifications = [
        await make_place(urls, name, app_module(name).MIGRATIONS) for name in ("billing", "notifications")
    ]
    terms = list(_terms(leases))
    await _store_leases(billing, terms)
    await _store_contacts(notifications, terms)
    for place in (billing, notifications):
        await execute(place.admin_url, "vacuum analyze")
    return Stage(billing, notifications, leases)


def _terms(count: int) -> Iterator[LeaseTerms]:
    properties = [new_id() for _ in range(20)]
    for number in range(count):
        lease_id = new_id()
        yield LeaseTerms(
            lease_id=lease_id,
            account_id=lease_id,
            property_id=properties[number % len(properties)],
            unit_id=new_id(),
            unit_label=f"{number}A",
            tenant_ids=(new_id(),),
            time_zone=ZONES[number % len(properties) % len(ZONES)],
            currency="USD",
            rent_cents=150_000 + number,
            charges=(Charge("parking", "Parking", 7_500),),
            starts_on=date(2026, 1, 1),
            ends_on=None,
            due_day=1,
        )


async def _store_leases(place: Place, terms: Sequence[LeaseTerms]) -> None:
    engine = create_engine(place.database_url, application="benchmarks")
    transactions = Transactions(engine, SystemClock())
    for first in range(0, len(terms), _CHUNK):
        async with transactions.command("benchmarks.prepare") as tx:
            some = terms[first : first + _CHUNK]
            await LeaseStore(tx.connection).upsert_leases((lease, 1) for lease in some)
    await engine.dispose()


async def _store_contacts(place: Place, terms: Sequence[LeaseTerms]) -> None:
    connection = await asyncpg.connect(place.dsn)
    try:
        tenants = [tenant for lease in terms for tenant in lease.tenant_ids]
        await connection.execute(_CONTACTS, tenants, datetime.now(UTC))
    finally:
        await connection.close()
