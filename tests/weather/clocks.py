"""Time that a test moves by hand, for the service and for what it waits for."""

from datetime import datetime, timedelta

from tests.weather.nws import NOON


class HandClock:
    """A clock, a stopwatch and a sleep that all show the same time."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def advance(self, **parts: float) -> None:
        self.moment += timedelta(**parts)

    def stopwatch(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Takes no time, and passes it."""
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
