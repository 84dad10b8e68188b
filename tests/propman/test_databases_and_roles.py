"""Databases, roles and migrations: each service alone with its own, whoever starts first."""

import asyncio
import importlib

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from propman.administration import create_database
from propman.catalog import app_module, service_names
from shared import heartbeats
from shared.db import create_engine, driver_url, migrate
from shared.messaging.tables import metadata as messaging
from tests.support.databases import TestDatabases


async def test_a_services_role_cannot_connect_to_another_services_database(databases: TestDatabases) -> None:
    billing, leasing = make_url(await databases.url("billing")), make_url(await databases.url("leasing"))
    stranger = billing.set(database=leasing.database)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        await asyncpg.connect(driver_url(stranger.render_as_string(hide_password=False)))


@pytest.mark.parametrize("service", service_names())
async def test_no_role_can_connect_to_any_database_but_its_own(
    databases: TestDatabases, service: str
) -> None:
    own = make_url(await databases.url(service))
    for other in [name for name in service_names() if name != service]:
        theirs = make_url(await databases.url(other))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(
                driver_url(own.set(database=theirs.database).render_as_string(hide_password=False))
            )


@pytest.mark.parametrize(
    "statement",
    [
        "drop table invoices",
        "alter table invoices add column free boolean",
        "create table mine (id integer)",
        "truncate invoices",
        "update alembic_version set version_num = '0'",
        "create role friend superuser",
        "create database another",
    ],
)
async def test_a_services_role_changes_rows_and_nothing_else(
    databases: TestDatabases, statement: str
) -> None:
    connection = await asyncpg.connect(driver_url(await databases.url("billing")))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_six_processes_that_create_a_database_at_once_do_not_collide(databases: TestDatabases) -> None:
    admin = (
        make_url(databases.admin_url("billing"))
        .set(database="postgres")
        .render_as_string(hide_password=False)
    )
    made = TestDatabases(admin)
    try:
        await asyncio.gather(*(create_database(admin, made.planned_url("billing")) for _ in range(6)))
    finally:
        await made.drop()


async def test_six_processes_that_migrate_at_once_apply_each_revision_once(databases: TestDatabases) -> None:
    admin = (
        make_url(databases.admin_url("billing"))
        .set(database="postgres")
        .render_as_string(hide_password=False)
    )
    made = TestDatabases(admin)
    try:
        await create_database(admin, made.planned_url("billing"))
        migrations = app_module("billing").MIGRATIONS

        steps = await asyncio.gather(*(migrate(made.admin_url("billing"), migrations) for _ in range(6)))

        assert sorted(before is None for before, _ in steps) == [False] * 5 + [True]
        assert len({after for _, after in steps}) == 1
    finally:
        await made.drop()


@pytest.mark.parametrize("service", service_names())
async def test_the_migrated_tables_are_those_the_code_knows(databases: TestDatabases, service: str) -> None:
    metadata: sa.MetaData = importlib.import_module(f"services.{service}.schema").metadata
    await databases.url(service)
    engine = create_engine(databases.admin_url(service), application="test")
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(_columns)
    finally:
        await engine.dispose()

    expected = {name: {column.name for column in table.columns} for name, table in metadata.tables.items()}
    everywhere = [*messaging.tables.values(), heartbeats.instances]
    expected |= {table.name: {column.name for column in table.columns} for table in everywhere}
    assert found == expected


def _columns(connection: sa.Connection) -> dict[str, set[str]]:
    inspector = sa.inspect(connection)
    tables = set(inspector.get_table_names()) - {"alembic_version"}
    return {name: {column["name"] for column in inspector.get_columns(name)} for name in tables}
