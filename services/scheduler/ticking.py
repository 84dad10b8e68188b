"""The due loop. Every replica runs it and none leads: a row lock and a unique key keep them apart."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog

from services.scheduler.announcing import announce, due_occurrence
from services.scheduler.domain.catch_up import latest_due
from services.scheduler.domain.schedules import Schedule, retry_delay
from services.scheduler.store import SchedulerStore
from services.scheduler.timetable import parse_cron
from shared.identity import new_id
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, Tx, command_envelope

LONGEST_SLEEP: Final = 1.0
"""Seconds; schedules that were added or edited meanwhile are noticed within it."""

SHORTEST_SLEEP: Final = 0.05
"""When what is due is in another replica's hands."""

log = structlog.get_logger()


async def fire_next(tx: Tx) -> Schedule | None:
    """Announce the most overdue schedule; None when nothing is due.

    A schedule that cannot be announced is held back by itself: the savepoint undoes its work and keeps
    the lock, so that no replica tries it again before its error is recorded.
    """
    store = SchedulerStore(tx.connection)
    schedule = await store.lock_next_due(tx.at)
    if schedule is None:
        return None
    try:
        async with tx.connection.begin_nested():
            await _fire(tx, store, schedule)
    except Exception as error:
        if classify(error) is not ErrorKind.DEFECT:
            raise
        retry_at = tx.at + retry_delay(schedule.error_count + 1)
        await store.hold_back(schedule, error=describe(error), retry_at=retry_at, now=tx.at)
        log.warning("schedule_held_back", key=schedule.key, error=describe(error), until=retry_at.isoformat())
    return schedule


async def _fire(tx: Tx, store: SchedulerStore, schedule: Schedule) -> None:
    cron = parse_cron(schedule.cron, schedule.time_zone)
    due = latest_due(cron, first=schedule.next_run_at, now=tx.at)
    occurrence = due_occurrence(schedule, due, at=tx.at)
    await store.advance(schedule, due, now=tx.at)
    if await announce(tx, occurrence):
        log.info(
            "schedule_fired",
            key=schedule.key,
            occurrence_id=str(occurrence.id),
            origin=due.origin,
            coalesced=due.coalesced,
            next_run_at=due.next_run_at.isoformat(),
        )


class DueLoop:
    """Announces what is due, one schedule per transaction, until it is stopped."""

    def __init__(self, transactions: Transactions) -> None:
        """Works on the scheduler's database, by that database's clock."""
        self._transactions = transactions
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Tick until stopped; while the database is away, try again each second."""
        while not self._stopped.is_set():
            try:
                pause = await self._tick()
            except Exception as error:  # noqa: BLE001 - nothing may end the loop; the next tick finds out
                log.warning("tick_failed", error=describe(error))
                pause = LONGEST_SLEEP
            await self._rest(pause)

    def stop(self) -> None:
        """Finish the schedule in hand and return from `run`."""
        self._stopped.set()

    async def _tick(self) -> float:
        """Announce one schedule; returns the seconds until the next one may be due."""
        async with self._transactions.begin(command_envelope("scheduler.tick", new_id())) as tx:
            if await fire_next(tx) is not None:
                return 0.0
            return sleep_seconds(await SchedulerStore(tx.connection).next_wake(), tx.at)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopped.wait()


def sleep_seconds(wake: datetime | None, now: datetime) -> float:
    """How long nothing can be due, within the limits of patience."""
    until = (wake - now).total_seconds() if wake else LONGEST_SLEEP
    return min(max(until, SHORTEST_SLEEP), LONGEST_SLEEP)
