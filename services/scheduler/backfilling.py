"""Announcing instants of a schedule that have passed without success: a preview, then all of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.announcing import announce, due_occurrence, keep_waiting, occurrence_id
from services.scheduler.definitions import InvalidSchedule
from services.scheduler.domain.backfills import Backfill
from services.scheduler.domain.catch_up import Announced, next_after
from services.scheduler.domain.occurrences import Occurrence, State
from services.scheduler.domain.schedules import Schedule
from services.scheduler.following import parts_of
from services.scheduler.store import BackfillStore, HistoryStore
from services.scheduler.timetables import timetable_of
from shared.identity import new_id
from shared.messaging.transaction import Tx

MOST: Final = 1_000
"""So many instants at once; a longer range is several backfills."""

DONE: Final = frozenset({"succeeded", "succeeded_late", "waiting", "queued"})
"""What needs no backfill: it succeeded, or may yet."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An instant of a range, and what is known of it: the best that any run of it came to."""

    scheduled_for: datetime
    zone: str
    state: State | None
    reason: str | None
    forgotten: bool = False
    """Its row was cleaned up: nobody knows any more what came of it, and it is not run again."""

    @property
    def missing(self) -> bool:
        """Whether no run of it succeeded or is under way."""
        return self.state not in DONE and not self.forgotten


async def instants_between(
    connection: AsyncConnection, schedule: Schedule, after: datetime, until: datetime
) -> list[Gap]:
    """The instants in (after, until] with what came of each; raises `InvalidSchedule` for too many."""
    store = HistoryStore(connection)
    cleaned = await store.forgotten_until(schedule.id)
    gaps: list[Gap] = []
    for part in await parts_of(connection, schedule):
        found = _instants(part, after, until, most=MOST - len(gaps))
        known = await store.states_between(schedule.id, after, until, zone=part.next_zone)
        for instant in found:
            runs = known.get(instant, [])
            state, reason = next((run for run in runs if run[0] in DONE), runs[-1] if runs else (None, None))
            forgotten = not runs and cleaned is not None and instant <= cleaned
            gaps.append(Gap(instant, part.time_zone, state, reason, forgotten=forgotten))
    return sorted(gaps, key=lambda gap: (gap.scheduled_for, gap.zone))


def _instants(part: Schedule, after: datetime, until: datetime, *, most: int) -> list[datetime]:
    timetable = timetable_of(part.spec, part.rules)
    found: list[datetime] = []
    moment = next_after(timetable, after)
    while moment is not None and moment <= until:
        if len(found) == most:
            raise InvalidSchedule(f"there are more than {MOST} instants between; give a shorter range")
        found.append(moment)
        moment = next_after(timetable, moment)
    return found


async def backfill(
    tx: Tx, schedule: Schedule, gaps: list[Gap], *, by: str | None, max_in_flight: int = 1
) -> Backfill:
    """Announce these instants, oldest first, under one backfill id; the next run stays where it is.

    No more than `max_in_flight` are under way at a time: the others wait, and the due loop announces each
    when one before it has an outcome or is given up. What waits stands in the history, outlives every
    process, and goes on while the schedule is paused, as a run by hand does.

    Lock the schedule before `gaps` are read, so that two backfills of one range do not both find them.
    """
    asked = Backfill(new_id(), schedule.id, schedule.key, max_in_flight, by, tx.at)
    await BackfillStore(tx.connection).add(asked)
    parts = {part.time_zone: part for part in await parts_of(tx.connection, schedule)}
    ordered = sorted(gaps, key=lambda item: (item.scheduled_for, item.zone))
    runs = [_occurrence(parts[gap.zone], gap, asked.id, by=by, at=tx.at) for gap in ordered]
    for run in runs[:max_in_flight]:
        await announce(tx, run)
    await keep_waiting(tx, runs[max_in_flight:])
    return asked


async def cancel(tx: Tx, asked: Backfill, *, by: str | None) -> int:
    """Announce no more of a backfill; what is under way goes on. Says how many runs will not come.

    Lock its schedule before, so that no replica announces one of them meanwhile.
    """
    return await BackfillStore(tx.connection).cancel(asked.id, by=by, now=tx.at)


def _occurrence(part: Schedule, gap: Gap, backfill_id: UUID, *, by: str | None, at: datetime) -> Occurrence:
    one = due_occurrence(part, Announced(gap.scheduled_for), at=at)
    seq = str(backfill_id)
    identity = occurrence_id(part.id, one.zone, gap.scheduled_for, "backfill", seq)
    return replace(one, id=identity, origin="backfill", seq=seq, requested_by=by)
