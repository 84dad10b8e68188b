"""The whole system as operating-system processes, on databases and a virtual host of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
from aiormq.exceptions import AMQPError

from propman.catalog import all_subscriptions, service_names
from propman.dev import ServerUrls
from shared.db import driver_url
from shared.messaging import topology
from tests.support.brokers import TestVhost
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
OPEN_DELIVERIES = ("queued", "sending", "retry_wait", "awaiting_contact")


NOBODY = "http://127.0.0.1:9"
"""Where nobody answers: a test of the whole system asks no provider but its own."""


class System:
    """Starts, kills and asks the services of one test."""

    def __init__(
        self, environment: dict[str, str], broker_url: str, folder: Path, databases: TestDatabases
    ) -> None:
        self.environment = environment
        self._databases = databases
        self.broker_url = broker_url
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._hosted: set[str] = set()

    def start(self, *services: str, instance: str = "1") -> None:
        """Start a process that hosts these services."""
        name = "+".join(services) + "#" + instance
        self._hosted.update(services)
        log = (self._folder / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "propman", "run", *services]
        self._running[name] = subprocess.Popen(
            command, env=self.environment, cwd=self._folder, stdout=log, stderr=log
        )
        log.close()

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def restart(self, name: str) -> None:
        """Start again what was killed."""
        services, _, instance = name.partition("#")
        self.start(*services.split("+"), instance=instance)

    @property
    def names(self) -> list[str]:
        """The processes that were started and not killed."""
        return sorted(self._running)

    def terminate(self) -> dict[str, int]:
        """SIGTERM to all; the exit code of each."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        codes = {}
        for name, process in self._running.items():
            try:
                codes[name] = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        self._running.clear()
        return codes

    async def command(
        self, *words: str, check: bool = True, as_process: bool = False
    ) -> tuple[int, str, str]:
        """Run `propman …`; exit code, stdout and stderr. Commands at the same moment need `as_process`."""
        ran = await run_propman(
            *words, environment=self.environment, folder=self._folder, as_process=as_process
        )
        if check:
            assert ran.code == 0, f"propman {' '.join(words)}: exit {ran.code}\n{ran.err}"
        return ran.code, ran.out, ran.err

    async def ask(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        """What a service's database answers, read as its own role."""
        connection = await asyncpg.connect(driver_url(self.environment[f"{service.upper()}_DATABASE_URL"]))
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def administer(self, service: str, statement: str) -> None:
        """Change a service's schema as its administrator, to break and to repair it."""
        connection = await asyncpg.connect(driver_url(self._databases.admin_url(service)))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def number(self, service: str, query: str, *values: Any) -> int:
        """The one number a query gives."""
        return int((await self.ask(service, query, *values))[0][0])

    async def delete_queue(self, name: str) -> None:
        """Take a queue away, as a bad deployment would."""
        connection = await aio_pika.connect(self.broker_url, timeout=5)
        async with connection:
            await (await connection.channel()).queue_delete(name)

    async def waiting(self) -> dict[str, int]:
        """Everything that is still under way, by where it is; empty when the system is quiet."""
        found = {
            f"outbox {name}": await self.number(name, "select count(*) from outbox")
            for name in service_names()
        }
        found["deliveries"] = await self.number(
            "notifications", "select count(*) from deliveries where state = any($1)", list(OPEN_DELIVERIES)
        )
        found["runs"] = await self.number("billing", "select count(*) from runs where finished_at is null")
        found["occurrences"] = await self.number(
            "scheduler", "select count(*) from occurrences where state = 'waiting'"
        )
        depths = await self.queue_depths()
        # What waits for a service that no test has started waits for ever, and is nobody's work here.
        strangers = {item.queue for item in all_subscriptions() if item.consumer not in self._hosted}
        found |= {queue: count for queue, count in depths.items() if queue not in strangers}
        return {where: count for where, count in found.items() if count}

    async def queue_depths(self) -> dict[str, int]:
        """Messages waiting in each queue, the retry ladder included."""
        connection = await aio_pika.connect(self.broker_url, timeout=5)
        async with connection:
            channel = await connection.channel()
            names = [item.queue for item in all_subscriptions()] + list(topology.retry_names())
            found = {}
            for name in names:
                declared = await channel.declare_queue(name, passive=True)
                found[name] = declared.declaration_result.message_count or 0
            return found

    async def quiet(self, *, seconds: float = 120) -> None:
        """Wait until nothing is under way anywhere; fail by naming what still is."""
        last: dict[str, int] = {}

        async def nothing_waits() -> bool:
            nonlocal last
            try:
                last = await self.waiting()
            except (
                OSError,
                asyncpg.PostgresConnectionError,
                asyncpg.CannotConnectNowError,
                AMQPError,
            ) as error:
                last = {f"unreachable: {error!r}": 1}
            return not last

        try:
            await eventually(nothing_waits, within=seconds)
        except AssertionError:
            raise AssertionError(f"after {seconds:.0f} s there still waits: {last}\n{self.logs()}") from None

    def logs(self, lines: int = 15) -> str:
        """The last lines of each process's log, for a failed test's report."""
        found = []
        for path in sorted(self._folder.glob("*.log")):
            text = path.read_text(errors="replace").splitlines()
            found.append(f"--- {path.name}\n" + "\n".join(text[-lines:]))
        return "\n".join(found)

    def close(self) -> None:
        """Whatever happened, leave no process behind."""
        for name in self.names:
            with suppress(ProcessLookupError):
                self.kill(name)


@asynccontextmanager
async def a_system(urls: ServerUrls, folder: Path) -> AsyncIterator[System]:
    """Databases, a virtual host and its queues; no service runs yet."""
    databases, vhost = TestDatabases(urls.postgres_url), TestVhost(urls)
    vhost.create()
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_PORT"))
    } | {
        "PROPMAN_RABBITMQ_URL": vhost.url,
        "PROPMAN_HOME": str(folder),
        "PROPMAN_LOG_FORMAT": "json",
        "NOTIFICATIONS_SMTP_URL": urls.smtp_url,
        "WEATHER_NWS_URL": NOBODY,
        "PYTHONPATH": str(ROOT),
    }
    for name in service_names():
        environment[f"{name.upper()}_DATABASE_URL"] = await databases.url(name)
        environment[f"{name.upper()}_HTTP_PORT"] = "0"
    connection = await aio_pika.connect(vhost.url)
    async with connection:
        await topology.declare(await connection.channel(), all_subscriptions())
    system = System(environment, vhost.url, folder, databases)
    # Every three minutes it would ask the outside, or wait for a service that a test does not start.
    await system.administer(
        "scheduler",
        "update schedules set state = 'paused' where key in ('weather-alerts', 'weather-conditions')",
    )
    try:
        yield system
    finally:
        system.close()
        vhost.delete()
        await databases.drop()


