"""The due loop. Every replica runs it and none leads: a row lock and a unique key keep them apart."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from services.scheduler.announcing import announce_queued, carry_out, slot_of
from services.scheduler.controlling import resume
from services.scheduler.definitions import due_now
from services.scheduler.domain.decisions import Decision, decide
from services.scheduler.domain.schedules import Schedule, retry_delay
from services.scheduler.following import align, parts_of, put_together
from services.scheduler.schema import WAKE_CHANNEL
from services.scheduler.store import BackfillStore, DueStore, ScheduleStore, StartStore
from services.scheduler.timetables import runs_next_at, timetable_of
from shared.identity import new_id
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, Tx, command_envelope
from shared.wake import WakeUp

LONGEST_SLEEP: Final = 1.0
"""Seconds; schedules that were added or edited meanwhile are noticed within it."""

SHORTEST_SLEEP: Final = 0.05
"""When what is due is in another replica's hands."""

TOGETHER: Final = 25
"""How many schedules share a transaction, fewer where that many runs are announced before; what else is due
is for the other replicas meanwhile."""

log = structlog.get_logger()


async def fire_due(tx: Tx) -> Sequence[Schedule]:
    """Announce the most overdue schedules; none when nothing is due.

    They go together, and one by one where they cannot: a bad one fails alone.
    """
    due = await DueStore(tx.connection).lock_due(tx.at, TOGETHER)
    if not due:
        return due
    try:
        async with tx.savepoint():
            await _fire(tx, *due)
    except Exception as error:
        if classify(error) is not ErrorKind.DEFECT:
            raise
        for schedule in due:
            await _alone(tx, schedule, _fire)
    return due


async def release_next(tx: Tx) -> Schedule | None:
    """Announce runs that waited for others to end, where those have ended; also of a backfill."""
    return await _alone(tx, await DueStore(tx.connection).lock_next_freed(tx.at), _release)


async def resume_next(tx: Tx) -> Schedule | None:
    """Let a schedule run again whose pause was to last until now."""
    return await _alone(tx, await DueStore(tx.connection).lock_next_resuming(tx.at), _resume)


async def follow_zones(tx: Tx) -> Schedule | None:
    """Give a schedule that follows the properties its place in a zone that is new, or that nobody is in."""
    return await _alone(tx, await DueStore(tx.connection).lock_next_astray(tx.at), _follow)


async def mark_unstarted(tx: Tx) -> Sequence[str]:
    """Mark runs that no consumer has begun by their start deadline; they may still begin, late."""
    keys = await StartStore(tx.connection).mark_unstarted(tx.at)
    for key in keys:
        log.warning("run_not_started", key=key)
    return keys


async def give_up_overdue(tx: Tx) -> Sequence[str]:
    """Time out runs that nobody answered in time; their slots are free then."""
    keys = await DueStore(tx.connection).give_up_overdue(tx.at)
    for key in keys:
        log.warning("run_timed_out", key=key)
    return keys


_Work = Callable[[Tx, Schedule], Awaitable[None]]


async def _alone(tx: Tx, schedule: Schedule | None, work: _Work) -> Schedule | None:
    """Do something with a schedule that is locked; one that cannot be worked with is held back by itself.

    The savepoint undoes its work and keeps the lock, so that no replica tries it again before its error
    is recorded.
    """
    if schedule is None:
        return None
    try:
        async with tx.savepoint():
            await work(tx, schedule)
    except Exception as error:
        if classify(error) is not ErrorKind.DEFECT:
            raise
        failures = schedule.error_count + 1
        held = replace(
            schedule,
            state="error" if schedule.next_run_at else schedule.state,
            error_count=failures,
            last_error=describe(error),
            retry_at=tx.at + retry_delay(failures),
        )
        await ScheduleStore(tx.connection).save_schedule(held, now=tx.at)
        log.warning("schedule_held_back", key=schedule.key, error=held.last_error, failures=failures)
    return schedule


async def _fire(tx: Tx, *due: Schedule) -> None:
    fired: list[tuple[Schedule, list[Decision]]] = []
    for schedule in due:
        if sum(decision.runs for _, decisions in fired for decision in decisions) >= TOGETHER:
            break
        fired.append(await _advance(tx, schedule))
    await ScheduleStore(tx.connection).save_schedules([schedule for schedule, _ in fired], now=tx.at)
    for schedule, decisions in fired:
        log.info(
            "schedule_fired",
            key=schedule.key,
            announced=sum(len(decision.announce) for decision in decisions),
            queued=sum(decision.queue is not None for decision in decisions),
            left_out=sum(len(decision.left_out) for decision in decisions),
            next_run_at=schedule.next_run_at and schedule.next_run_at.isoformat(),
        )


