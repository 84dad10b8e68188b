"""Cron expressions in a time zone: cronsim says which local times match, we say which instants those are.

By default as Debian's cron has it (man 8 cron): a fixed time that a clock change skips runs once, when the
clock has jumped; one that comes twice runs the first time. Where the minute or the hour begins with `*`,
every real minute that matches counts. Of a fixed time a schedule may say otherwise.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from cronsim import CronSim, CronSimError

from services.scheduler.domain.catch_up import NeverAgain, newest
from services.scheduler.domain.cron_faults import fault_in
from services.scheduler.domain.local_times import (
    FIXED_TIME,
    WILDCARD,
    ClockChanges,
    Gap,
    Overlap,
    in_order,
    local_start,
)
from shared.clock import zone

ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_DEGENERATE: Final = re.compile(r"\b(\w+)-\1/\d+\b", re.IGNORECASE)
"""A range of one value with a step: that value, and not, as cronsim has it, a beginning without an end."""

NEVER: Final = "none of its months has that day"
"""What is left to be wrong where each field is well: the 30th of February."""

_FIELDS: Final = ("minute", "hour", "day of the month", "month", "day of the week")


class InvalidCron(ValueError):
    """A cron expression we do not take, with the reason."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When an expression is due in a zone. `parse_cron` makes one."""

    expression: str
    time_zone: str
    gap: Gap | None = None
    """Of a fixed time that a clock change skips, instead of Debian's rule."""
    overlap: Overlap | None = None
    """Of a fixed time that comes twice, instead of Debian's rule."""

    @property
    def changes(self) -> ClockChanges:
        """What is done when the clock changes."""
        minute, hour = self.expression.split()[:2]
        if minute.startswith("*") or hour.startswith("*"):
            return WILDCARD  # it counts minutes that are there; there is nothing to choose
        return ClockChanges(self.gap or FIXED_TIME.gap, self.overlap or FIXED_TIME.overlap)

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment, in UTC."""
        found = next(self._each(moment), None)
        if found is None:
            raise NeverAgain(f"{self.expression!r} never comes again after {moment:%Y-%m-%d}")
        return found

    def latest(self, moment: datetime) -> datetime:
        """The last due instant at or before a moment, in UTC."""
        found = newest(self, moment)
        if found is None:
            raise InvalidCron(f"{self.expression!r} never came before {moment:%Y-%m-%d}")
        return found

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next due instants after a moment."""
        return list(islice(self._each(moment), count))

    def _each(self, moment: datetime) -> Iterator[datetime]:
        here = zone(self.time_zone)
        due = in_order(self._locals(local_start(moment, here)), here, self.changes)
        return (instant for instant in due if instant > moment)

    def _locals(self, start: datetime) -> Iterator[datetime]:
        # In UTC no clock changes, so cronsim matches plain local times; it begins strictly after its start.
        begin = start.replace(tzinfo=UTC) - timedelta(minutes=1)
        return (match.replace(tzinfo=None) for match in CronSim(self.expression, begin))


def parse_cron(text: str, time_zone: str, *, gap: Gap | None = None, overlap: Overlap | None = None) -> Cron:
    """A five-field expression, or an alias such as @monthly; raises `InvalidCron` or `UnknownZone`."""
    zone(time_zone)
    expression = ALIASES.get(text.strip().lower(), text.strip())
    parts = _DEGENERATE.sub(r"\1", expression).split()
    if expression.startswith("@"):
        raise InvalidCron(f"{text!r} is not a known alias; there are {', '.join(ALIASES)}")
    if len(parts) != len(_FIELDS):
        raise InvalidCron(
            f"{text!r} has {len(parts)} fields; five are needed: {', '.join(_FIELDS)}"
            " (no seconds, and the time zone is given apart)"
        )
    if "W" in parts[2].upper():
        raise InvalidCron(f"{text!r} uses W, which every cron reads differently")
    try:
        cron = Cron(" ".join(parts), time_zone, gap, overlap)
        CronSim(cron.expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise InvalidCron(f"{text!r}: {fault_in(parts) or NEVER}") from error
    try:
        cron.after(datetime(2026, 1, 1, tzinfo=UTC))
    except NeverAgain as error:
        raise InvalidCron(str(error)) from None
    return cron


def is_ambiguous(expression: str) -> bool:
    """Whether a step in one day field meets a restriction in the other: crons disagree on AND or OR."""
    month_day, week_day = expression.split()[2], expression.split()[4]
    return any(
        step.startswith("*/") and not other.startswith("*")
        for step, other in ((month_day, week_day), (week_day, month_day))
    )