def portfolio_csv(count: int, *, domain: str = "example.com") -> str:
    """A portfolio of so many leases, twenty to a property, of known rents."""
    zones = ("America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Europe/Berlin")
    rows = ["property,time_zone,unit,tenant_name,tenant_email,rent,starts_on,charges"]
    for number in range(count):
        place, zone = number // 20, zones[number // 20 % len(zones)]
        rows.append(
            f"House {place:05d},{zone},{number % 20 + 1},Tenant {number},t{number}@{domain},"
            f"{rent_cents(number) / 100:.2f},2026-01-01,parking:Parking:50.00"
        )
    return "\n".join(rows) + "\n"


def rent_cents(number: int) -> int:
    """The rent of the lease with this number in `portfolio_csv`, in cents."""
    return 100_000 + number * 7


def billed_cents(numbers: Iterable[int]) -> int:
    """What one month of these leases comes to: rent and parking."""
    return sum(rent_cents(number) + 5_000 for number in numbers)


async def load(system: System, folder: Path, count: int) -> None:
    """Import a portfolio and wait until billing and notifications have heard of all of it."""
    file = folder / "portfolio.csv"
    file.write_text(portfolio_csv(count))
    await system.command("leasing", "import", str(file))

    async def copied() -> bool:
        leases = await system.number("billing", "select count(*) from leases")
        contacts = await system.number(
            "notifications", "select count(*) from contacts where email is not null"
        )
        return leases == count == contacts

    await eventually(copied, within=120)
    await system.quiet()


def mails_in(files: Iterable[Path]) -> dict[str, list[str]]:
    """The Message-IDs of the mails each recipient got."""
    found: dict[str, list[str]] = {}
    for path in files:
        headers = message_from_bytes(path.read_bytes())
        found.setdefault(str(headers["To"]), []).append(str(headers["Message-ID"]))
    return found


__all__ = ["System", "a_system", "billed_cents", "load", "mails_in"]
