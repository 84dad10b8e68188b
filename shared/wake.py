"""What wakes a worker that takes rows: PostgreSQL's NOTIFY, its own poll, and the wish to stop."""

import asyncio
from typing import Final

import asyncpg
import structlog

from shared.messaging.errors import describe

RECONNECT_SECONDS: Final = 1.0

log = structlog.get_logger()


class WakeUp:
    """A bell that nobody misses: whoever took a ticket before it rang does not wait."""

    def __init__(self, dsn: str, channel: str) -> None:
        """`dsn` must lead straight to PostgreSQL: LISTEN does not work through a pooler."""
        self._dsn = dsn
        self._channel = channel
        self._rung = 0
        self._next = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def ticket(self) -> int:
        """Take it before looking for work."""
        return self._rung

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._rung += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, ticket: int, seconds: float) -> bool:
        """Wait until it rang after a ticket was taken; False when the time was up first."""
        if self._rung != ticket:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._next.wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """End `listen` and wake everybody a last time."""
        self._stopping.set()
        self.ring()

    async def run(self) -> None:
        """The same as `listen`, for a host that has several who wait for one bell."""
        await self.listen()

    async def listen(self) -> None:
        """Ring for every NOTIFY until stopped, through any outage of the database."""
        while not self._stopping.is_set():
            try:
                await self._listen_once()
            except Exception as error:  # noqa: BLE001 - polling goes on meanwhile; nothing may end the listening
                log.info("wake_up_not_heard", channel=self._channel, error=describe(error))
            await self._pause(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(
            self._dsn, timeout=5, server_settings={"application_name": f"propman-wake-{self._channel}"}
        )
        over = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: over.set())
            await connection.add_listener(self._channel, lambda *_: self.ring())
            self.ring()  # for what was written while nobody listened
            await _first_of(over, self._stopping)
        finally:
            await _close(connection)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _close(connection: asyncpg.Connection) -> None:
    try:
        await connection.close(timeout=2)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
