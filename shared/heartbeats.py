"""What each running process says of itself every two seconds, in its service's own database.

An operator sees every replica on every host without asking any of them: `propman info`, `monitor`, `memory`.
The process that has lived longest says once a minute how its service is, in a fact: the scheduler's watchdog
raises an alert of it, and may look into nobody's database but its own.
"""

import asyncio
import os
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

import psutil
import sqlalchemy as sa
import structlog
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import SystemClock
from shared.contracts.scheduler import ServiceReported
from shared.identity import new_id
from shared.messaging.dead_letters import count_open
from shared.messaging.errors import describe
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.outbox import waiting
from shared.messaging.transaction import Transactions, Tx, command_envelope

PERIOD: Final = 2.0
"""Seconds between two heartbeats."""

SILENCE: Final = timedelta(seconds=10)
"""After so long without a word a process counts as gone."""

KEPT: Final = timedelta(days=1)
"""How long the last word of a process that is gone can still be read."""

REPORT_PERIOD: Final = timedelta(seconds=60)
"""Between two reports of a service about itself."""

FIRST_REPORT: Final = timedelta(seconds=5)
"""After its start a process has a look at who else is there before it says anything."""

REPLACED_WITHIN: Final = timedelta(minutes=2)
"""So long before a process falls silent the one that takes its place may have been started."""

log = structlog.get_logger()

instances: Final = sa.Table(
    "instances",
    sa.MetaData(),
    sa.Column("instance_id", sa.Uuid, primary_key=True),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("http_port", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("rss_bytes", sa.BigInteger, nullable=False),
    sa.Column("rss_start_bytes", sa.BigInteger, nullable=False),
    sa.Column("rss_peak_bytes", sa.BigInteger, nullable=False),
    sa.Column("cpu_percent", sa.Float, nullable=False),
    sa.Column("open_files", sa.Integer, nullable=False),
    sa.Column("handled", sa.BigInteger, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),
    sa.Column("per_second", sa.Float, nullable=False),
)

V1: Final = (
    """create table instances (
        instance_id uuid primary key, service text not null, host text not null, pid integer not null,
        version text not null, http_port integer not null,
        state text not null check (state in ('running', 'stopping', 'stopped')),
        started_at timestamptz not null, seen_at timestamptz not null, rss_bytes bigint not null,
        rss_start_bytes bigint not null, rss_peak_bytes bigint not null,
        cpu_percent double precision not null,
        open_files integer not null, handled bigint not null, failed bigint not null,
        per_second double precision not null)""",
    "create index ix_instances_seen_at on instances (seen_at)",
)
"""The statements of each service's migration that adds the table; later changes are a V2, never an edit."""

_FAILED: Final = {"dead", "retried"}


class Heartbeat:
    """A worker of every service: writes the row of this process until it is stopped, and once more then.

    By the machine's clock, also in a simulation: a process lives in real time.
    """

    def __init__(
        self,
        service: str,
        transactions: Transactions,
        metrics: MessagingMetrics,
        *,
        queues: Collection[str] = (),
        first_report: timedelta = FIRST_REPORT,
    ) -> None:
        """For a process of `service`, which takes from these queues."""
        self.http_port = 0
        self._queues = tuple(sorted(queues))
        self._service = service
        self._transactions = transactions
        self._clock = SystemClock()
        self._handled = metrics.handled
        self._process = psutil.Process()
        self._id = new_id()
        self._started_at = self._clock.now()
        self._report_at = self._started_at + first_report
        self._rss_start = self._rss_peak = 0
        self._before: tuple[datetime, int] | None = None
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Beat until stopped; while the database is away, keep trying."""
        self._process.cpu_percent()  # the first answer is always nothing
        while not self._stopped.is_set():
            await self._beat("running")
            await self._report_in_time()
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._stopped.wait()
        await self._beat("stopped")

    def stop(self) -> None:
        """Say goodbye and return from `run`."""
        self._stopped.set()

    async def _beat(self, state: str) -> None:
        try:
            async with asyncio.timeout(PERIOD * 2), self._transactions.engine.begin() as connection:
                await write(connection, self._row(state))
        except Exception as error:  # noqa: BLE001 - nobody's work may end because nobody hears of it
            log.debug("heartbeat_failed", error=describe(error))

    async def _report_in_time(self) -> None:
        """Once a minute, if no process of the service has lived longer: one of them says how it is."""
        now = self._clock.now()
        if now < self._report_at:
            return
        self._report_at = now + REPORT_PERIOD
        try:
            cause = command_envelope("service.report", new_id())
            async with asyncio.timeout(PERIOD * 2), self._transactions.begin(cause) as tx:
                rows = await heard(tx.connection)
                if speaker(rows, now) == self._id:
                    tx.emit(await reported(tx, self._service, rows, now=now, queues=self._queues))
        except Exception as error:  # noqa: BLE001 - as above; that nothing is heard is then what is heard
            log.debug("report_failed", error=describe(error))

    def _row(self, state: str) -> dict[str, Any]:
        now = self._clock.now()
        rss = self._process.memory_info().rss
        self._rss_start = self._rss_start or rss
        self._rss_peak = max(self._rss_peak, rss)
        handled, failed = counted(self._handled)
        before, self._before = self._before, (now, handled)
        elapsed = (now - before[0]).total_seconds() if before else 0.0
        return {
            "instance_id": self._id,
            "service": self._service,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("propman"),
            "http_port": self.http_port,
            "state": state,
            "started_at": self._started_at,
            "seen_at": now,
            "rss_bytes": rss,
            "rss_start_bytes": self._rss_start,
            "rss_peak_bytes": self._rss_peak,
            "cpu_percent": self._process.cpu_percent(),
            "open_files": self._process.num_fds(),
            "handled": handled,
            "failed": failed,
            "per_second": (handled - before[1]) / elapsed if before and elapsed > 0 else 0.0,
        }


def counted(counter: Counter) -> tuple[int, int]:
    """How many messages were taken since the start, and how many of them did not end well."""
    handled = failed = 0
    for metric in counter.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                handled += int(sample.value)
                failed += int(sample.value) if sample.labels["outcome"] in _FAILED else 0
    return handled, failed


async def write(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Keep the newest word of a process; what has been silent for a day is forgotten."""
    statement = insert(instances).values(row)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["instance_id"],
            set_={name: statement.excluded[name] for name in row if name != "instance_id"},
        )
    )
    await connection.execute(sa.delete(instances).where(instances.c.seen_at < row["seen_at"] - KEPT))


