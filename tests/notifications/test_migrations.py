"""The migrations give rows that exist their place in what is new."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.dev import ServerUrls
from services.notifications.app import MIGRATIONS
from services.notifications.schema import contacts, deliveries, notifications
from shared.db import alembic_config
from tests.support.fresh import a_fresh_database

pytestmark = pytest.mark.servers

SOMEBODY = "0198c1d2-0000-7000-8000-000000000001"
BEFORE = (
    f"""insert into contacts (tenant_id, version, name, email, phone, updated_at) values
        ('{SOMEBODY}', 1, 'Ann', 'ann@example.com', '(212) 555-0100', now()),
        ('0198c1d2-0000-7000-8000-000000000002', 1, 'Bob', null, 'call my sister', now())""",
    f"""insert into notifications (id, category, template, tenant_id, dedup_key, source_message_id,
        correlation_id, context, created_at) values ('{SOMEBODY}', 'billing', 'invoice', '{SOMEBODY}', 'k',
        '{SOMEBODY}', '{SOMEBODY}', '{{}}', now())""",
    f"""insert into deliveries (id, notification_id, tenant_id, channel, state, address, updated_at)
        values ('{SOMEBODY}', '{SOMEBODY}', '{SOMEBODY}', 'email', 'unknown', 'ann@example.com', now())""",
)


@pytest.fixture
async def fresh(servers: ServerUrls) -> AsyncIterator[AsyncConnection]:
    """A database without a single table, as its administrator."""
    async with a_fresh_database(servers) as connection:
        yield connection


async def upgrade(connection: AsyncConnection, revision: str) -> None:
    def run(sync: sa.Connection) -> None:
        config = alembic_config(MIGRATIONS)
        config.attributes["connection"] = sync
        command.upgrade(config, revision)

    await connection.run_sync(run)


async def test_rows_that_exist_are_kept_and_numbers_get_their_one_spelling(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))

    await upgrade(fresh, "head")

    people = await fresh.execute(
        sa.select(contacts.c.name, contacts.c.kind, contacts.c.phone_e164).order_by("name")
    )
    assert people.all() == [("Ann", "tenant", "+12125550100"), ("Bob", "tenant", None)]
    assert (await fresh.execute(sa.select(deliveries.c.state, deliveries.c.address))).all() == [
        ("unknown", "ann@example.com")
    ]
    assert await fresh.scalar(sa.select(notifications.c.criticality)) == 0
