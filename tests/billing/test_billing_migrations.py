"""Billing's migrations match the tables in code, and give rows that exist their place in what is new."""

from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.dev import ServerUrls
from services.billing.app import MIGRATIONS
from services.billing.handlers.auditing import audit_accounts
from services.billing.schema import accounts, allocations, invoices, leases, metadata, payments
from shared.db import alembic_config
from tests.support.fresh import a_fresh_database

pytestmark = pytest.mark.servers

LEASE = "0198c1d2-0000-7000-8000-000000000001"
INVOICE = "0198c1d2-0000-7000-8000-000000000002"
BEFORE = (
    f"""insert into leases values ('{LEASE}', 1, '{LEASE}', '{LEASE}', '1A', '{{{LEASE}}}',
        'America/New_York', 'USD', 100000, '[]', '2026-01-01', null, 1)""",
    f"""insert into invoices (invoice_id, number, lease_id, property_id, unit_id, unit_label, tenant_ids,
        period, issued_on, due_on, currency, total_cents, paid_cents, state, created_at)
        values ('{INVOICE}', 'INV-2026-000001', '{LEASE}', '{LEASE}', '{LEASE}', '1A', '{{{LEASE}}}',
        '2026-02', '2026-02-01', '2026-02-01', 'USD', 107500, 107500, 'paid', now())""",
    f"""insert into invoice_lines values ('{INVOICE}', 1, 'rent', 'Rent', 100000),
        ('{INVOICE}', 2, 'charge', 'Parking', 7500)""",
    f"""insert into payments values
        ('0198c1d2-0000-7000-8000-000000000003', 'A', '{INVOICE}', 60000, 60000, 'USD', 'check',
            '2026-02-01', now()),
        ('0198c1d2-0000-7000-8000-000000000004', 'B', '{INVOICE}', 50000, 47500, 'USD', 'check',
            '2026-02-03', now())""",
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
    await connection.commit()


async def test_the_tables_in_code_are_those_of_the_migrations(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "head")

    steps = await fresh.run_sync(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )

    # What only the database has, or names in its own way: messaging's tables, references, indexes, keys.
    only_there = {"remove_index", "remove_table", "remove_fk", "remove_constraint", "add_constraint"}
    found = [step for step in steps if step[0] not in only_there]
    assert found == []


async def test_what_was_billed_and_paid_before_keeps_its_meaning(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))

    await upgrade(fresh, "head")

    lease = (await fresh.execute(sa.select(leases))).one()
    invoice = (await fresh.execute(sa.select(invoices))).one()
    assert lease.account_id == invoice.account_id == lease.lease_id
    assert (invoice.period_starts_on, invoice.period_ends_on) == (date(2026, 2, 1), date(2026, 2, 28))
    assert (invoice.rent_cents, invoice.charge_cents, invoice.fee_cents) == (100_000, 7_500, 0)
    assert invoice.paid_on == date(2026, 2, 3)


async def test_payments_from_before_are_allocated_to_the_rent_first(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))

    await upgrade(fresh, "head")

    query = sa.select(payments.c.reference, allocations.c.bucket, allocations.c.amount_cents).join(
        payments, payments.c.payment_id == allocations.c.payment_id
    )
    rows = await fresh.execute(query.order_by("reference", sa.desc("bucket")))
    assert [tuple(row) for row in rows] == [
        ("A", "rent", 60_000),
        ("B", "rent", 40_000),
        ("B", "charge", 7_500),
    ]
    assert await fresh.scalar(sa.select(accounts.c.credit_cents)) == 2_500


async def test_what_was_paid_before_is_divided_as_a_replay_divides_it(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))
    of_one_day = "update payments set received_on = '2026-02-03', recorded_at = now() - interval '1 day'"
    await fresh.execute(sa.text(f"{of_one_day} where reference = 'B'"))
    await fresh.execute(sa.text("update payments set received_on = '2026-02-03' where reference = 'A'"))

    await upgrade(fresh, "head")

    assert await audit_accounts(fresh, [UUID(LEASE)]) == []
