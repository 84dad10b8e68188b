"""The zones of the portfolio, and how far each schedule that follows them has come in each."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.schedules import PROPERTY_ZONE
from services.scheduler.domain.zones import Cursor
from services.scheduler.schema import properties, schedule_zones, schedules, zones

_PORTFOLIO_LOCK: Final = 0x7A6F6E6573
"""The advisory lock under which the zones in use are found out."""


class ZoneStore:
    """Properties' zones and schedules' places in them, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep_property(self, property_id: UUID, version: int, time_zone: str) -> bool:
        """Replace the copy of a property's zone; False where a newer one is here already.

        One at a time: of two properties that change zones at once neither would see the other go.
        """
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PORTFOLIO_LOCK)))
        statement = insert(properties).values(property_id=property_id, version=version, time_zone=time_zone)
        kept = statement.on_conflict_do_update(
            index_elements=["property_id"],
            set_={"version": statement.excluded.version, "time_zone": statement.excluded.time_zone},
            where=properties.c.version < statement.excluded.version,
        )
        return (await self._connection.execute(kept.returning(properties.c.property_id))).first() is not None

    async def settle_zones(self, used: str | None, now: datetime) -> None:
        """A zone is in use from now on, where it was not before; those that no property is in are no more."""
        if used is not None:
            new = insert(zones).values(zone=used, since=now).on_conflict_do_nothing()
            await self._connection.execute(new)
        inhabited = sa.exists().where(properties.c.time_zone == zones.c.zone)
        await self._connection.execute(sa.delete(zones).where(~inhabited))

    async def portfolio(self) -> dict[str, datetime]:
        """The zones that some property is in, by name, each with since when."""
        rows = await self._connection.execute(sa.select(zones).order_by(zones.c.zone))
        return {row.zone: row.since for row in rows}

    async def cursors(self, schedule_id: UUID) -> list[Cursor]:
        """How far a schedule has come in each zone. Whoever changes them has locked the schedule."""
        query = sa.select(schedule_zones).where(schedule_zones.c.schedule_id == schedule_id)
        rows = await self._connection.execute(query.order_by(schedule_zones.c.zone))
        return [Cursor(row.zone, row.next_run_at, row.delay, row.runs, row.last_run_at) for row in rows]

    async def any_astray(self) -> bool:
        """Whether a schedule that follows the properties has yet to follow one."""
        return bool(await self._connection.scalar(sa.select(astray().exists())))

    async def put_cursors(self, schedule_id: UUID, cursors: Sequence[Cursor]) -> None:
        """Keep how far a schedule has come in these zones."""
        if not cursors:
            return
        statement = insert(schedule_zones)
        changed = {name: statement.excluded[name] for name in ("next_run_at", "delay", "runs", "last_run_at")}
        values = [{"schedule_id": schedule_id, **asdict(cursor)} for cursor in cursors]
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=["schedule_id", "zone"], set_=changed), values
        )

    async def drop_cursors(self, schedule_id: UUID, names: Collection[str] | None = None) -> None:
        """Forget the places of a schedule in these zones, or in all."""
        statement = sa.delete(schedule_zones).where(schedule_zones.c.schedule_id == schedule_id)
        if names is not None:
            statement = statement.where(schedule_zones.c.zone.in_(names))
        await self._connection.execute(statement)


def astray() -> sa.Select[tuple[UUID]]:
    """Schedules that follow the properties and have a zone too few or too many."""
    mine = sa.select(schedule_zones.c.zone).where(schedule_zones.c.schedule_id == schedules.c.id)
    mine = mine.correlate(schedules)
    without = sa.select(zones.c.zone).where(zones.c.zone.not_in(mine)).correlate(schedules).exists()
    too_many = mine.where(schedule_zones.c.zone.not_in(sa.select(zones.c.zone))).exists()
    return sa.select(schedules).where(
        schedules.c.spec["timezone"].astext == PROPERTY_ZONE,
        schedules.c.state != "archived",
        sa.or_(without, too_many),
    )
