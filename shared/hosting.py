"""A running service: its pool, its consumers, its relay, its workers and its health port, as one thing.

Each service's `app.py` builds one of these and nothing else; `propman run` starts any number of them.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import BaseRoute

from shared.clock import Clock, SystemClock
from shared.db import create_engine, driver_url, is_current
from shared.heartbeats import Heartbeat
from shared.http import HttpServer, health_routes
from shared.messaging.consumers import Consumers
from shared.messaging.edge import Edge, probe_database
from shared.messaging.errors import describe
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import dead_queue_for
from shared.messaging.outage import OutageGate
from shared.messaging.publisher import Publisher
from shared.messaging.relay import Relay
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Router
from shared.messaging.transaction import Transactions
from shared.settings import ServiceSettings
from shared.tracing import tracing_for

log = structlog.get_logger()


class NotMigrated(Exception):
    """A database is not at the revision that the code needs."""


class Worker(Protocol):
    """Work beside the handlers, such as the relay: runs until it is asked to stop."""

    async def run(self) -> None:
        """Work until stopped; survive whatever goes down meanwhile."""

    def stop(self) -> None:
        """Finish what is in hand and return from `run` soon."""


class ServiceHost:
    """One service, wired; `start` and `stop` are all that is left to do with it."""

    def __init__(
        self,
        *,
        name: str,
        settings: ServiceSettings,
        router: Router,
        migrations: Path,
        routes: Sequence[BaseRoute] = (),
        clock: Clock | None = None,
    ) -> None:
        """Connects nothing yet."""
        self.name = name
        self._settings = settings
        self._migrations = migrations
        self._routes = list(routes)
        url = settings.database_url.get_secret_value()
        broker = settings.broker_url.get_secret_value()
        self.registry = CollectorRegistry()
        self.metrics = MessagingMetrics(self.registry)
        self.engine: AsyncEngine = create_engine(url, application=name, pool_size=settings.pool_size)
        self.transactions = Transactions(self.engine, clock or SystemClock())
        self.gate = OutageGate(lambda: probe_database(self.transactions), self.metrics.paused.set)
        self._publishers = [Publisher(broker, name=f"propman-{name}-{use}") for use in ("relay", "retry")]
        relay = Relay(
            service=name,
            dsn=driver_url(url),
            publisher=self._publishers[0],
            metrics=self.metrics,
            clock=self.transactions.clock,
        )
        ladder = RetryLadder(self._publishers[1], source=name)
        self._tracing = tracing_for(name, settings.otlp_url)
        edge = Edge(self.transactions, ladder, self.metrics, self.gate, self._tracing)
        self._consumers = Consumers(broker, service=name, subscriptions=router.subscriptions, edge=edge)
        queues = {item.queue for item in router.subscriptions} | {dead_queue_for(name)}
        self._heartbeat = Heartbeat(name, self.transactions, self.metrics, queues=queues)
        self._workers: list[Worker] = [relay, self._heartbeat]
        self._tasks: list[asyncio.Task[None]] = []
        self._http: HttpServer | None = None

    def add_worker(self, worker: Worker) -> None:
        """Have something run beside the handlers, from start to stop."""
        self._workers.insert(0, worker)

    def add_routes(self, routes: Sequence[BaseRoute]) -> None:
        """Serve more than health on the service's port; before the start."""
        self._routes.extend(routes)

    @property
    def http_port(self) -> int:
        """The port of health and metrics; 0 before the start."""
        return self._http.port if self._http else 0

    async def start(self) -> None:
        """Check the schema, serve health, publish, work and consume.

        Raises `NotMigrated`, the driver's error where the database cannot be reached, or `PortTaken`.
        """
        with structlog.contextvars.bound_contextvars(service=self.name):
            await self._require_schema()
            for words in self._settings.advice:
                log.warning("settings_advice", advice=words)
            await self._start_http()
            for words in self._settings.advice_on(self.http_port):
                log.warning("settings_advice", advice=words)
            self._tasks = [
                asyncio.create_task(worker.run(), name=f"{self.name}-{type(worker).__name__}")
                for worker in self._workers
            ]
            await self._consumers.start()
            log.info("service_started", http_port=self.http_port)

    async def stop(self) -> None:
        """Drain: take nothing more, finish what is in flight, flush the outbox, close."""
        with structlog.contextvars.bound_contextvars(service=self.name):
            await self._consumers.stop()
            for worker in self._workers:
                worker.stop()
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
            for failure in (result for result in results if isinstance(result, BaseException)):
                log.error("worker_failed", error=describe(failure))
            for publisher in self._publishers:
                await publisher.close()
            if self._http is not None:
                await self._http.stop()
            await self.engine.dispose()
            await asyncio.to_thread(self._tracing.close)
            if self._tasks:
                log.info("service_stopped")

    async def _require_schema(self) -> None:
        if not await is_current(self.engine, self._migrations):
            message = f"The database of {self.name} is not at the revision this version needs"
            raise NotMigrated(message)

    async def _start_http(self) -> None:
        checks = {
            "database": self._check_database,
            "broker": self._check_broker,
            "migrations": self._check_migrations,
            "workers": self._check_workers,
        }
        fixed = "http_port" in self._settings.model_fields_set and self._settings.http_port != 0
        self._http = HttpServer(
            self.name,
            [*health_routes(self.name, checks, self.registry), *self._routes],
            host=self._settings.http_host,
            port=self._settings.http_port,
            fixed=fixed,
        )
        await self._http.start()
        self._heartbeat.http_port = self.http_port

    async def _check_database(self) -> str | None:
        async with self.engine.connect() as connection:
            await connection.execute(sa.select(1))
        return None

    async def _check_broker(self) -> str | None:
        return None if await self._consumers.ready() else "no connection, or a queue without its consumer"

    async def _check_migrations(self) -> str | None:
        return None if await is_current(self.engine, self._migrations) else "run propman db migrate"

    async def _check_workers(self) -> str | None:
        ended = [task.get_name() for task in self._tasks if task.done()]
        return f"ended: {', '.join(ended)}" if ended else None


def spare_the_collector() -> None:
    """Keep the garbage collector from walking, again and again, what lives as long as the process.

    Call it once, when everything is started. Without it a third of a busy service's time goes into
    collections that find nothing: modules, tables and compiled statements are 120,000 objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@asynccontextmanager
async def open_transactions(
    settings: ServiceSettings, name: str, clock: Clock | None = None
) -> AsyncIterator[Transactions]:
    """The database of a service for one command: a small pool that is closed at the end."""
    engine = create_engine(
        settings.database_url.get_secret_value(),
        application=f"{name}-cli",
        pool_size=min(settings.pool_size, 4),
    )
    try:
        yield Transactions(engine, clock or SystemClock())
    finally:
        await engine.dispose()
