"""PostgreSQL for every service: engines, set-based inserts, and migrations under a lock."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATION_LOCK: Final = 7_206_170_001
"""The advisory lock under which one process at a time migrates a database."""

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def engine_url(url: str) -> sa.URL:
    """SQLAlchemy's form of a plain `postgresql://` URL, with our driver."""
    return sa.make_url(url).set(drivername="postgresql+asyncpg")


def driver_url(url: str) -> str:
    """Asyncpg's own form of the URL, for the connections that SQLAlchemy does not hold."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def create_engine(url: str, *, application: str, pool_size: int = 10) -> AsyncEngine:
    """A pool of connections that name themselves after the service in `pg_stat_activity`."""
    return create_async_engine(
        engine_url(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=60,
        connect_args={
            "timeout": 10,
            "server_settings": {"application_name": f"propman-{application}", "jit": "off"},
        },
    )


def insert_rows(table: sa.Table, columns: Sequence[str]) -> Insert:
    """An insert of any number of rows in one statement: bind each column's values under its name.

    `INSERT … SELECT FROM unnest(…)` plans once for any number of rows, where `VALUES` lists are
    planned and parsed anew for each length. Columns of JSONB and arrays are bound as their text.
    """
    arrays = [_array_of(table.c[name]) for name in columns]
    rows = sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="given")
    chosen = [_from_array(table.c[name], rows.c[name]) for name in columns]
    return insert(table).from_select(list(columns), sa.select(*chosen))


def given_rows(table: sa.Table, columns: Sequence[str], *, name: str = "given") -> sa.TableValuedAlias:
    """Any number of rows to join an update, a delete or a select with, in one statement.

    Bind each column's values as `given_<column>`; `given` makes those of rows.
    """
    arrays = [_array_of(table.c[column], prefix="given_") for column in columns]
    typed = (sa.column(column, table.c[column].type) for column in columns)
    return sa.func.unnest(*arrays).table_valued(*typed).render_derived(name=name)


def given(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[Any]]:
    """Rows turned into one list per column, as `given_rows` binds them."""
    return {f"given_{name}": values for name, values in columnar(rows, columns).items()}


def _array_of(column: sa.Column[Any], prefix: str = "") -> sa.BindParameter[Any]:
    kind: sa.types.TypeEngine[Any] = sa.Text() if isinstance(column.type, (JSONB, ARRAY)) else column.type
    return sa.bindparam(prefix + column.name, type_=ARRAY(kind))


def _from_array(column: sa.Column[Any], value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(value, column.type) if isinstance(column.type, (JSONB, ARRAY)) else value


async def plan_for_values(connection: AsyncConnection) -> None:
    """Have the statements of this transaction planned for the values they are given, each time.

    For work on sets while a table grows: a plan that PostgreSQL kept from when the table was nearly empty
    reads all of it for every row once it is full, and costs more than planning ever does.
    """
    await connection.execute(sa.text("set local plan_cache_mode = force_custom_plan"))


def array_text(values: Iterable[object]) -> str:
    """PostgreSQL's text form of an array of ids or plain words, for a column bound by `insert_rows`."""
    return "{" + ",".join(str(value) for value in values) + "}"


def columnar(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[Any]]:
    """Rows turned into one list per column, as `insert_rows` binds them."""
    listed = list(rows)
    return {name: [row[name] for row in listed] for name in columns}


def alembic_config(migrations: Path) -> Config:
    """Alembic's configuration of one service's history."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    return config


def run_migrations(context: Any, metadata: sa.MetaData) -> None:
    """The body of every service's `env.py`: migrate over the connection that `migrate` opened."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate(url: str, migrations: Path) -> tuple[str | None, str | None]:
    """Bring one database to the newest revision; returns the revision before and after.

    A session lock makes six containers that start at once take turns; the late ones find nothing to do.
    """
    engine = create_async_engine(engine_url(url), poolclass=sa.NullPool, connect_args={"timeout": 10})
    try:
        async with engine.connect() as holder:
            await holder.execute(sa.select(sa.func.pg_advisory_lock(MIGRATION_LOCK)))
            try:
                async with engine.connect() as connection:
                    before = await connection.run_sync(_revision)
                    await connection.run_sync(_upgrade, alembic_config(migrations))
                    after = await connection.run_sync(_revision)
                    await connection.commit()
            finally:
                await holder.execute(sa.select(sa.func.pg_advisory_unlock(MIGRATION_LOCK)))
    finally:
        await engine.dispose()
    return before, after


def _upgrade(connection: sa.Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    return ", ".join(sorted(MigrationContext.configure(connection).get_current_heads())) or None


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision a database says it is at, or None where it says none."""
    return await connection.run_sync(_revision)


async def has_tables(connection: AsyncConnection) -> bool:
    """Whether anything was ever migrated, whatever the database says of its revision."""

    def names(sync: sa.Connection) -> set[str]:
        return set(sa.inspect(sync).get_table_names())

    return bool(await connection.run_sync(names) - {"alembic_version"})


def known_revisions(migrations: Path) -> list[str]:
    """Every revision of the code's history, the newest first."""
    history = ScriptDirectory.from_config(alembic_config(migrations)).walk_revisions()
    return [step.revision for step in history]


def newest_revision(migrations: Path) -> str | None:
    """The revision the code needs."""
    return ScriptDirectory.from_config(alembic_config(migrations)).get_current_head()


async def is_current(engine: AsyncEngine, migrations: Path) -> bool:
    """Whether the database is at the revision that the code needs."""
    newest = await asyncio.to_thread(newest_revision, migrations)
    async with engine.connect() as connection:
        return await current_revision(connection) == newest
