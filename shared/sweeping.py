"""Removing rows that are only history: a walk over one table in the order of its key, in short steps."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Clause = sa.ColumnElement[bool]

Remove = Callable[[AsyncConnection, sa.Table, sa.Select[Any]], Awaitable[int]]
"""Removes the rows whose keys a query gives, and says how many they were."""

NO_FLOOR: Final = timedelta()


async def delete(connection: AsyncConnection, table: sa.Table, chosen: sa.Select[Any]) -> int:
    """Take the rows out of their table."""
    return (await connection.execute(sa.delete(table).where(key_of(table).in_(chosen)))).rowcount


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which rows of a table are history, and which of those something still needs."""

    kind: str
    """What people call such rows; unique in a service."""
    table: sa.Table
    old: Callable[[datetime], Clause]
    """What is older than a moment."""
    needed: Callable[[datetime], Clause] = field(default=lambda _before: sa.false())
    """What of it stays: because a dedupe key depends on it, or somebody has not done with it."""
    failure: Clause | None = None
    """Which rows tell of a failure; None where none does."""
    floor: timedelta = NO_FLOOR
    """However short a time somebody asks for, what is younger than this stays."""
    remove: Remove = delete


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks to be removed."""

    before: datetime
    failures_only: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What one step over a table came to."""

    looked_at: int
    examined: int
    """How many of them were old enough."""
    removed: int
    """On a dry run: how many would go."""
    last: tuple[str, ...] | None
    """The key of the last row that was looked at; None at the end of the table."""


def key_of(table: sa.Table) -> "sa.Tuple":
    """The primary key, as one value."""
    return sa.tuple_(*table.primary_key.columns)


async def walk(
    connection: AsyncConnection,
    sweep: Sweep,
    wanted: Wanted,
    *,
    after: Sequence[str] = (),
    most: int,
) -> Step:
    """Look at the next `most` rows after a key, and remove what is old and needed by nobody.

    A row that somebody else has locked at this moment is left to the next time: nothing waits for us, and
    we wait for nobody.
    """
    last = await _last(connection, sweep.table, after, most)
    stretch = [_beyond(sweep.table, after)] if after else []
    stretch += [key_of(sweep.table) <= _value(sweep.table, last)] if last else []
    old = sweep.old(wanted.before)
    if wanted.failures_only and sweep.failure is not None:
        old = sa.and_(old, sweep.failure)
    goes = sa.and_(old, ~sweep.needed(wanted.before))
    counts = sa.select(sa.func.count(), sa.func.count().filter(old), sa.func.count().filter(goes))
    looked_at, examined, removed = (
        await connection.execute(counts.select_from(sweep.table).where(*stretch))
    ).one()
    if removed and not wanted.dry_run:
        key = sweep.table.primary_key.columns
        chosen = sa.select(*key).where(*stretch, goes).with_for_update(of=sweep.table, skip_locked=True)
        removed = await sweep.remove(connection, sweep.table, chosen)
    return Step(looked_at, examined, removed, last)


async def _last(
    connection: AsyncConnection, table: sa.Table, after: Sequence[str], most: int
) -> tuple[str, ...] | None:
    """The key at which a step ends; None where it goes to the end of the table."""
    key = table.primary_key.columns
    query = sa.select(*(sa.cast(column, sa.Text) for column in key)).order_by(*key).offset(most - 1).limit(1)
    if after:
        query = query.where(_beyond(table, after))
    row = (await connection.execute(query)).one_or_none()
    return tuple(row) if row else None


def _beyond(table: sa.Table, after: Sequence[str]) -> Clause:
    return key_of(table) > _value(table, after)


def _value(table: sa.Table, key: Sequence[str]) -> "sa.Tuple":
    columns = table.primary_key.columns
    return sa.tuple_(
        *(sa.cast(sa.literal(part, sa.Text), column.type) for part, column in zip(key, columns, strict=True))
    )
