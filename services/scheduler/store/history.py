"""History for reading: what was announced when, what came of it, and what of it is still known."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.occurrences import Occurrence, State
from services.scheduler.schema import forgotten, occurrences, schedules
from services.scheduler.store.occurrences import holds_the_slot, with_reports


class HistoryStore:
    """What people and the watchdog look back on, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def history(self, key: str | None, limit: int) -> list[Occurrence]:
        """The newest occurrences, of one schedule or of all."""
        query = (
            sa.select(occurrences)
            .order_by(occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc(), occurrences.c.id)
            .limit(limit)
        )
        if key is not None:
            query = query.where(occurrences.c.schedule_key == key)
        return await with_reports(self._connection, (await self._connection.execute(query)).all())

    async def states_between(
        self, schedule_id: UUID, after: datetime, until: datetime, *, zone: str | None = None
    ) -> dict[datetime, list[tuple[State, str | None]]]:
        """What came of a schedule's instants in (after, until], of each in the order it was tried."""
        query = (
            sa.select(occurrences.c.scheduled_for, occurrences.c.state, occurrences.c.reason)
            .where(
                occurrences.c.schedule_id == schedule_id,
                occurrences.c.scheduled_for > after,
                occurrences.c.scheduled_for <= until,
                occurrences.c.origin != "manual",
                ~occurrences.c.dry_run,
            )
            .order_by(occurrences.c.created_at)
        )
        if zone is not None:
            query = query.where(occurrences.c.zone == zone)
        found: dict[datetime, list[tuple[State, str | None]]] = {}
        for moment, state, reason in await self._connection.execute(query):
            found.setdefault(moment, []).append((state, reason))
        return found

    async def forgotten_until(self, schedule_id: UUID) -> datetime | None:
        """Up to which instant the schedule's history was cleaned up; None where all of it is there."""
        query = sa.select(forgotten.c.until).where(forgotten.c.schedule_id == schedule_id)
        moment: datetime | None = await self._connection.scalar(query)
        return moment

    async def last_occurrences(self) -> dict[str, Occurrence]:
        """The newest occurrence of each schedule, by its key."""
        query = (
            sa.select(occurrences)
            .ext(distinct_on(occurrences.c.schedule_key))
            .join(schedules, schedules.c.key == occurrences.c.schedule_key)
            .order_by(
                occurrences.c.schedule_key,
                occurrences.c.created_at.desc(),
                occurrences.c.scheduled_for.desc(),
            )
        )
        found = await with_reports(self._connection, (await self._connection.execute(query)).all())
        return {occurrence.schedule_key: occurrence for occurrence in found}

    async def recent_states(self, each: int) -> dict[str, list[State]]:
        """The states of each schedule's last occurrences, oldest first, by its key."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.schedule_key,
            order_by=[occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc()],
        )
        ranked = sa.select(occurrences.c.schedule_key, occurrences.c.state, place.label("place")).subquery()
        query = sa.select(ranked.c.schedule_key, ranked.c.state).where(ranked.c.place <= each)
        found: dict[str, list[State]] = {}
        for key, state in await self._connection.execute(query.order_by(ranked.c.place.desc())):
            found.setdefault(key, []).append(state)
        return found

    async def recent_runs(self, each: int) -> dict[str, list[Occurrence]]:
        """The last runs of each schedule that were announced for real, newest first, by its key."""
        place = sa.func.row_number().over(
            partition_by=occurrences.c.schedule_key,
            order_by=[occurrences.c.created_at.desc(), occurrences.c.scheduled_for.desc()],
        )
        announced = sa.select(occurrences.c.id, place.label("place")).where(
            occurrences.c.state.not_in(["missed", "skipped", "queued"]),
            ~occurrences.c.dry_run,
            occurrences.c.schedule_id.is_not(None),
        )
        ranked = announced.subquery()
        query = (
            sa.select(occurrences)
            .join(ranked, ranked.c.id == occurrences.c.id)
            .where(ranked.c.place <= each)
            .order_by(ranked.c.place)
        )
        found: dict[str, list[Occurrence]] = {}
        for occurrence in await with_reports(self._connection, (await self._connection.execute(query)).all()):
            found.setdefault(occurrence.schedule_key, []).append(occurrence)
        return found

    async def held_up(self, now: datetime) -> dict[str, tuple[Occurrence, int]]:
        """By schedule, the run under way that others were left out for, and how many they are.

        Where several are, in zones of their own, the one that has been under way longest.
        """
        run, skipped = occurrences.alias("run"), occurrences.alias("skipped")
        count = (
            sa.select(sa.func.sum(skipped.c.coalesced))
            .where(
                skipped.c.schedule_id == run.c.schedule_id,
                skipped.c.zone == run.c.zone,
                skipped.c.state == "skipped",
                skipped.c.reason == "overlap",
                skipped.c.created_at >= run.c.announced_at,
            )
            .scalar_subquery()
        )
        held = sa.select(run.c.id, run.c.schedule_id, run.c.announced_at, count.label("left_out")).where(
            holds_the_slot(run)
        )
        found = held.subquery()
        query = (
            sa.select(found)
            .ext(distinct_on(found.c.schedule_id))
            .where(found.c.left_out > 0)
            .order_by(found.c.schedule_id, found.c.announced_at)
        )
        found_now = await self._connection.execute(query, {"now": now})
        left_out = {row.id: int(row.left_out) for row in found_now}
        runs = sa.select(occurrences).where(occurrences.c.id.in_(left_out))
        rows = (await self._connection.execute(runs)).all()
        return {
            item.schedule_key: (item, left_out[item.id])
            for item in await with_reports(self._connection, rows)
        }

    async def last_successes(self) -> dict[str, datetime]:
        """When each schedule last succeeded, by its key."""
        query = (
            sa.select(occurrences.c.schedule_key, sa.func.max(occurrences.c.finished_at))
            .where(occurrences.c.state.in_(["succeeded", "succeeded_late"]), ~occurrences.c.dry_run)
            .group_by(occurrences.c.schedule_key)
        )
        rows = await self._connection.execute(query)
        return {row.schedule_key: row[1] for row in rows}
