"""Cron expressions in a time zone, on cronsim, which has Debian cron's daylight-saving rules.

A fixed time that a clock change skips runs once, when the clock has jumped; one that comes twice runs
the first time. Where the minute or the hour begins with `*`, every real minute that matches counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from cronsim import CronSim, CronSimError

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

_FIELDS: Final = ("minute", "hour", "day of the month", "month", "day of the week")


class InvalidCron(ValueError):
    """A cron expression we do not take, with the reason."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When an expression is due in a zone. `parse_cron` makes one."""

    expression: str
    time_zone: str

    def after(self, moment: datetime) -> datetime:
        """The first due instant strictly after a moment, in UTC."""
        found = next((due for due in self._walk(moment) if due > moment), None)
        if found is None:
            raise InvalidCron(f"{self.expression!r} never comes again after {moment:%Y-%m-%d}")
        return found

    def latest(self, moment: datetime) -> datetime:
        """The last due instant at or before a moment, in UTC."""
        found = next((due for due in self._walk(moment, reverse=True) if due <= moment), None)
        if found is None:
            raise InvalidCron(f"{self.expression!r} never came before {moment:%Y-%m-%d}")
        # Backwards, cronsim may step over an instant near a clock change; forwards is the truth.
        while (following := self.after(found)) <= moment:
            found = following
        return found

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next due instants after a moment."""
        return list(islice(self._each(moment), count))

    def _each(self, moment: datetime) -> Iterator[datetime]:
        while True:
            moment = self.after(moment)
            yield moment

    def _walk(self, moment: datetime, *, reverse: bool = False) -> Iterator[datetime]:
        # In the hour that comes twice cronsim may answer with the other copy: callers compare in UTC.
        local = moment.astimezone(zone(self.time_zone))
        for due in CronSim(self.expression, local, reverse=reverse):
            yield due.astimezone(UTC)


def parse_cron(text: str, time_zone: str) -> Cron:
    """A five-field expression, or an alias such as @monthly; raises `InvalidCron` or `UnknownZone`."""
    zone(time_zone)
    expression = ALIASES.get(text.strip().lower(), text.strip())
    parts = expression.split()
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
        cron = Cron(" ".join(parts), time_zone)
        CronSim(cron.expression, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise InvalidCron(f"{text!r}: {_in_words(str(error))}") from error
    cron.after(datetime(2026, 1, 1, tzinfo=UTC))
    return cron


def is_ambiguous(expression: str) -> bool:
    """Whether a step in one day field meets a restriction in the other: crons disagree on AND or OR."""
    month_day, week_day = expression.split()[2], expression.split()[4]
    return any(
        step.startswith("*/") and not other.startswith("*")
        for step, other in ((month_day, week_day), (week_day, month_day))
    )


def _in_words(reason: str) -> str:
    field = reason.removeprefix("Bad ").replace("-of-", " of the ")
    return f"the {field} is out of range, backwards, or never comes"
