"""The only place that reads the clock, and the zones that turn an instant into a business date."""

import mmap
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from typing_extensions import override


class UnknownZone(ValueError):
    """A time zone that is not in the IANA database."""


class Clock(Protocol):
    """Something that says what time it is; a simulation brings its own."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


class MovableClock:
    """A clock of a simulation: it stands until it is moved, and never goes back.

    Whatever runs on one does nothing outside this system: see `is_simulated`.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """The moment it was moved to last, aware, in UTC."""
        return self._at

    def move_to(self, moment: datetime) -> None:
        """Let it be that moment; one that is past already changes nothing."""
        self._at = max(self._at, moment.astimezone(UTC))


class SharedClock(MovableClock):
    """The same for several processes: what time it is stands in a file that all of them have mapped."""

    def __init__(self, path: Path) -> None:
        """Read the clock that `create` made; raises `OSError` where there is none."""
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._microseconds = memoryview(self._map).cast("q")  # read and written in one piece

    @classmethod
    def create(cls, path: Path, at: datetime) -> Self:
        """A new clock that stands at a moment, whatever was in the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_since_epoch(at).to_bytes(_SIZE, sys.byteorder, signed=True))
        return cls(path)

    @override
    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._microseconds[0])

    @override
    def move_to(self, moment: datetime) -> None:
        self._microseconds[0] = max(self._microseconds[0], _since_epoch(moment))

    def close(self) -> None:
        """Let go of the file."""
        self._microseconds.release()
        self._map.close()


_SIZE: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _since_epoch(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def is_simulated(clock: Clock) -> bool:
    """Whether a clock tells the time of a simulation.

    What happens in one happened to nobody: no mail leaves, no card is charged, no provider is asked.
    """
    return isinstance(clock, MovableClock)


def stopwatch() -> float:
    """Seconds from an arbitrary start, for durations; it never jumps."""
    return time.perf_counter()


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name; raises `UnknownZone` with the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"{name!r} is not an IANA time zone, such as America/New_York"
        raise UnknownZone(message) from error


def local_date(moment: datetime, zone_name: str) -> date:
    """The calendar date at a place at a moment."""
    return moment.astimezone(zone(zone_name)).date()
