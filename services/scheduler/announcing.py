"""Saying that a time has come: the occurrence and its trigger, both or neither, once.

The occurrence's id is derived from what it stands for and is the id of its trigger's message, so a
trigger that is sent twice is one message to every consumer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.scheduler.domain.catch_up import Announced
from services.scheduler.domain.decisions import Decision, LeftOut, Reason, Slot
from services.scheduler.domain.occurrences import Occurrence, Origin
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import DueStore, OccurrenceStore
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


def due_occurrence(schedule: Schedule, item: Announced, *, at: datetime) -> Occurrence:
    """The occurrence of one instant of a schedule, for as many instants as it stands for."""
    rules = schedule.rules.catching_up
    on_time = item.coalesced == 1 and at - item.scheduled_for <= rules.grace
    origin: Origin = "schedule" if on_time else "catch_up"
    return Occurrence(
        id=occurrence_id(schedule.id, schedule.time_zone, item.scheduled_for, origin),
        schedule_id=schedule.id,
        schedule_key=schedule.key,
        trigger=schedule.trigger,
        spec_version=schedule.spec_version,
        zone=schedule.time_zone,
        scheduled_for=item.scheduled_for,
        origin=origin,
        payload=schedule.payload,
        expected=schedule.expected,
        coalesced=item.coalesced,
        coalesced_from=item.coalesced_from,
        created_at=at,
        announced_at=at,
        **asdict(deadlines(schedule.rules, at)),
    )


@dataclass(frozen=True, slots=True)
class Deadlines:
    """By when a run that is announced has to have begun, and to have ended."""

    start_by: datetime | None
    deadline_at: datetime | None


def deadlines(rules: Rules, at: datetime) -> Deadlines:
    """The deadlines of a run that is announced at a moment."""
    return Deadlines(
        *(None if length is None else at + length for length in (rules.start_deadline, rules.run_timeout))
    )


def local_text(moment: datetime, time_zone: str) -> str:
    """An instant as the clock on the wall says it, with its offset."""
    return moment.astimezone(zone(time_zone)).isoformat()


async def announce(tx: Tx, occurrence: Occurrence) -> bool:
    """Keep an occurrence and emit its trigger; False where it had been announced before."""
    return await announce_all(tx, [occurrence]) == 1


async def announce_all(tx: Tx, items: Sequence[Occurrence]) -> int:
    """The same for several, in their order and by one statement; how many had not been announced before."""
    triggers = [(item, announcement(item)) for item in items]
    new = await OccurrenceStore(tx.connection).add_occurrences(_with_local(items))
    for item, trigger in triggers:
        if item.id in new:
            # The story of everything that follows begins here, whatever transaction it is told in.
            tx.emit(trigger, message_id=item.id, cause=command_envelope(CAUSE, item.id))
    return len(new)


def _with_local(items: Iterable[Occurrence]) -> list[tuple[Occurrence, str]]:
    return [(item, local_text(item.scheduled_for, item.zone)) for item in items]


async def keep_waiting(tx: Tx, items: Iterable[Occurrence]) -> None:
    """Keep runs that are announced when others have ended."""
    waiting = [
        replace(item, state="queued", announced_at=None, start_by=None, deadline_at=None) for item in items
    ]
    await OccurrenceStore(tx.connection).add_occurrences(_with_local(waiting))


async def announce_queued(tx: Tx, schedule: Schedule, occurrence: Occurrence) -> None:
    """Announce a run that has waited for the end of another one."""
    await DueStore(tx.connection).start_queued(
        occurrence.id, tx.at, **asdict(deadlines(schedule.rules, tx.at))
    )
    tx.emit(announcement(occurrence), message_id=occurrence.id, cause=command_envelope(CAUSE, occurrence.id))


async def slot_of(tx: Tx, part: Schedule) -> Slot:
    """What is under way of a schedule in one zone; nobody asks where runs may overlap."""
    if part.rules.overlap == "allow":
        return Slot()
    return await DueStore(tx.connection).slot(part.id, tx.at, zone=part.next_zone)


async def carry_out(
    tx: Tx, schedule: Schedule, decision: Decision, *, missed_because: Reason | None = None
) -> None:
    """Do what was decided of the instants that have come due; `missed_because` goes before other reasons."""
    left_out = [_unannounced(schedule, item, at=tx.at, because=missed_because) for item in decision.left_out]
    await OccurrenceStore(tx.connection).add_occurrences(_with_local(left_out))
    await announce_all(tx, [due_occurrence(schedule, item, at=tx.at) for item in decision.announce])
    if decision.queue is not None:
        await keep_waiting(tx, [due_occurrence(schedule, decision.queue, at=tx.at)])


def _unannounced(schedule: Schedule, item: LeftOut, *, at: datetime, because: Reason | None) -> Occurrence:
    one = due_occurrence(schedule, Announced(item.scheduled_for), at=at)
    return replace(
        one,
        state=item.state,
        reason=because if because and item.state == "missed" else item.reason,
        expected=(),
        coalesced=item.count,
        announced_at=None,
        start_by=None,
        deadline_at=None,
        finished_at=at,
    )
