"""Announcing a trigger because somebody asks for it, and waiting for what comes of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.scheduler.announcing import announce, deadlines, occurrence_id
from services.scheduler.domain.occurrences import UNNAMED, Occurrence
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import DueStore, OccurrenceStore, ScheduleStore
from services.scheduler.triggers import (
    UnknownTrigger,
    checked_payload,
    expected_consumers,
    known_triggers,
    spoken_name,
    trigger_named,
)
from shared.clock import stopwatch, zone
from shared.contracts.base import as_utc
from shared.identity import new_id
from shared.messaging.transaction import Transactions, Tx

POLL_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 5.0
"""For so long nobody wonders what a command waits for."""


class UnknownName(LookupError):
    """Neither a schedule nor a trigger; says which there are."""


class UnknownOccurrence(LookupError):
    """There is no occurrence of that id."""


class UnderWay(ValueError):
    """A run that must not overlap with another one, which has no outcome yet."""


class Archived(ValueError):
    """A schedule that is put away runs no more, by hand neither, unless somebody insists."""


class KeyTaken(ValueError):
    """An idempotency key that stands for something else already."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What is announced by hand: a schedule's trigger, or a trigger without one."""

    key: str
    trigger: str
    zone: str
    schedule: Schedule | None

    @property
    def identity(self) -> object:
        return self.schedule.id if self.schedule else self.trigger


async def run_now(  # noqa: PLR0913 - each says another thing about the run, all by name
    tx: Tx,
    schedule_key: str,
    *,
    payload: Mapping[str, Any] | None = None,
    requested_by: str | None = None,
    seq: str | None = None,
    as_of: datetime | None = None,
    dry_run: bool = False,
    reason: str | None = None,
    force: bool = False,
) -> UUID:
    """Announce a schedule's trigger now, as an occurrence of its own; the next run stays where it is.

    `schedule_key` may be a trigger's name instead, where there is no schedule. `payload` goes over the
    schedule's own. `seq` is an idempotency key: a second request under it gives the first occurrence.
    `force` runs it beside one that is under way, whatever its overlap rule says.
    Raises `UnknownName`, `InvalidPayload`, `KeyTaken`, `Archived` or `UnderWay`.
    """
    if seq is not None and seq.startswith(UNNAMED):
        raise KeyTaken(f"Keys that begin with {UNNAMED!r} are those of runs without one; choose another")
    store = OccurrenceStore(tx.connection)
    source = await _source(ScheduleStore(tx.connection), schedule_key)
    occurrence = replace(
        _occurrence(source, payload or {}, seq or f"{UNNAMED}{new_id()}", as_of=as_of, now=tx.at),
        dry_run=dry_run,
        requested_by=requested_by,
        reason=reason,
    )
    if not (force or dry_run) and await store.occurrence_asked(source.key, occurrence.seq) is None:
        await _require_free(DueStore(tx.connection), source, tx.at)
    if await announce(tx, occurrence):
        return occurrence.id
    return await _former(store, occurrence, as_of=as_of)


def _occurrence(
    source: _Source, payload: Mapping[str, Any], seq: str, *, as_of: datetime | None, now: datetime
) -> Occurrence:
    """One run of a source, beside its own times."""
    schedule = source.schedule
    wanted = checked_payload(
        trigger_named(source.trigger), {**(schedule.payload if schedule else {}), **payload}
    )
    place = zone(wanted.get("only_zone") or source.zone).key
    scheduled_for = as_utc(as_of or now)
    return Occurrence(
        id=occurrence_id(source.identity, place, scheduled_for, "manual", seq),
        schedule_id=schedule.id if schedule else None,
        schedule_key=source.key,
        trigger=source.trigger,
        spec_version=schedule.spec_version if schedule else 0,
        zone=place,
        scheduled_for=scheduled_for,
        origin="manual",
        seq=seq,
        payload=wanted,
        expected=schedule.expected if schedule else expected_consumers(source.trigger),
        created_at=now,
        announced_at=now,
        **asdict(deadlines(schedule.rules if schedule else Rules(run_timeout=None), now)),
    )


async def await_outcome(
    transactions: Transactions,
    occurrence_id: UUID,
    timeout: float = 120.0,  # noqa: ASYNC109 - running out of it is an answer here, not an error
    *,
    waiting: Callable[[Occurrence], None] = lambda _: None,
) -> Occurrence:
    """An occurrence with its reports, once it is settled or the time is up; see `Occurrence.settled`.

    `waiting` is told each `PATIENCE_SECONDS` how it stands.
    """
    started = stopwatch()
    deadline, told_at = started + timeout, started
    while True:
        async with transactions.engine.connect() as connection:
            occurrence = await OccurrenceStore(connection).occurrence(occurrence_id)
        if occurrence is None:
            raise UnknownOccurrence(f"There is no occurrence {occurrence_id}")
        if occurrence.settled or stopwatch() >= deadline:
            return occurrence
        if stopwatch() - told_at >= PATIENCE_SECONDS:
            waiting(occurrence)
            told_at = stopwatch()
        await asyncio.sleep(POLL_SECONDS)


async def _require_free(store: DueStore, source: _Source, now: datetime) -> None:
    if source.schedule is not None and source.schedule.state == "archived":
        raise Archived(f"{source.key} is archived; `propman scheduler resume {source.key}` brings it back")
    if source.schedule is None or source.schedule.rules.overlap == "allow":
        return
    if (run := await store.under_way(source.schedule.id, now)) is not None:
        whom = ", ".join(run.unanswered) or "its consumers"
        since = f"{run.since:%Y-%m-%d %H:%M} UTC"
        raise UnderWay(
            f"A run of {source.key} has been under way since {since} and waits for {whom}:"
            " wait too, or use --force"
        )


async def _source(store: ScheduleStore, name: str) -> _Source:
    schedule = await store.schedule(name, lock=True)
    if schedule is not None:
        # A run of all properties by hand is at one moment, wherever they are.
        place = "UTC" if schedule.follows_properties else schedule.time_zone
        return _Source(schedule.key, schedule.trigger, place, schedule)
    try:
        topic = trigger_named(name).topic
    except UnknownTrigger as error:
        schedules = [known.key for known in await store.schedules()]
        names = ", ".join([*schedules, *(spoken_name(topic) for topic in known_triggers())])
        raise UnknownName(f"There is no schedule or trigger {name!r}; there are: {names}") from error
    return _Source(spoken_name(topic), topic, "UTC", None)


async def _former(store: OccurrenceStore, wanted: Occurrence, *, as_of: datetime | None) -> UUID:
    """What was asked for under the same key; a key that says two things is a mistake of the caller's."""
    former = await store.occurrence_asked(wanted.schedule_key, wanted.seq)
    same = former is not None and (
        (former.trigger, former.payload, former.dry_run) == (wanted.trigger, wanted.payload, wanted.dry_run)
        and (as_of is None or former.scheduled_for == wanted.scheduled_for)
    )
    if former is None or not same:
        raise KeyTaken(f"The key {wanted.seq!r} already stands for another run of {wanted.schedule_key}")
    return former.id