async def heard(connection: AsyncConnection) -> list[dict[str, Any]]:
    """The last word of every process of this service that said something within a day."""
    rows = await connection.execute(sa.select(instances).order_by(instances.c.started_at))
    return [dict(row) for row in rows.mappings()]


def is_alive(row: dict[str, Any], now: datetime) -> bool:
    """Whether a process that beat like this can be counted on."""
    seen: datetime = row["seen_at"]
    return row["state"] == "running" and now - seen <= SILENCE


def speaker(rows: Sequence[dict[str, Any]], now: datetime) -> UUID | None:
    """Which process speaks for its service: of those that are alive, the one that has been for longest."""
    alive = [(row["started_at"], identity_of(row)) for row in rows if is_alive(row, now)]
    return min(alive)[1] if alive else None


async def reported(
    tx: Tx, service: str, rows: Sequence[dict[str, Any]], *, now: datetime, queues: Collection[str] = ()
) -> ServiceReported:
    """How a service is, by what stands in its database; `now` is the machine's."""
    outbox = await waiting(tx.connection)
    since = outbox.oldest_untroubled_at
    oldest = max((tx.at - since).total_seconds(), 0) if since else 0
    return ServiceReported(
        service=service,
        said_at=now,
        processes=sum(is_alive(row, now) for row in rows),
        lost=unreplaced(rows, now),
        outbox=outbox.count,
        outbox_oldest_seconds=int(oldest),
        unroutable=outbox.unroutable,
        dead_letters=await count_open(tx.connection),
        queues=tuple(queues),
    )


def unreplaced(rows: Sequence[dict[str, Any]], now: datetime) -> int:
    """How many processes fell silent without a goodbye, and none was started in their place.

    One that is stopped says goodbye: fewer because somebody wants fewer is nothing wrong.
    """
    starts = sorted(row["started_at"] for row in rows)
    missing = 0
    for gone in sorted(
        row["seen_at"] for row in rows if row["state"] != "stopped" and not is_alive(row, now)
    ):
        place = next((start for start in starts if start > gone - REPLACED_WITHIN), None)
        if place is None:
            missing += 1
        else:
            starts.remove(place)
    return missing


def identity_of(row: dict[str, Any]) -> UUID:
    """The process's own id."""
    found: UUID = row["instance_id"]
    return found
