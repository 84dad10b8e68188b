"""One look at the whole system: each figure with the moment it is of, and with an error where there is none.

A server that is down makes its own panel empty, and no other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.broker import queue_depths
from propman.catalog import QueueKind, all_queues, app_module, service_names
from propman.console.management import management
from propman.console.problems import problems_of
from propman.console.processes import processes_of, sharing
from propman.databases import transactions_of
from propman.settings import SystemSettings
from shared import heartbeats
from shared.cli import Unreachable
from shared.cli.failures import explain
from shared.clock import Clock, SystemClock
from shared.messaging.dead_letters import count_open
from shared.messaging.outbox import waiting

MOST_AGES: Final = 20
"""Of so many queues, the fullest, the broker is asked how long their oldest message waits."""

PATIENCE: Final = 8.0
"""Seconds; a database that takes longer shows as an error."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Some rows, the moment they are of, or why there are none."""

    rows: Rows
    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything an operator looks at."""

    services: Panel
    processes: Panel
    instances: Panel
    """The same processes once for each service they host, as these say it."""
    queues: Panel
    schedules: Panel
    servers: Panel
    alerts: Panel
    problems: list[str] = field(default_factory=list)

    @property
    def is_blind(self) -> bool:
        """Whether nothing at all could be looked at."""
        return bool(self.queues.error) and all(row["error"] for row in self.services.rows)

    def refuse_blindness(self) -> None:
        """Raise `Unreachable` where there was nothing to show: that is no state of the system."""
        if self.is_blind:
            raise Unreachable("Nothing could be looked at.", remedy="`propman doctor` says what to do.")


async def observe(clock: Clock | None = None) -> Snapshot:
    """Look at all services, the broker and the schedules, all at once.

    Raises what a wrong setting raises, where it is one that all of them need.
    """
    clock = clock or SystemClock()
    SystemSettings()
    services, panels = await asyncio.gather(
        asyncio.gather(*(_service(clock, name) for name in service_names())),
        asyncio.gather(*(_panel(clock, look) for look in (_queues, _schedules, _nodes, _alerts))),
    )
    queues, schedules, nodes, alerts = panels
    # Each is judged by the moment it was looked at: a slow broker makes no process silent.
    now = min((look["at"] for look in services), default=clock.now())
    instances = [row for look in services for row in look["instances"]]
    processes = processes_of(instances, now)
    found = Snapshot(
        services=Panel([_summary(look, look["at"], processes) for look in services], now),
        processes=Panel(processes, now),
        instances=Panel(instances, now),
        queues=queues,
        schedules=schedules,
        alerts=alerts,
        servers=Panel(
            [*nodes.rows, *(look["database"] for look in services if look["database"])], now, nodes.error
        ),
    )
    for row in schedules.rows:
        row["alerts"] = sorted(alert["kind"] for alert in alerts.rows if alert["about"] == row["key"])
    found.problems.extend(problems_of(found))
    return found


async def _panel(clock: Clock, look: Callable[[], Awaitable[Rows]]) -> Panel:
    try:
        async with asyncio.timeout(PATIENCE):
            return Panel(await look(), clock.now())
    except Exception as error:  # noqa: BLE001 - whatever is down, the rest is still worth seeing
        return Panel([], clock.now(), _in_words(error))


def _in_words(error: BaseException) -> str:
    return (
        "does not answer in time" if isinstance(error, TimeoutError) else explain(error).message.rstrip(".")
    )


async def _service(clock: Clock, name: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"service": name, "instances": [], "database": None, "error": None}
    try:
        async with (
            asyncio.timeout(PATIENCE),
            transactions_of(name) as transactions,
            transactions.engine.connect() as connection,
        ):
            return empty | await _look(connection, name) | {"at": clock.now()}
    except Exception as error:  # noqa: BLE001 - as above
        return empty | {"error": _in_words(error), "at": clock.now()}


async def _look(connection: AsyncConnection, name: str) -> dict[str, Any]:
    outbox = await waiting(connection)
    size = (
        await connection.execute(
            sa.text(
                "select pg_database_size(current_database()) as bytes, (select count(*) from pg_stat_activity"
                " where datname = current_database()) as connections, version() as version"
            )
        )
    ).one()
    return {
        "instances": await heartbeats.heard(connection),
        "outbox": outbox.count,
        "oldest": outbox.oldest_at,
        "unroutable": outbox.unroutable,
        "dead_letters": await count_open(connection),
        "database": {
            "server": f"database of {name}",
            "version": " ".join(size.version.split()[:2]),
            "used_bytes": size.bytes,
            "limit_bytes": None,
            "connections": size.connections,
            "alarm": None,
        },
    }


def _summary(look: dict[str, Any], now: datetime, processes: Rows) -> dict[str, Any]:
    if look["error"]:
        return {"service": look["service"], "state": "UNKNOWN", "error": look["error"]}
    alive = [row for row in look["instances"] if heartbeats.is_alive(row, now)]
    lost = [row for row in look["instances"] if row["state"] != "stopped" and row not in alive]
    oldest = (now - look["oldest"]).total_seconds() if look["oldest"] else None
    return {
        "service": look["service"],
        "state": "ok" if alive else "DOWN",
        "alive": len(alive),
        "lost": len(lost),
        "per_second": round(sum(row["per_second"] for row in alive), 1),
        "failed": sum(row["failed"] for row in alive),
        "outbox": look["outbox"],
        "oldest_seconds": None if oldest is None else round(oldest, 1),
        "unroutable": look["unroutable"],
        "dead_letters": look["dead_letters"],
        "rss_bytes": sum(row["rss_bytes"] for row in alive),
        "cpu_percent": round(sum(row["cpu_percent"] for row in alive), 1),
        "shared_with": sharing(processes, look["service"]),
        "versions": sorted({row["version"] for row in alive}),
        "up_seconds": min(((now - row["started_at"]).total_seconds() for row in alive), default=None),
        "error": None,
    }


async def _queues() -> Rows:
    settings = SystemSettings()
    try:
        async with management(settings) as api:
            found = {row["name"]: row for row in await api.queues()}
            rows = [
                _described(name, found[name]) | _of_kind(kind)
                for name, kind in all_queues().items()
                if name in found
            ]
            waiting = sorted((row for row in rows if row["ready"]), key=_fullest)[:MOST_AGES]
            ages = await asyncio.gather(*(api.oldest(row["queue"], row["ready"]) for row in waiting))
    except httpx.HTTPError:
        depths = await queue_depths(settings.rabbitmq_url.get_secret_value())
        return [
            _queue(row["queue"], row["ready"], None, row["consumers"], None, None) | _of_kind(row["kind"])
            for row in depths
        ]
    for row, age in zip(waiting, ages, strict=True):
        row["oldest"] = age
    return rows


def _fullest(row: dict[str, Any]) -> int:
    return -int(row["ready"])


def _described(name: str, row: dict[str, Any]) -> dict[str, Any]:
    stats = row.get("message_stats") or {}

    def rate(kind: str) -> float:
        return float((stats.get(kind) or {}).get("rate", 0.0))

    return _queue(
        name,
        row.get("messages_ready", 0),
        row.get("messages_unacknowledged", 0),
        row.get("consumers", 0),
        rate("publish_details"),
        rate("ack_details"),
    )


def _queue(
    name: str, ready: int, unacked: int | None, consumers: int, in_: float | None, out: float | None
) -> dict[str, Any]:
    return {
        "queue": name,
        "ready": ready,
        "unacked": unacked,
        "consumers": consumers,
        "in_per_second": in_,
        "out_per_second": out,
        "oldest": None,
    }


def _of_kind(kind: QueueKind) -> dict[str, Any]:
    return {"kind": kind, "needs_consumer": kind == "messages"}


async def _schedules() -> Rows:
    """What the scheduler says of itself, where a service of that name offers an `overview`."""
    rows: Rows = []
    for name in service_names():
        overview = getattr(app_module(name), "overview", None)
        if overview is not None:
            async with transactions_of(name) as transactions, transactions.engine.connect() as connection:
                rows += await overview(connection, transactions.clock.now())
    return rows


async def _alerts() -> Rows:
    """What a watchdog found wrong and what is not over, where a service offers `open_alerts`."""
    rows: Rows = []
    for name in service_names():
        open_alerts = getattr(app_module(name), "open_alerts", None)
        if open_alerts is not None:
            async with transactions_of(name) as transactions, transactions.engine.connect() as connection:
                rows += await open_alerts(connection)
    return rows


async def _nodes() -> Rows:
    async with management(SystemSettings()) as api:
        found = await api.nodes()
    return [
        {
            "server": row["name"],
            "version": "RabbitMQ",
            "used_bytes": row.get("mem_used"),
            "limit_bytes": row.get("mem_limit"),
            "connections": row.get("fd_used"),
            "alarm": "memory" if row.get("mem_alarm") else "disk" if row.get("disk_free_alarm") else None,
        }
        for row in found
    ]
