"""Leasing's migrations match the tables in code, and leave leases that exist what they were."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.dev import ServerUrls
from services.leasing.app import MIGRATIONS
from services.leasing.schema import metadata
from services.leasing.store.leases import leases_after
from shared.db import alembic_config
from tests.leasing.orders import PET
from tests.support.fresh import a_fresh_database

pytestmark = pytest.mark.servers

ID = "0198c1d2-0000-7000-8000-00000000000"
BEFORE = (
    f"insert into properties values ('{ID}1', 1, 'Elm', 'elm', '', 'America/New_York', null, null, 'USD')",
    f"insert into units values ('{ID}2', '{ID}1', '1A', '1a')",
    f"""insert into tenants values
        ('{ID}3', 1, 'Ann', 'ann@example.com', 'ann@example.com', null, 'en', 'email', null)""",
    f"""insert into leases values
        ('{ID}4', 3, '{ID}2', 125000,
            '[{{"code": "pet_rent", "description": "Pet rent", "amount_cents": 3500}}]',
            '2026-01-01', '2026-12-31', 5, 'ended'),
        ('{ID}5', 1, '{ID}2', 130000, '[]', '2027-01-01', null, 5, 'active')""",
    f"insert into lease_tenants values ('{ID}4', '{ID}3', 0), ('{ID}5', '{ID}3', 0)",
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

    # What only the database has: the heartbeats' table, and the indexes that code never names.
    assert [step for step in steps if step[0] not in {"remove_index", "remove_table"}] == []


async def test_leases_that_were_there_before_there_were_terms_mean_what_they_meant(
    fresh: AsyncConnection,
) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))
    await fresh.commit()

    await upgrade(fresh, "head")

    over, open_ended = await leases_after(fresh, None, 10)
    for lease in (over, open_ended):
        assert (lease.frequency, lease.rent_changes, lease.free_periods) == ("monthly", (), ())
        assert (lease.rolls_over, lease.renewal_of, lease.account) == (False, None, lease.id)
    assert (over.version, over.state, over.charges) == (3, "ended", (PET,))
    assert (over.last_on, open_ended.last_on) == (date(2026, 12, 31), None)


async def test_a_lease_that_is_renewed_twice_or_rolls_over_nowhere_cannot_be_stored(
    fresh: AsyncConnection,
) -> None:
    await upgrade(fresh, "0001")
    for statement in BEFORE:
        await fresh.execute(sa.text(statement))
    await upgrade(fresh, "head")

    for wrong in (
        f"update leases set renewal_of = '{ID}4'",
        f"update leases set rolls_over = true where id = '{ID}5'",
        f"update leases set rolls_over = true where id = '{ID}4'",
        "update leases set frequency = 'daily'",
    ):
        with pytest.raises(IntegrityError):
            await fresh.execute(sa.text(wrong))
        await fresh.rollback()
