"""The only place that reads the clock, and the zones that turn an instant into a business date."""

import time
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


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


def stopwatch() -> float:
    """Seconds from an arbitrary start, for durations; it never jumps."""
    return time.perf_counter()


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name; raises `UnknownZone` with the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        message = f"{name!r} is not an IANA time zone, such as America/New_York"
        raise UnknownZone(message) from error


def local_date(moment: datetime, zone_name: str) -> date:
    """The calendar date at a place at a moment."""
    return moment.astimezone(zone(zone_name)).date()
