"""Databases of one test session: its own names, migrated once, emptied before each use."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from propman.administration import create_database, drop_database, grant_runtime_rights
from propman.catalog import app_module
from shared.clock import Clock, SystemClock
from shared.db import create_engine, driver_url, migrate
from shared.messaging.transaction import Transactions

_TABLES = """select quote_ident(tablename) as name from pg_tables
    where schemaname = 'public' and tablename <> 'alembic_version'"""
_SEQUENCES = """select quote_ident(sequencename) as name from pg_sequences
    where schemaname = 'public' and last_value is not null"""


_TEMPLATES: dict[tuple[str, str], str] = {}
"""Databases migrated once in this process, by their server and their service; the others are copies."""


class TestDatabases:
    """A database and a least-privileged role per service, made when a test first asks for it."""

    __test__ = False

    def __init__(self, admin_url: str, prefix: str | None = None) -> None:
        self._admin = make_url(admin_url)
        self._prefix = prefix or f"t{secrets.token_hex(4)}"
        self._urls: dict[str, str] = {}
        self._migrated: set[str] = set()
        self._engines: dict[str, AsyncEngine] = {}
        self._administrators: dict[str, asyncpg.Connection[Any]] = {}

    async def url(self, service: str) -> str:
        """The URL of a service's migrated database, as the role the service runs as."""
        if service not in self._migrated:
            planned = self.planned_url(service)
            await self._copy(await self._template(service), f"{self._prefix}_{service}")
            await create_database(self._admin_text, planned)
            await grant_runtime_rights(self.admin_url(service), f"{self._prefix}_{service}")
            self._migrated.add(service)
        return self._urls[service]

    async def _template(self, service: str) -> str:
        """A database with the service's tables and nobody connected: copying it is faster than migrating."""
        key = (self._admin_text, service)
        if key not in _TEMPLATES:
            name = f"template_{secrets.token_hex(4)}_{service}"
            await self._administer(f"create database {name} encoding 'UTF8' template template0")
            target = self._admin.set(database=name).render_as_string(hide_password=False)
            await migrate(target, app_module(service).MIGRATIONS)
            _TEMPLATES[key] = name
        return _TEMPLATES[key]

    async def _copy(self, template: str, name: str) -> None:
        await self._administer(f"create database {name} template {template}")

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(driver_url(self._admin_text))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def planned_url(self, service: str) -> str:
        """The same URL before anything is there."""
        if service not in self._urls:
            name = f"{self._prefix}_{service}"
            target = self._admin.set(username=name, password=secrets.token_hex(8), database=name)
            self._urls[service] = target.render_as_string(hide_password=False)
        return self._urls[service]

    def admin_url(self, service: str) -> str:
        """The same database, as its administrator."""
        target = self._admin.set(database=f"{self._prefix}_{service}")
        return target.render_as_string(hide_password=False)

    async def empty(self, service: str) -> None:
        """Take every row out of a service's database, but its migration state.

        Rows of the few tables that have any are deleted: truncating thirty tables writes thirty files.
        """
        connection = await self._administrator(service)
        names = [row["name"] for row in await connection.fetch(_TABLES)]
        filled = " union all ".join(
            f"select '{name}' as name where exists (select from {name})" for name in names
        )
        async with connection.transaction():
            await connection.execute("set local session_replication_role = replica")  # in any order
            for row in await connection.fetch(filled):
                await connection.execute(f"delete from {row['name']}")
            for row in await connection.fetch(_SEQUENCES):
                await connection.execute(f"alter sequence {row['name']} restart")

    async def _administrator(self, service: str) -> "asyncpg.Connection[Any]":
        """The one connection that empties a database, kept: what it asks is planned once."""
        await self.url(service)
        kept = self._administrators.get(service)
        if kept is None or kept.is_closed():
            kept = self._administrators[service] = await asyncpg.connect(driver_url(self.admin_url(service)))
        return kept

    async def analyze(self, service: str) -> None:
        """Let the planner know how much is in a service's tables, which is not the role's to do."""
        connection = await asyncpg.connect(driver_url(self.admin_url(service)))
        try:
            await connection.execute("analyze")
        finally:
            await connection.close()

    @asynccontextmanager
    async def transactions(self, service: str, clock: Clock | None = None) -> AsyncIterator[Transactions]:
        """An empty database of a service, as its handlers see it."""
        await self.empty(service)
        engine = await self._engine(service)
        try:
            yield Transactions(engine, clock or SystemClock())
        finally:
            await engine.dispose()

    async def _engine(self, service: str) -> AsyncEngine:
        """One for all tests, each with connections of its own: it keeps the statements it has compiled."""
        if service not in self._engines:
            url = await self.url(service)
            self._engines[service] = create_engine(url, application=f"{service}-test")
        return self._engines[service]

    async def drop(self) -> None:
        """Remove everything this session made."""
        for connection in self._administrators.values():
            await connection.close()
        for url in self._urls.values():
            await drop_database(self._admin_text, url)

    @property
    def _admin_text(self) -> str:
        return self._admin.render_as_string(hide_password=False)
