"""Saying that a time has come: the occurrence and its trigger, both or neither, once.

The occurrence's id is derived from what it stands for and is the id of its trigger's message, so a
trigger that is sent twice is one message to every consumer.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.scheduler.domain.catch_up import Due
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import SchedulerStore
from services.scheduler.triggers import announcement
from shared.clock import zone
from shared.identity import derived_id
from shared.messaging.transaction import Tx, command_envelope

CAUSE: Final = "scheduler.occurrence"


def occurrence_id(
    source: object, time_zone: str, scheduled_for: datetime, origin: str, seq: str = ""
) -> UUID:
    """The identity of a due instant; `source` is the schedule's id, or a trigger's topic without one."""
    return derived_id(source, time_zone, scheduled_for.astimezone(UTC).isoformat(), origin, seq)


def due_occurrence(schedule: Schedule, due: Due, *, at: datetime) -> Occurrence:
    """What a schedule's due instants come to: one occurrence that stands for all of them."""
    return Occurrence(
        id=occurrence_id(schedule.id, schedule.time_zone, due.scheduled_for, due.origin),
        schedule_id=schedule.id,
        schedule_key=schedule.key,
        trigger=schedule.trigger,
        spec_version=schedule.spec_version,
        zone=schedule.time_zone,
        scheduled_for=due.scheduled_for,
        origin=due.origin,
        payload=schedule.payload,
        expected=schedule.expected,
        coalesced=due.coalesced,
        coalesced_from=due.coalesced_from,
        created_at=at,
    )


def local_text(moment: datetime, time_zone: str) -> str:
    """An instant as the clock on the wall says it, with its offset."""
    return moment.astimezone(zone(time_zone)).isoformat()


async def announce(tx: Tx, occurrence: Occurrence) -> bool:
    """Keep an occurrence and emit its trigger; False where it had been announced before."""
    trigger = announcement(occurrence)
    local = local_text(occurrence.scheduled_for, occurrence.zone)
    if not await SchedulerStore(tx.connection).add_occurrence(occurrence, scheduled_local=local):
        return False
    # The story of everything that follows begins here, whatever transaction it is told in.
    tx.emit(trigger, message_id=occurrence.id, cause=command_envelope(CAUSE, occurrence.id))
    return True
