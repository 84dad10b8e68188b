"""The services, hosted on a clock that is moved; each moment lasts until nothing is left to do in it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import app_module, service_names
from propman.run import CLOCK, start_all, stop_all
from propman.settings import SystemSettings
from propman.simulation.watching import Busy, Tap, Watch
from services.billing.schema import CHARGES_CHANNEL
from services.billing.store import ChargeStore
from services.notifications.schema import WAKE_CHANNEL as DELIVERIES_CHANNEL
from services.notifications.store import deliveries
from services.scheduler.schema import WAKE_CHANNEL as SCHEDULES_CHANNEL
from services.scheduler.store import DueStore, ZoneStore
from shared.clock import SharedClock
from shared.hosting import open_transactions, spare_the_collector
from shared.link_keys import VARIABLE
from shared.messaging.transaction import Transactions
from shared.settings import ServiceSettings

PATIENCE: Final = 8.0
"""Seconds for which the clock stands although work is left. Then what waits for time is given some: the
claim of a process that died, the pause of something that failed."""

CREEP: Final = timedelta(seconds=20)
"""By how much the clock moves then, each second."""

LINK_KEY: Final = "a-key-of-simulations-which-sign-nothing-real"
"""What signing links are made with meanwhile, by leasing and notifications alike."""

BELLS: Final[Mapping[str, str]] = {
    "scheduler": SCHEDULES_CHANNEL,
    "billing": CHARGES_CHANNEL,
    "notifications": DELIVERIES_CHANNEL,
}
"""On which channel a service's workers wait; they would notice by themselves, a second later."""

RESTART_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """Services at work, and the way to move them through time."""

    clock: SharedClock
    transactions: Mapping[str, Transactions]
    """Each service's database, on the simulated clock: what people do goes through these."""
    databases: Mapping[str, AsyncConnection]
    """For reading; each statement is a transaction of its own."""
    watch: Watch

    async def move_to(self, moment: datetime) -> None:
        """Let it be a moment, and wait until all that this brings about is done."""
        self.clock.move_to(moment)
        await self._ring()
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        crept = 0

        async def waiting(seconds: float) -> None:
            nonlocal crept
            due = int(seconds - PATIENCE) if seconds > PATIENCE else 0
            if due > crept:
                self.clock.move_to(self.clock.now() + CREEP)
                await self._ring()
            crept = due

        await self.watch.until_quiet(waiting)

    async def _ring(self) -> None:
        for service, channel in BELLS.items():
            await self.databases[service].execute(sa.select(sa.func.pg_notify(channel, "")))


@asynccontextmanager
async def stage(clock: SharedClock, path: Path, log: Path, apart: Sequence[str] = ()) -> AsyncIterator[Stage]:
    """Host every service on a clock until the block ends, those of `apart` in processes of their own."""
    tap = Tap(SystemSettings().rabbitmq_url.get_secret_value())
    async with AsyncExitStack() as stack:
        stack.enter_context(_environment(VARIABLE, LINK_KEY))
        transactions, databases = {}, {}
        for name in service_names():
            settings = app_module(name).Settings()
            opened = await stack.enter_async_context(open_transactions(settings, name, clock))
            transactions[name] = opened
            reader = opened.engine.execution_options(isolation_level="AUTOCOMMIT")
            databases[name] = await stack.enter_async_context(reader.connect())
        await tap.open()
        stack.push_async_callback(tap.close)
        together = [name for name in service_names() if name not in apart]
        hosts = [app_module(name).create_app(_settings_of(name), clock) for name in together]
        await start_all(hosts)
        spare_the_collector()
        stack.push_async_callback(stop_all, hosts)
        for name in apart:
            await stack.enter_async_context(_a_process(name, path, log))
        yield Stage(clock, transactions, databases, Watch(tap, databases, _busy(clock)))


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A setting for all services, here and in processes of their own, until the block ends."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _settings_of(name: str) -> ServiceSettings:
    """The service's own settings, on a port that nobody else has."""
    return app_module(name).Settings(http_port=0)


def _busy(clock: SharedClock) -> Mapping[str, Busy]:
    async def scheduling(connection: AsyncConnection) -> bool:
        wake = await DueStore(connection).next_wake()
        return (wake is not None and wake <= clock.now()) or await ZoneStore(connection).any_astray()

    return {
        "scheduler": scheduling,
        "billing": lambda connection: ChargeStore(connection).under_way(clock.now()),
        "notifications": lambda connection: deliveries.under_way(connection, clock.now()),
    }


@asynccontextmanager
async def _a_process(service: str, clock: Path, log: Path) -> AsyncIterator[None]:
    """A service in a process of its own, which is started again whenever it ends."""
    keeper = asyncio.create_task(_keep_running(service, clock, log), name=f"{service}-apart")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep_running(service: str, clock: Path, log: Path) -> None:
    environment = os.environ | {CLOCK: str(clock), f"{service.upper()}_HTTP_PORT": "0"}
    command = (sys.executable, "-m", "propman", "run", service)
    while True:
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=asyncio.subprocess.PIPE, stdout=out, stderr=out
            )
        try:
            await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        await asyncio.sleep(RESTART_SECONDS)
