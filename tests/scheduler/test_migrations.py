"""The migrations bring the schedules that a system begins with, and match the tables in code."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.dev import ServerUrls
from services.scheduler.app import MIGRATIONS
from services.scheduler.schema import metadata, schedules
from services.scheduler.seeds import DAILY_BILLING, SEEDS, outdated
from services.scheduler.specs import read_spec
from services.scheduler.store.schedules import schedule_of
from services.scheduler.timetable import parse_cron
from services.scheduler.triggers import expected_consumers, trigger_named
from shared.contracts.scheduler import LocalTrigger
from shared.db import alembic_config
from tests.support.fresh import a_fresh_database

pytestmark = pytest.mark.servers

RAN = """insert into occurrences (id, schedule_key, trigger, spec_version, zone, scheduled_for,
    scheduled_local, origin, state, created_at) values (gen_random_uuid(), 'late-fees', 'x', 1, 'UTC', now(),
    '', 'schedule', 'succeeded', now())"""
"""Something was announced: the system has worked."""


@pytest.fixture
async def fresh(servers: ServerUrls) -> AsyncIterator[AsyncConnection]:
    """A database without a single table, as its administrator."""
    async with a_fresh_database(servers) as connection:
        yield connection


@pytest.fixture
async def migrated(fresh: AsyncConnection) -> AsyncConnection:
    """A database that has seen nothing but the migrations."""
    await upgrade(fresh, "head")
    return fresh


async def upgrade(connection: AsyncConnection, revision: str) -> None:
    def run(sync: sa.Connection) -> None:
        config = alembic_config(MIGRATIONS)
        config.attributes["connection"] = sync
        command.upgrade(config, revision)

    await connection.run_sync(run)


async def test_a_new_system_works_at_the_local_times_of_each_property(migrated: AsyncConnection) -> None:
    seeds = {seed.key: seed for seed in await migrated.execute(sa.select(schedules))}

    assert {key: seed.spec.get("expr", seed.spec.get("time")) for key, seed in seeds.items()} == {
        "monthly-billing": "00:00",
        "daily-billing": "5 0,12,23 * * *",
        "late-fees": "0 9 * * *",
        "autopay": "0 8 * * *",
        "payment-reminders": "0 * * * *",
        "weather-alerts": "*/3 * * * *",
        "weather-conditions": "*/15 * * * *",
        "cleanup": "30 3 * * *",
        "signing-link-expiry": "35 * * * *",
        "rewards": "15 2 * * *",
    }
    for seed in seeds.values():
        assert tuple(seed.expected) == expected_consumers(trigger_named(seed.trigger).topic)
        follows = issubclass(trigger_named(seed.trigger), LocalTrigger)
        read_spec(seed.spec, here="America/New_York")
        assert (seed.spec["timezone"] == "@property", seed.next_run_at is None) == (follows, follows)
        assert (seed.state, seed.overlap == "skip" or not follows) == ("active", True)
    assert {seed.catch_up for seed in seeds.values() if seed.key.startswith("weather-")} == {"skip"}
    assert (seeds["monthly-billing"].catch_up, seeds["monthly-billing"].spec["day"]) == ("all", 1)


async def test_the_weather_is_asked_for_from_the_next_minute_on(migrated: AsyncConnection) -> None:
    query = sa.select(schedules).where(schedules.c.key.startswith("weather-"))

    for seed in await migrated.execute(query):
        assert seed.payload["check"] == seed.key.removeprefix("weather-")
        assert seed.next_run_at == parse_cron(seed.spec["expr"], seed.spec["timezone"]).after(seed.created_at)


async def test_what_an_operator_did_to_a_seed_is_left_alone(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0004")
    await fresh.execute(sa.text("update schedules set state = 'paused' where key = 'late-fees'"))
    await fresh.execute(sa.text("update schedules set run_timeout = '2 hours' where key = 'autopay'"))
    changed = "spec = jsonb_set(spec, '{expr}', '\"0 3 * * *\"'), spec_version = 2"
    await fresh.execute(sa.text(f"update schedules set {changed} where key = 'weather-alerts'"))
    await fresh.execute(sa.text("delete from schedules where key = 'monthly-billing'"))

    await upgrade(fresh, "head")

    seeds = {seed.key: seed for seed in await fresh.execute(sa.select(schedules))}
    assert (seeds["late-fees"].spec["expr"], seeds["late-fees"].state) == ("15 * * * *", "paused")
    assert (seeds["autopay"].spec["timezone"], seeds["autopay"].run_timeout) == ("UTC", timedelta(hours=2))
    assert (seeds["weather-alerts"].spec["expr"], seeds["weather-alerts"].catch_up) == ("0 3 * * *", "latest")
    assert seeds["payment-reminders"].spec["timezone"] == "@property"
    assert not {"monthly-billing", "daily-billing"} & set(seeds)


async def test_a_system_that_has_worked_goes_on_for_every_zone_hour_by_hour(fresh: AsyncConnection) -> None:
    """Its scheduler never heard of the properties there are; to follow some would miss the others."""
    await upgrade(fresh, "0004")
    await fresh.execute(sa.text(RAN))

    await upgrade(fresh, "head")

    query = sa.select(schedules.c.spec).where(schedules.c.trigger == "scheduler.monthly_billing_due.v1")
    assert list(await fresh.scalars(query)) == [{"kind": "cron", "expr": "5 * * * *", "timezone": "UTC"}]


async def test_what_adopting_puts_is_what_the_migrations_put(migrated: AsyncConnection) -> None:
    put = {row.key: schedule_of(row) for row in await migrated.execute(sa.select(schedules))}

    for seed in (*SEEDS, DAILY_BILLING):
        assert (put[seed.key].spec, put[seed.key].rules) == (seed.spec, seed.rules)
    assert outdated(list(put.values())) == []


async def test_what_an_upgrade_left_hourly_is_known_as_an_older_seed(fresh: AsyncConnection) -> None:
    await upgrade(fresh, "0004")
    await fresh.execute(sa.text(RAN))
    await upgrade(fresh, "head")

    put = [schedule_of(row) for row in await fresh.execute(sa.select(schedules))]

    assert {item.key for item, _ in outdated(put)} == {seed.key for seed in SEEDS}
    paused = [replace(item, state="paused") for item in put]
    assert outdated(paused) == outdated([replace(item, spec_version=2) for item in put]) == []


async def test_the_tables_in_code_are_those_of_the_migrations(migrated: AsyncConnection) -> None:
    steps = await migrated.run_sync(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )

    # What only the database has: messaging's tables, and the indexes that code never names.
    assert [step for step in steps if step[0] not in {"remove_index", "remove_table"}] == []
