"""Schedules as they are defined, and how far each has come."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.schema import schedules

_RULES = tuple(item.name for item in fields(Rules))

# Written once, because each due instant needs it: to put a statement together takes as long as to run it.
_SAVE = sa.update(schedules).where(schedules.c.id == sa.bindparam("saved_id"))


class ScheduleStore:
    """The definitions, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def connection(self) -> AsyncConnection:
        """The open connection, for whoever has another store to ask."""
        return self._connection

    async def schedule(self, key: str, *, lock: bool = False) -> Schedule | None:
        """One schedule by its key; locked, no replica runs it meanwhile."""
        query = sa.select(schedules).where(schedules.c.key == key)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return schedule_of(row) if row else None

    async def schedules(self) -> list[Schedule]:
        """All schedules, by key."""
        return [
            schedule_of(row) for row in await self._connection.execute(sa.select(schedules).order_by("key"))
        ]

    async def add_schedule(self, schedule: Schedule, *, now: datetime) -> bool:
        """Keep a new schedule; False where its key is taken."""
        values = _values(schedule) | {"created_at": now, "updated_at": now}
        statement = insert(schedules).values(values).on_conflict_do_nothing(index_elements=["key"])
        added = await self._connection.execute(statement.returning(schedules.c.id))
        return added.one_or_none() is not None

    async def save_schedule(self, schedule: Schedule, *, now: datetime) -> None:
        """Keep what is different about a schedule."""
        await self.save_schedules([schedule], now=now)

    async def save_schedules(self, changed: Sequence[Schedule], *, now: datetime) -> None:
        """The same for several, in one round trip."""
        values = [_values(item) | {"updated_at": now, "saved_id": item.id} for item in changed]
        await self._connection.execute(_SAVE, values)

    async def remove_schedule(self, schedule: Schedule) -> None:
        """Forget a schedule; its history stays."""
        await self._connection.execute(sa.delete(schedules).where(schedules.c.id == schedule.id))

    async def written(self) -> dict[str, tuple[datetime, datetime]]:
        """When each schedule was made and when it was last written, by its key."""
        query = sa.select(schedules.c.key, schedules.c.created_at, schedules.c.updated_at)
        return {key: (made, changed) for key, made, changed in await self._connection.execute(query)}


def schedule_of(row: sa.Row[Any]) -> Schedule:
    """A row of the table as the rules know it."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del values["created_at"], values["updated_at"]
    rules = {name: values.pop(name) for name in _RULES}
    rules["excluded"] = tuple(row.excluded)
    return Schedule(**values | {"expected": tuple(row.expected), "rules": Rules(**rules)})


def _values(schedule: Schedule) -> dict[str, Any]:
    values = asdict(schedule) | {"expected": list(schedule.expected)}
    rules: dict[str, Any] = values.pop("rules")
    return values | rules | {"excluded": list(schedule.rules.excluded)}
