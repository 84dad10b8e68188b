"""Creating databases and roles: the only SQL that runs with an administrator's rights."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import make_url

from shared.db import driver_url

INIT_LOCK: Final = 7_206_170_003
"""The advisory lock under which one process at a time creates databases and roles."""


@asynccontextmanager
async def _connected(url: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    connection = await asyncpg.connect(driver_url(url), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def create_database(admin_url: str, service_url: str) -> str:
    """The database and the role that `service_url` names; only that role may connect to it.

    The role owns nothing: it can read and write rows, and neither change nor drop a table.
    """
    target = make_url(service_url)
    database, role, password = str(target.database), str(target.username), str(target.password or "")
    async with _connected(admin_url) as connection:
        await connection.execute("select pg_advisory_lock($1)", INIT_LOCK)
        await _ensure_role(connection, role, password)
        if not await connection.fetchval("select 1 from pg_database where datname = $1", database):
            await connection.execute(
                f"create database {_quoted(database)} encoding 'UTF8' template template0"
            )
        await connection.execute(f"revoke all on database {_quoted(database)} from public")
        await connection.execute(f"grant connect on database {_quoted(database)} to {_quoted(role)}")
    return database


async def _ensure_role(connection: "asyncpg.Connection[Any]", role: str, password: str) -> None:
    exists = await connection.fetchval("select 1 from pg_roles where rolname = $1", role)
    verb = "alter" if exists else "create"
    # Role statements take no bind parameters; PostgreSQL itself quotes what goes into them.
    statement = await connection.fetchval(
        "select format('%s role %I with login nosuperuser nocreatedb nocreaterole noinherit password %L',"
        " $1::text, $2::text, $3::text)",
        verb,
        role,
        password,
    )
    await connection.execute(statement)


async def grant_runtime_rights(admin_url: str, role: str) -> None:
    """Let a role read and write the rows of the database that `admin_url` leads to, and no more."""
    async with _connected(admin_url) as connection:
        name = _quoted(role)
        await connection.execute("revoke all on schema public from public")
        await connection.execute(f"grant usage on schema public to {name}")
        await connection.execute(
            f"grant select, insert, update, delete on all tables in schema public to {name}"
        )
        await connection.execute(f"grant usage, select on all sequences in schema public to {name}")
        await connection.execute(f"revoke insert, update, delete on alembic_version from {name}")


async def drop_database(admin_url: str, service_url: str) -> None:
    """Remove a database and its role for good; tests clean up with it."""
    target = make_url(service_url)
    async with _connected(admin_url) as connection:
        await connection.execute(f"drop database if exists {_quoted(str(target.database))} with (force)")
        await connection.execute(f"drop role if exists {_quoted(str(target.username))}")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
