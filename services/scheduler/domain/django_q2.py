"""When Django-Q2 would have run something: its calendar arithmetic, to tell people what will be different.

As its `Schedule.calculate_next_run` has it (1.11): each run is computed from the one before it, so that
what a short month or a clock change took away never comes back.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final

FIXED: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "H": timedelta(hours=1),
        "D": timedelta(days=1),
        "W": timedelta(weeks=1),
        "BW": timedelta(weeks=2),
    }
)
MONTHS: Final[Mapping[str, int]] = MappingProxyType({"M": 1, "BM": 2, "Q": 3, "Y": 12})
_FOLLOWS_THE_CLOCK: Final = frozenset({"D", "W", "BW", "M", "BM", "Q"})
"""The kinds whose local time Django-Q2 tries to keep."""


def runs_there(
    kind: str, next_run: datetime, zone: tzinfo, *, minutes: int = 1, count: int = 12
) -> list[datetime]:
    """The next runs that Django-Q2 would make of a kind other than cron, in UTC."""
    found = [next_run.astimezone(UTC)]
    while len(found) < count and kind != "O":
        found.append(_following(kind, found[-1], zone, minutes))
    return found


def _following(kind: str, run: datetime, zone: tzinfo, minutes: int) -> datetime:
    if kind in MONTHS:
        step = timedelta(days=(_months_later(run, MONTHS[kind]) - run).days)
    else:
        step = FIXED.get(kind, timedelta(minutes=minutes))
    following = run + step
    if kind in _FOLLOWS_THE_CLOCK:
        local, then = (moment.astimezone(zone).replace(tzinfo=None) for moment in (run, following))
        following -= (then - local) - step
    return following


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
