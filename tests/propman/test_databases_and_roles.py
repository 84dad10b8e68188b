"""Databases, roles and migrations: each service alone with its own, whoever starts first."""

import asyncio
import importlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from propman.administration import create_database
from propman.catalog import app_module, service_names
from propman.dev import ServerUrls
from shared import heartbeats
from shared.db import create_engine, driver_url, known_revisions, migrate
from shared.messaging.tables import metadata as messaging
from tests.support.commands import run_propman
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


# What a database says of its revision

NEWEST = known_revisions(app_module("billing").MIGRATIONS)[0]
ODD = [
    ("delete from alembic_version", "unmarked", "without a revision though it has tables"),
    ("insert into alembic_version values ('0000')", "unknown", f"does not know: 0000, {NEWEST}"),
]


@pytest.fixture
async def own(servers: ServerUrls) -> AsyncIterator[TestDatabases]:
    """A migrated database of billing that nobody else uses."""
    made = TestDatabases(servers.postgres_url)
    try:
        await made.url("billing")
        yield made
    finally:
        await made.drop()


async def environment_of(own: TestDatabases, databases: TestDatabases) -> dict[str, str]:
    urls = {f"{name.upper()}_DATABASE_URL": await databases.url(name) for name in service_names()}
    return {
        **urls,
        "BILLING_DATABASE_URL": await own.url("billing"),
        "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:1",
        "PROPMAN_RABBITMQ_URL": "amqp://127.0.0.1:1",
        "PROPMAN_POSTGRES_URL": own.admin_url("billing"),
    }


async def administer(own: TestDatabases, statement: str) -> None:
    connection = await asyncpg.connect(driver_url(own.admin_url("billing")))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(("statement", "state", "words"), ODD)
async def test_a_database_that_nobody_can_migrate_is_told_in_one_line_and_left_alone(
    own: TestDatabases, databases: TestDatabases, statement: str, state: str, words: str
) -> None:
    await administer(own, statement)
    environment = await environment_of(own, databases)

    seen = await run_propman("db", "status", "--json", environment=environment)
    migrated = await run_propman("db", "migrate", environment=environment)

    assert (seen.code, {row["service"]: row["state"] for row in seen.json}["billing"]) == (1, state)
    assert (migrated.code, migrated.err.count("\n")) == (1, 1)
    assert f"The database of billing is {'without' if state == 'unmarked' else 'at'} " in migrated.err
    for said in (seen.err, migrated.err):
        assert words in said
        assert f"alembic_version (this version's is {NEWEST})" in said


@pytest.mark.parametrize(
    ("statement", "words", "remedy"),
    [
        (
            "update alembic_version set version_num = '0001'",
            "behind the code: at 0001",
            "`propman db migrate`",
        ),
        ("drop schema public cascade; create schema public", "empty: nothing", "`propman db migrate`"),
    ],
)
async def test_doctor_says_of_a_database_what_status_says(
    own: TestDatabases, databases: TestDatabases, statement: str, words: str, remedy: str
) -> None:
    await administer(own, statement)

    ran = await run_propman("doctor", "--json", environment=await environment_of(own, databases))

    [found] = [item for item in ran.json if item["check"] == "migrations of billing"]
    assert found["level"] == "error"
    assert words in found["found"]
    assert remedy in found["remedy"]
