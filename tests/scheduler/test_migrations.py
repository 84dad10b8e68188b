"""The first migration brings the schedule that bills the rent, and matches the tables in code."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.administration import create_database, drop_database
from propman.dev import ServerUrls
from services.scheduler.app import MIGRATIONS
from services.scheduler.schema import metadata, schedules
from services.scheduler.timetable import parse_cron
from services.scheduler.triggers import expected_consumers, trigger_named
from shared.db import create_engine, migrate
from shared.identity import new_id

pytestmark = pytest.mark.servers


@pytest.fixture
async def migrated(servers: ServerUrls) -> AsyncIterator[AsyncConnection]:
    """A database that has seen nothing but the migrations."""
    name = f"seed_{new_id().hex}"
    admin = sa.make_url(servers.postgres_url)
    url = admin.set(username=name, password="seed", database=name).render_as_string(hide_password=False)
    await create_database(servers.postgres_url, url)
    as_admin = admin.set(database=name).render_as_string(hide_password=False)
    await migrate(as_admin, MIGRATIONS)
    engine = create_engine(as_admin, application="test", pool_size=1)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()
    await drop_database(servers.postgres_url, url)


async def test_every_seed_runs_from_its_next_minute_on(migrated: AsyncConnection) -> None:
    seeds = {seed.key: seed for seed in await migrated.execute(sa.select(schedules))}

    assert {key: seed.spec["expr"] for key, seed in seeds.items()} == {
        "monthly-billing": "5 * * * *",
        "late-fees": "15 * * * *",
        "autopay": "20 * * * *",
        "payment-reminders": "25 * * * *",
        "weather-alerts": "*/3 * * * *",
        "weather-conditions": "*/15 * * * *",
        "cleanup": "30 3 * * *",
        "signing-link-expiry": "35 * * * *",
    }
    assert {seeds[f"weather-{check}"].payload["check"] for check in ("alerts", "conditions")} == {
        "alerts",
        "conditions",
    }
    for seed in seeds.values():
        assert tuple(seed.expected) == expected_consumers(trigger_named(seed.trigger).topic)
        assert seed.next_run_at == parse_cron(seed.spec["expr"], seed.spec["timezone"]).after(seed.created_at)


async def test_the_seed_bills_every_hour_from_the_next_five_past_on(migrated: AsyncConnection) -> None:
    query = sa.select(schedules).where(schedules.c.key == "monthly-billing")
    seed = (await migrated.execute(query)).one()

    assert (seed.key, seed.spec, seed.state, seed.overlap, seed.run_timeout) == (
        "monthly-billing",
        {"kind": "cron", "expr": "5 * * * *", "timezone": "UTC"},
        "active",
        "allow",
        None,
    )
    assert tuple(seed.expected) == expected_consumers(trigger_named(seed.trigger).topic) == ("billing",)
    assert seed.next_run_at == parse_cron(seed.spec["expr"], seed.spec["timezone"]).after(seed.created_at)


async def test_the_tables_in_code_are_those_of_the_migrations(migrated: AsyncConnection) -> None:
    steps = await migrated.run_sync(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )

    # What only the database has: messaging's tables, and the indexes that code never names.
    assert [step for step in steps if step[0] not in {"remove_index", "remove_table"}] == []
