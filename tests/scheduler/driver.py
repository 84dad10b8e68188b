"""Driving the scheduler in tests: a clock that is set by hand, and one call for each thing it does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.scheduler.definitions import new_schedule
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.following import align
from services.scheduler.store import HistoryStore, ScheduleStore
from services.scheduler.ticking import STEPS, fire_due
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome
from shared.messaging.transaction import Transactions, Tx

T = TypeVar("T")

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class SetClock:
    """A clock that stands where a test put it."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)


class Scheduler:
    """What tests do with the scheduler, each in a transaction as the real thing has it."""

    def __init__(self, transactions: Transactions, clock: SetClock) -> None:
        self.transactions = transactions
        self.clock = clock

    async def add(
        self,
        key: str = "rent",
        *,
        cron: str = "5 * * * *",
        time_zone: str = "UTC",
        rules: Rules | None = None,
        spec: dict[str, Any] | None = None,
        **payload: str,
    ) -> Schedule:
        schedule = new_schedule(
            key,
            trigger="monthly-billing-due",
            spec=spec or {"kind": "cron", "expr": cron, "timezone": time_zone},
            payload=payload,
            rules=rules,
            now=self.clock.now(),
        )
        async with self.transactions.command("test") as tx:
            assert await ScheduleStore(tx.connection).add_schedule(schedule, now=tx.at)
            schedule = await align(tx, schedule)
            await ScheduleStore(tx.connection).save_schedule(schedule, now=tx.at)
        return schedule

    async def tick(self) -> Sequence[Schedule]:
        async with self.transactions.command("test") as tx:
            return await fire_due(tx)

    async def drain(self) -> None:
        while await self.tick():
            pass

    async def round(self) -> None:
        """Everything a replica does until nothing is left to do."""
        for step in STEPS:
            while await self._step(step):
                pass

    async def _step(self, step: Callable[[Tx], Awaitable[object]]) -> object:
        async with self.transactions.command("test") as tx:
            return await step(tx)

    async def change(self, act: Callable[[Tx, Schedule], Awaitable[T]], key: str = "rent") -> T:
        """Do something with a schedule, locked, as a command does."""
        async with self.transactions.command("test") as tx:
            schedule = await ScheduleStore(tx.connection).schedule(key, lock=True)
            assert schedule is not None
            return await act(tx, schedule)

    async def schedule(self, key: str = "rent") -> Schedule:
        async with self.transactions.engine.connect() as connection:
            found = await ScheduleStore(connection).schedule(key)
        assert found is not None
        return found

    async def history(self, key: str | None = None) -> list[Occurrence]:
        async with self.transactions.engine.connect() as connection:
            return await HistoryStore(connection).history(key, 1_000)


def billed(occurrence_id: UUID, at: datetime = START) -> TriggerOutcome:
    """What billing says when all went well: 29 invoices."""
    return TriggerOutcome(
        occurrence_id=occurrence_id,
        trigger=MonthlyBillingDue.topic,
        consumer="billing",
        state="succeeded",
        counts={"created": 29},
        finished_at=at,
    )


async def until(probe: Callable[[], Awaitable[T | None]], within: float = 5) -> T:
    """Wait until an async probe answers with something, and give that."""
    async with asyncio.timeout(within):
        while not (found := await probe()):  # noqa: ASYNC110 - another process does it; no event can tell
            await asyncio.sleep(0.05)
    return found
