"""What the scheduler's commands share: its database, and the schedule that somebody names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import typer

from services.scheduler.asking import refusals, scheduler_settings
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import ScheduleStore
from shared.cli import UsageProblem
from shared.hosting import open_transactions
from shared.messaging.transaction import Tx

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="A schedule's key, such as monthly-billing.")]


@asynccontextmanager
async def looking() -> AsyncIterator[tuple[ScheduleStore, datetime]]:
    """The scheduler's database to read from, and what time it is."""
    async with open_transactions(scheduler_settings(), "scheduler") as transactions:
        now = transactions.clock.now()
        async with transactions.engine.connect() as connection:
            yield ScheduleStore(connection), now


@asynccontextmanager
async def changing(verb: str, *, dry_run: bool = False) -> AsyncIterator[tuple[ScheduleStore, Tx]]:
    """The scheduler's database to change, in one transaction; a dry run does all of it and takes it back."""
    async with open_transactions(scheduler_settings(), "scheduler") as transactions:
        with refusals():
            async with transactions.command(f"scheduler.{verb}", dry_run=dry_run) as tx:
                yield ScheduleStore(tx.connection), tx


async def the_schedule(store: ScheduleStore, key: str, *, lock: bool = False) -> Schedule:
    """A schedule by its key, or a refusal that says which there are."""
    schedule = await store.schedule(key, lock=lock)
    if schedule is None:
        known = ", ".join(item.key for item in await store.schedules()) or "none"
        raise UsageProblem(f"There is no schedule {key!r}.", remedy=f"There are: {known}.")
    return schedule
