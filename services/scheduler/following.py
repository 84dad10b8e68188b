"""Schedules that follow the properties, zone by zone; any other is treated as the one zone it has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.announcing import carry_out
from services.scheduler.domain.catch_up import Arrears, arrears, next_after
from services.scheduler.domain.decisions import nobody_there
from services.scheduler.domain.schedules import Schedule
from services.scheduler.domain.zones import Cursor, cursor_of, gathered, in_zone
from services.scheduler.store import DueStore, ZoneStore
from services.scheduler.timetables import runs_next_at, timetable_of
from shared.messaging.transaction import Tx


async def parts_of(connection: AsyncConnection, schedule: Schedule) -> list[Schedule]:
    """A schedule as it is in each of its zones; one that follows nobody is its own only part."""
    if not schedule.follows_properties:
        return [schedule]
    return [in_zone(schedule, cursor) for cursor in await ZoneStore(connection).cursors(schedule.id)]


async def put_together(tx: Tx, schedule: Schedule, parts: Sequence[Schedule]) -> Schedule:
    """Keep how far the parts of a schedule have come, and give the schedule that this makes."""
    if not schedule.follows_properties:
        return parts[0]
    cursors = [cursor_of(part) for part in parts]
    await ZoneStore(tx.connection).put_cursors(schedule.id, cursors)
    return gathered(schedule, cursors)


async def align(tx: Tx, schedule: Schedule, *, runs: Mapping[str, int] | None = None) -> Schedule:
    """Give a schedule that follows the properties a place in every zone they are in, and in no other.

    A new zone counts since there is a property in it, and never for time before the schedule was as it is.
    What had come due in a zone that nobody is in any more is left out, and says why.
    """
    if not schedule.follows_properties:
        return schedule
    store = ZoneStore(tx.connection)
    portfolio, cursors = await store.portfolio(), await store.cursors(schedule.id)
    kept = [cursor for cursor in cursors if cursor.zone in portfolio]
    for cursor in cursors:
        if cursor.zone not in portfolio:
            await _leave(tx, schedule, cursor)
    missing = portfolio.keys() - {cursor.zone for cursor in kept}
    new = [
        _first(schedule, zone, since=portfolio[zone], runs=(runs or {}).get(zone, 0))
        for zone in sorted(missing)
    ]
    await store.put_cursors(schedule.id, new)
    aligned = gathered(schedule, [*kept, *new])
    return replace(aligned, state="paused") if schedule.state == "paused" else aligned


def missed_so_far(part: Schedule, now: datetime) -> Arrears:
    """What has come due in a zone, also what jitter would still put off: none of it may get lost."""
    if part.next_run_at is None or part.next_run_at > now:
        return Arrears((), 0, None, part.next_run_at)
    return arrears(timetable_of(part.spec, part.rules), first=part.next_run_at, now=now)


async def _leave(tx: Tx, schedule: Schedule, cursor: Cursor) -> None:
    part = in_zone(schedule, cursor)
    await carry_out(tx, part, nobody_there(missed_so_far(part, tx.at)))
    await DueStore(tx.connection).drop_queued(schedule.id, reason="zone_left", now=tx.at, zone=cursor.zone)
    await ZoneStore(tx.connection).drop_cursors(schedule.id, [cursor.zone])


def _first(schedule: Schedule, zone: str, *, since: datetime, runs: int) -> Cursor:
    part = in_zone(schedule, Cursor(zone, None, runs=runs))
    after = max(since, schedule.defined_at or since)
    return cursor_of(runs_next_at(part, next_after(timetable_of(part.spec, part.rules), after)))