async def _advance(tx: Tx, schedule: Schedule) -> tuple[Schedule, list[Decision]]:
    """Announce what has come due of one schedule; the schedule that waits for its next instant."""
    done = [await _announce_due(tx, part) for part in await parts_of(tx.connection, schedule)]
    decisions = [decision for _, decision in done]
    advanced = replace(
        await put_together(tx, schedule, [part for part, _ in done]),
        runs=schedule.runs + sum(decision.runs for decision in decisions),
        error_count=0,
        last_error=None,
        retry_at=None,
    )
    return advanced, decisions


async def _announce_due(tx: Tx, part: Schedule) -> tuple[Schedule, Decision]:
    """Decide on what has come due in one zone, and where it goes on there."""
    if part.next_run_at is None or part.next_run_at > tx.at:
        return part, Decision((), None, ())
    due = due_now(part, timetable_of(part.spec, part.rules), tx.at)
    slot = await slot_of(tx, part)
    decision = decide(due, now=tx.at, rules=part.rules, runs=part.runs, slot=slot)
    await carry_out(tx, part, decision)
    advanced = replace(
        part,
        runs=part.runs + decision.runs,
        last_run_at=max((item.scheduled_for for item in decision.announce), default=part.last_run_at),
    )
    return runs_next_at(advanced, due.following), decision


async def _release(tx: Tx, schedule: Schedule) -> None:
    store = DueStore(tx.connection)
    # Read again under the lock: what was seen before it may have been done by another replica.
    for waiting in await store.queued(schedule.id):
        zone = waiting.zone if schedule.follows_properties else None
        if not (await store.slot(schedule.id, tx.at, zone=zone)).is_open:
            await announce_queued(tx, schedule, waiting)
    for waiting in await BackfillStore(tx.connection).next_runs(schedule.id, tx.at):
        await announce_queued(tx, schedule, waiting)


async def _resume(tx: Tx, schedule: Schedule) -> None:
    await resume(tx, schedule)


async def _follow(tx: Tx, schedule: Schedule) -> None:
    aligned = replace(await align(tx, schedule), error_count=0, last_error=None, retry_at=None)
    await ScheduleStore(tx.connection).save_schedule(aligned, now=tx.at)
    log.info("schedule_follows_zones", key=schedule.key, next_zone=aligned.next_zone)


STEPS: Final[tuple[Callable[[Tx], Awaitable[object]], ...]] = (
    fire_due,
    follow_zones,
    mark_unstarted,
    give_up_overdue,
    release_next,
    resume_next,
)
"""All that time makes necessary, in this order; each does one thing, and says whether there was any."""


class DueLoop:
    """Announces what is due, a few schedules per transaction, until it is stopped."""

    def __init__(self, transactions: Transactions, wake: WakeUp | None = None) -> None:
        """Works on the scheduler's database; `wake` rings when something there is different."""
        self._transactions = transactions
        self._wake = wake or WakeUp("", WAKE_CHANNEL)
        self._hears = wake is not None
        self._stopped = False

    async def run(self) -> None:
        """Tick until stopped; while the database is away, try again each second."""
        listening = asyncio.create_task(self._wake.listen()) if self._hears else None
        while not self._stopped:
            ticket = self._wake.ticket
            try:
                pause = await self._tick()
            except Exception as error:  # noqa: BLE001 - nothing may end the loop; the next tick finds out
                log.warning("tick_failed", error=describe(error))
                ticket, pause = self._wake.ticket, LONGEST_SLEEP
            if pause > 0 and not self._stopped:
                await self._wake.after(ticket, pause)
        if listening is not None:
            await listening

    def stop(self) -> None:
        """Finish the schedule in hand and return from `run`."""
        self._stopped = True
        self._wake.stop()

    async def _tick(self) -> float:
        """Do one thing that is due; returns the seconds until the next one may be."""
        async with self._transactions.begin(command_envelope("scheduler.tick", new_id())) as tx:
            for step in STEPS:
                if await step(tx):
                    return 0.0
            wake = await DueStore(tx.connection).next_wake()
        return sleep_seconds(wake, self._transactions.clock.now())


def sleep_seconds(wake: datetime | None, now: datetime) -> float:
    """How long nothing can be due, within the limits of patience."""
    until = (wake - now).total_seconds() if wake else LONGEST_SLEEP
    return min(max(until, SHORTEST_SLEEP), LONGEST_SLEEP)
