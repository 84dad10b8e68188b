"""The relay: the only way out of a service. Sends what handlers emitted, in order, until confirmed.

One replica per service holds an advisory lock and publishes; the others wait for it. A row is deleted
only when the broker confirmed it, so a crash anywhere repeats a message under the same id and loses
none. There is no cursor over ids: rows become visible out of order across transactions.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import structlog

from shared.clock import Clock
from shared.messaging.errors import describe
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.naming import EVENTS
from shared.messaging.publisher import Outgoing, Publisher, Result, properties
from shared.messaging.tables import OUTBOX_CHANNEL

BATCH: Final = 500
POLL_SECONDS: Final = 1.0
BREATH_SECONDS: Final = 0.01
"""What rows that come one by one are gathered for; the first of them goes at once."""
RELAY_LOCK: Final = 7_206_170_002
LONGEST_PAUSE: Final = 5.0

_SELECT: Final = """
    select id, message_id, topic, subject, correlation_id, causation_id, traceparent, must_be_heard,
           body, occurred_at, attempts
      from outbox o
     where (next_attempt_at is null or next_attempt_at <= now())
       and not exists (select from outbox failing where failing.subject = o.subject
                        and failing.id < o.id and failing.next_attempt_at > now())
     order by id limit $1"""
_DELETE: Final = "delete from outbox where id = any($1::bigint[])"
_POSTPONE: Final = """
    update outbox set attempts = attempts + 1, last_error = $2,
           next_attempt_at = now() + make_interval(secs => least(300, 2 ^ least(attempts, 9)))
     where id = any($1::bigint[])"""
_DEPTH: Final = """
    select count(*) as pending, coalesce(extract(epoch from $1 - min(occurred_at)), 0) as age
      from outbox"""

log = structlog.get_logger()


class Relay:
    """Publishes one service's outbox for as long as it runs."""

    def __init__(
        self, *, service: str, dsn: str, publisher: Publisher, metrics: MessagingMetrics, clock: Clock
    ) -> None:
        """`dsn` must lead straight to PostgreSQL: a pooler in transaction mode breaks locks and LISTEN."""
        self._service = service
        self._dsn = dsn
        self._publisher = publisher
        self._metrics = metrics
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Publish until stopped, whatever goes down meanwhile; then flush and return."""
        pause = 0.2
        while not self._stopping:
            try:
                await self._lead()
                pause = 0.2
            except Exception as error:  # noqa: BLE001 - nothing may end the relay but being stopped
                self._metrics.leads.set(0)
                log.warning("relay_interrupted", service=self._service, error=describe(error))
                if not self._stopping:
                    self._wake.clear()  # a NOTIFY that came meanwhile must not cut the pause short
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        await self._publisher.close()

    def stop(self) -> None:
        """Ask `run` to publish what is there and return."""
        self._stopping = True
        self._wake.set()

    async def _lead(self) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=5,
            command_timeout=30,
            server_settings={
                "application_name": f"propman-{self._service}-relay",
                "tcp_keepalives_idle": "10",
            },
        )
        try:
            while not await connection.fetchval("select pg_try_advisory_lock($1)", RELAY_LOCK):
                if self._stopping:
                    return
                await self._sleep(POLL_SECONDS)
            self._metrics.leads.set(1)
            await connection.add_listener(OUTBOX_CHANNEL, lambda *_: self._wake.set())
            await self._publish_while_leading(connection)
        finally:
            self._metrics.leads.set(0)
            await _close(connection)

    async def _publish_while_leading(self, connection: "asyncpg.Connection[Any]") -> None:
        loop = asyncio.get_running_loop()
        observed = loop.time() - POLL_SECONDS
        while True:
            self._wake.clear()
            last_round = self._stopping  # asked before it reads: what was committed by then is published
            while (found := await self.publish_batch(connection)) == BATCH:
                continue
            if last_round or loop.time() - observed >= POLL_SECONDS:
                await self._observe(connection)
                observed = loop.time()
            if last_round:
                return
            if found:
                await asyncio.sleep(BREATH_SECONDS)
            await self._sleep(POLL_SECONDS)

    async def publish_batch(self, connection: "asyncpg.Connection[Any]") -> int:
        """Publish up to one batch; returns how many rows it read."""
        rows = await connection.fetch(_SELECT, BATCH)
        if rows:
            results = await self._publisher.publish([self._outgoing(row) for row in rows])
            await self._settle(connection, rows, results)
        return len(rows)

    async def _settle(
        self, connection: "asyncpg.Connection[Any]", rows: Sequence[asyncpg.Record], results: Sequence[Result]
    ) -> None:
        gone: list[int] = []
        refused: list[int] = []
        unheard: list[int] = []
        for row, result in zip(rows, results, strict=True):
            self._metrics.published.labels(result).inc()
            if result == "confirmed" or (result == "unroutable" and not row["must_be_heard"]):
                gone.append(row["id"])
            else:
                (unheard if result == "unroutable" else refused).append(row["id"])
                log.error(
                    "message_not_routed",
                    service=self._service,
                    topic=row["topic"],
                    result=result,
                    message_id=str(row["message_id"]),
                    attempts=row["attempts"] + 1,
                )
        if gone:
            await connection.execute(_DELETE, gone)
        if unheard:
            await connection.execute(_POSTPONE, unheard, "unroutable: no queue is bound to its topic")
        if refused:
            await connection.execute(_POSTPONE, refused, "refused by the broker")

    def _outgoing(self, row: asyncpg.Record) -> Outgoing:
        return Outgoing(
            exchange=EVENTS,
            routing_key=row["topic"],
            body=row["body"],
            properties=properties(
                message_id=str(row["message_id"]),
                topic=row["topic"],
                correlation_id=str(row["correlation_id"]),
                source=self._service,
                timestamp=row["occurred_at"],
                headers={
                    "ce-specversion": "1.0",
                    "ce-source": f"/services/{self._service}",
                    "ce-subject": row["subject"],
                    "causation_id": str(row["causation_id"]) if row["causation_id"] else None,
                    "traceparent": row["traceparent"],
                },
            ),
        )

    async def _observe(self, connection: "asyncpg.Connection[Any]") -> None:
        depth = await connection.fetchrow(_DEPTH, self._clock.now())
        self._metrics.outbox_pending.set(depth["pending"])
        self._metrics.outbox_age.set(float(depth["age"]))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


async def _close(connection: "asyncpg.Connection[Any]") -> None:
    try:
        await connection.close(timeout=2)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
