"""A gate that closes while a server is down, so that waiting costs no attempts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.messaging.errors import ErrorKind, classify, describe

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0

log = structlog.get_logger()


class OutageGate:
    """Everybody waits here while one caller probes the server until it answers again."""

    def __init__(
        self, probe: Callable[[], Awaitable[None]], closed: Callable[[bool], None] | None = None
    ) -> None:
        """`probe` raises while the server is down; `closed` is told whenever that changes."""
        self._probe = probe
        self._tell = closed or (lambda _closed: None)
        self._open = asyncio.Event()
        self._open.set()

    @property
    def closed(self) -> bool:
        """Whether the server is known to be down."""
        return not self._open.is_set()

    async def wait(self) -> None:
        """Return at once while all is well, else when the server answers again."""
        await self._open.wait()

    async def trip(self, error: BaseException) -> None:
        """Close the gate for everybody and probe until the server answers; then open it."""
        if self.closed:
            await self.wait()
            return
        self._open.clear()
        self._tell(True)  # noqa: FBT003
        log.warning("consuming_paused", error=describe(error))
        try:
            await self._probe_until_up()
        finally:
            self._open.set()
            self._tell(False)  # noqa: FBT003
        log.info("consuming_resumed")

    async def _probe_until_up(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            try:
                await self._probe()
            except Exception as error:  # noqa: BLE001 - the probe's failures are what we wait out
                if classify(error) is ErrorKind.DEFECT:
                    log.warning("probe_failed", error=describe(error))
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return
