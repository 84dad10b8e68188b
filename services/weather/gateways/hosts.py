"""How politely one host is asked: a rate, a limit at once, pauses it asked for, and a circuit breaker.

Times are seconds of a stopwatch, so that a clock that is set cannot open or close anything.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.weather.gateways.errors import NoAnswer

Sleep = Callable[[float], Awaitable[None]]
Stopwatch = Callable[[], float]


@dataclass(slots=True)
class Host:
    """One host, as one process treats it."""

    name: str
    stopwatch: Stopwatch
    sleep: Sleep
    per_second: float = 2.0
    at_once: int = 4
    failures_to_open: int = 8
    rest: float = 60.0
    _failures: int = 0
    _open_until: float | None = None
    _paused_until: float = 0.0
    _next_slot: float = 0.0
    _probing: bool = False
    _gate: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """The gate follows from how many are allowed at once."""
        self._gate = asyncio.Semaphore(self.at_once)

    @property
    def is_open(self) -> bool:
        """Whether the breaker keeps requests back."""
        return self._open_until is not None and self.stopwatch() < self._open_until

    def pause(self, seconds: float) -> None:
        """Ask nothing for so long, as the host wished."""
        self._paused_until = max(self._paused_until, self.stopwatch() + seconds)

    def paused_for(self) -> float:
        """How long it still wishes not to be asked."""
        return max(0.0, self._paused_until - self.stopwatch())

    def succeeded(self) -> None:
        """The host answered, whatever it said."""
        self._failures = 0
        self._open_until = None

    def failed(self) -> None:
        """It did not; after several in a row it is left alone for a while, then tried with one request."""
        self._failures += 1
        if self._failures >= self.failures_to_open:
            self._open_until = self.stopwatch() + self.rest

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn to ask. Raises `NoAnswer` while the breaker is open."""
        if self.is_open or (self._open_until is not None and self._probing):
            raise NoAnswer(f"{self.name} failed {self._failures} times in a row and is left alone")
        self._probing = self._open_until is not None
        try:
            async with self._gate:
                await self._wait_for_slot()
                yield
        finally:
            self._probing = False

    async def _wait_for_slot(self) -> None:
        now = self.stopwatch()
        slot = max(now, self._next_slot, self._paused_until)
        self._next_slot = slot + 1 / self.per_second
        if slot > now:
            await self.sleep(slot - now)
