"""What is in the databases, whether it is simulated, and taking it away."""

import asyncio
import itertools
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aio_pika
import asyncpg
import psutil

from propman.administration import create_database, drop_database
from propman.broker import declare_topology
from propman.catalog import all_queues, service_names
from propman.db import migrate_service, service_url
from propman.settings import AdministrationSettings, SystemSettings
from propman.simulation.marker import KEEPER, TABLE, Past, administering
from propman.simulation.watching import QUEUE
from shared import heartbeats
from shared.cli import CommandError, Progress
from shared.clock import SystemClock

NOUNS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "leasing": {
        "properties": ("property", "properties"),
        "units": ("unit", "units"),
        "tenants": ("tenant", "tenants"),
        "leases": ("lease", "leases"),
        "work_orders": ("work order", "work orders"),
    },
    "billing": {
        "policies": ("policy", "policies"),
        "invoices": ("invoice", "invoices"),
        "payments": ("payment", "payments"),
        "holds": ("hold", "holds"),
    },
    "notifications": {
        "contacts": ("contact", "contacts"),
        "groups": ("group", "groups"),
        "notifications": ("notification", "notifications"),
    },
    "rewards": {
        "policies": ("policy", "policies"),
        "entries": ("entry of a ledger", "entries of ledgers"),
    },
    "scheduler": {"occurrences": ("occurrence", "occurrences")},
    "weather": {"thresholds": ("threshold", "thresholds"), "incidents": ("incident", "incidents")},
}
"""What people know by name in each database, by its table: one of it, and several. The rest goes with it."""

_COMMAND: Final = re.compile(r"[a-z][a-z_-]*")

INCIDENTAL: Final = frozenset({"occurrences"})
"""What an installation that nobody uses makes by itself."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a service's database holds."""

    service: str
    counts: Mapping[str, int]
    """By table."""
    past: Past | None = None
    running: str | None = None
    """A process of the service that is alive, in words."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it that anybody entered or was told."""
        return not any(count for table, count in self.counts.items() if table not in INCIDENTAL)

    @property
    def is_real(self) -> bool:
        """Whether it holds something that no simulation made."""
        return self.past is None and not self.is_empty

    @property
    def text(self) -> str:
        """What is in it, in a line."""
        listed = (
            f"{count:,} {NOUNS[self.service][table][count != 1]}"
            for table, count in self.counts.items()
            if count
        )
        return ", ".join(listed) or "nothing"


async def holdings() -> list[Holding]:
    """What each service's database holds, as its administrator sees it."""
    return list(await asyncio.gather(*(_holding(service) for service in service_names())))


async def _holding(service: str) -> Holding:
    try:
        async with administering(service) as connection:
            tables = {
                row["tablename"]
                for row in await connection.fetch(
                    "select tablename from pg_tables where schemaname = 'public'"
                )
            }
            known = [table for table in NOUNS.get(service, ()) if table in tables]
            counts = {table: await connection.fetchval(f"select count(*) from {table}") for table in known}  # noqa: S608
            running = await _running(connection) if heartbeats.instances.name in tables else None
            past = await _past(connection) if TABLE in tables else None
            return Holding(service, counts, past, running)
    except asyncpg.InvalidCatalogNameError:
        return Holding(service, {})


async def _past(connection: "asyncpg.Connection[Any]") -> Past | None:
    row = await connection.fetchrow(f"select seed, starts_on, until_on, reached_at, finished_at from {TABLE}")  # noqa: S608
    return Past(**row) if row else None


async def _running(connection: "asyncpg.Connection[Any]") -> str | None:
    now = SystemClock().now()
    for row in await connection.fetch("select state, seen_at, pid, host from instances"):
        here = row["host"] == socket.gethostname()
        gone = here and not psutil.pid_exists(row["pid"])
        if heartbeats.is_alive(dict(row), now) and not gone:
            typed = command_of(row["pid"]) if here else None
            return f"process {row['pid']} on {row['host']}" + (f", `{typed}`" if typed else "")
    return None


def command_of(pid: int) -> str | None:
    """How a process of ours was started: `propman demo`. None where that cannot be known."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return None
    for place, word in enumerate(words):
        if Path(word).name == "propman" or Path(word).parts[-2:] == ("propman", "__main__.py"):
            return " ".join(["propman", *itertools.takewhile(_COMMAND.fullmatch, words[place + 1 :])])
    return None


def refuse_if_running(found: Sequence[Holding]) -> None:
    """Services that run by the machine's clock would take part in a past that is not theirs."""
    for item in found:
        if item.running:
            raise CommandError(
                f"{item.service} is running ({item.running}).",
                remedy="Stop it first, or let it end; one that was killed counts as gone after ten seconds.",
            )


async def begin_anew(bar: Progress) -> None:
    """Databases as they are on the first day, and empty queues: everything that was there is gone."""
    admin = AdministrationSettings().postgres_url.get_secret_value()
    for service in service_names():
        await drop_database(admin, service_url(service))
        await create_database(admin, service_url(service))
        await migrate_service(service)
        bar.advance()
    url = SystemSettings().rabbitmq_url.get_secret_value()
    await declare_topology(url)
    await _empty_queues(url)


async def _empty_queues(url: str) -> None:
    async with await aio_pika.connect(url, timeout=5) as connection:
        channel = await connection.channel()
        await channel.queue_delete(QUEUE)
        for name in all_queues():
            await (await channel.get_queue(name, ensure=False)).purge()


def common_past(found: Sequence[Holding]) -> Past | None:
    """The simulated past that all of the databases hold; None where they do not agree on one."""
    pasts = {item.past and item.past.made_from for item in found}
    if len(pasts) != 1:
        return None
    return next((item.past for item in found if item.service == KEEPER), None)
