"""Which of the instants that have passed is announced. The only policy so far is `latest`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

ON_TIME: Final = timedelta(seconds=60)
"""Up to here a run is on time; above it, it is a catch-up and history says so."""

COUNT_LIMIT: Final = 1_000
"""Beyond so many missed instants the count is no longer worth computing: it then means "at least"."""


class TimetableStuck(Exception):
    """A timetable whose next instant has already passed."""


class Timetable(Protocol):
    """When a schedule is due. Instants are aware, in UTC."""

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment."""

    def latest(self, moment: datetime) -> datetime:
        """The last due instant at or before a moment."""


@dataclass(frozen=True, slots=True)
class Due:
    """One announcement for everything that has come due."""

    scheduled_for: datetime
    origin: Literal["schedule", "catch_up"]
    coalesced: int
    coalesced_from: datetime | None
    """The earliest instant it stands for, where that is another."""
    next_run_at: datetime


def latest_due(timetable: Timetable, *, first: datetime, now: datetime) -> Due:
    """The newest due instant speaks for those before it: catching up bills a month once, not ten times."""
    current, count = first, 1
    following = timetable.after(current)
    while following <= now and count < COUNT_LIMIT:
        current, count = following, count + 1
        following = timetable.after(current)
    if following <= now:
        current = timetable.latest(now)
        following = timetable.after(current)
    if following <= now:  # engines have gone backwards across clock changes; it would fire for ever
        raise TimetableStuck(f"the next run, {following.isoformat()}, is not after {now.isoformat()}")
    return Due(
        scheduled_for=current,
        origin="schedule" if count == 1 and now - current <= ON_TIME else "catch_up",
        coalesced=count,
        coalesced_from=first if count > 1 else None,
        next_run_at=following,
    )
