"""What tells a database with a simulated past from a real one: a table that nothing else ever makes.

An administrator makes it, in every service's database, before the first simulated row is written; a
service's own role may read it and note how far the simulation has come. No migration knows it, so no other
database has it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import service_names
from propman.databases import transactions_of
from propman.db import service_url
from propman.settings import AdministrationSettings
from shared.db import driver_url

TABLE: Final = "simulated_past"

KEEPER: Final = "scheduler"
"""In whose database it is kept up to date how far the simulation has come."""

_CREATE: Final = f"""create table {TABLE} (
    seed integer not null, starts_on date not null, until_on date not null,
    reached_at timestamptz not null, finished_at timestamptz, timetables jsonb)"""
_THERE: Final = sa.text(f"select to_regclass('public.{TABLE}') is not null")
_READ: Final = sa.text(f"select seed, starts_on, until_on, reached_at, finished_at from {TABLE}")  # noqa: S608
_REACHED: Final = sa.text(f"update {TABLE} set reached_at = :at")  # noqa: S608
_KEEP_TIMETABLES: Final = sa.text(
    f"update {TABLE} set timetables = cast(:found as jsonb) where timetables is null"  # noqa: S608
)
_TIMETABLES: Final = sa.text(f"select timetables from {TABLE}")  # noqa: S608
_FINISHED: Final = sa.text(f"update {TABLE} set reached_at = :at, finished_at = :at")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Past:
    """A simulated past: what it was made from, and how far it has come."""

    seed: int
    starts_on: date
    until_on: date
    reached_at: datetime
    finished_at: datetime | None = None

    @property
    def made_from(self) -> tuple[int, date, date]:
        """What makes two of them the same."""
        return self.seed, self.starts_on, self.until_on


async def simulated_in(service: str) -> bool:
    """Whether a service's database holds a simulated past."""
    async with transactions_of(service) as transactions, transactions.engine.connect() as connection:
        return bool(await connection.scalar(_THERE))


async def read_past(connection: AsyncConnection) -> Past | None:
    """The simulated past of a database, or None where it has none."""
    if not await connection.scalar(_THERE):
        return None
    row = (await connection.execute(_READ)).mappings().one_or_none()
    return Past(**row) if row else None


async def note_moment(connection: AsyncConnection, at: datetime, *, last: bool = False) -> None:
    """Keep how far it has come: whatever was to happen before that moment has happened."""
    await connection.execute(_FINISHED if last else _REACHED, {"at": at})


async def keep_timetables(connection: AsyncConnection, found: Mapping[str, Any]) -> None:
    """Remember the timetables that schedules had before the simulation; those kept first stay."""
    await connection.execute(_KEEP_TIMETABLES, {"found": json.dumps(found)})


async def kept_timetables(connection: AsyncConnection) -> dict[str, Any]:
    """The timetables of before, by the schedules' keys."""
    found: dict[str, Any] | None = await connection.scalar(_TIMETABLES)
    return found or {}


async def mark_all(past: Past) -> None:
    """Mark every service's database, as its administrator."""
    await asyncio.gather(*(_mark(service, past) for service in service_names()))


async def _mark(service: str, past: Past) -> None:
    async with administering(service) as connection, connection.transaction():
        role = await connection.fetchval("select quote_ident($1)", make_url(service_url(service)).username)
        await connection.execute(_CREATE)
        await connection.execute(f"grant select, update on {TABLE} to {role}")
        await connection.execute(
            f"insert into {TABLE} (seed, starts_on, until_on, reached_at) values ($1, $2, $3, $4)",  # noqa: S608
            *(past.seed, past.starts_on, past.until_on, past.reached_at),
        )


@asynccontextmanager
async def administering(service: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A connection to a service's database with an administrator's rights."""
    admin = make_url(AdministrationSettings().postgres_url.get_secret_value())
    target = admin.set(database=make_url(service_url(service)).database)
    connection = await asyncpg.connect(driver_url(target.render_as_string(hide_password=False)), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
