"""Reading what somebody wrote down as "when": a document per kind of timetable, mistakes by their field."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final, Literal, cast, get_args
from zoneinfo import ZoneInfo

from services.scheduler.domain.calendars import CalendarDays, Interval, Monthly, Once
from services.scheduler.domain.catch_up import NeverAgain, Timetable
from services.scheduler.domain.local_times import FIXED_TIME, Gap, Overlap, instants_of
from services.scheduler.domain.schedules import PROPERTY_ZONE
from services.scheduler.timetable import InvalidCron, is_ambiguous, parse_cron
from shared.clock import UnknownZone, zone
from shared.documents import json_fault

_MOST_SECONDS: Final = 10 * 366 * 86_400

EXAMPLES: Final[Mapping[str, str | int]] = {
    "expr": "0 9 * * *",
    "timezone": "America/New_York",
    "anchor": "2026-09-01T06:00:00Z",
    "every_seconds": 3_600,
    "start_date": "2026-09-01",
    "every_days": 7,
    "time": "09:00",
    "start_month": "2026-09",
    "every_months": 1,
    "day": 31,
    "at": "2026-09-01T06:00:00Z",
}
"""A value for each field that must be there, to be shown where it is missing."""


class InvalidSpec(ValueError):
    """A field of a timetable makes no sense; the message begins with its name."""


class TooMany(ValueError):
    """More instants than anybody wants to read."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A timetable as it was written down, ready to be asked."""

    kind: str
    timetable: Timetable
    zone: ZoneInfo
    document: Mapping[str, Any]

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next instants strictly after a moment, fewer where it ends."""
        found: list[datetime] = []
        try:
            while len(found) < count:
                moment = self.timetable.after(moment)
                found.append(moment)
        except NeverAgain:
            pass
        return found

    def due(self, last_handled: datetime, now: datetime, *, most: int | None = None) -> list[datetime]:
        """The instants in (last_handled, now], oldest first; raises `TooMany` for more than `most`."""
        found: list[datetime] = []
        try:
            moment = self.timetable.after(last_handled)
            while moment <= now:
                if len(found) == most:
                    raise TooMany(f"more than {most:,} instants came due in that time; give a shorter one")
                found.append(moment)
                moment = self.timetable.after(moment)
        except NeverAgain:
            pass
        return found


def parse_spec(text: str) -> Spec:
    """The timetable of a JSON document; raises `InvalidSpec`."""
    return read_spec(parse_document(text))


def parse_document(text: str) -> dict[str, Any]:
    """A JSON object; whether it describes a timetable is for `read_spec` to say."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(f"spec: not JSON: {json_fault(error)}") from None
    if not isinstance(document, dict):
        raise InvalidSpec('spec: must be an object such as {"kind": "cron", …}')
    return document


def read_spec(document: Mapping[str, Any], *, here: str | None = None) -> Spec:
    """The timetable that a document describes; raises `InvalidSpec` with the field that is wrong.

    `here` is the zone that `@property` stands for; it has none of its own.
    """
    if here is not None and document.get("timezone") == PROPERTY_ZONE:
        document = {**document, "timezone": here}
    kind = document.get("kind")
    if kind is None:
        raise InvalidSpec(f"kind: is missing; it is one of {', '.join(_READERS)}")
    if kind not in _READERS:
        raise InvalidSpec(f"kind: {kind!r} is not one of {', '.join(_READERS)}")
    reader, known = _READERS[kind]
    if strange := sorted(set(document) - {"kind", *known}):
        raise InvalidSpec(f"{strange[0]}: a {kind} timetable has no such field; it has {', '.join(known)}")
    fields = _Fields(document)
    return Spec(kind, reader(fields), fields.zone(), document)


class _Fields:
    """The fields of one document, each read in one way."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def _value(self, name: str, kind: type, words: str) -> Any:
        value = self._document.get(name)
        if value is None:
            raise InvalidSpec(f"{name}: is missing; for example {json.dumps({name: EXAMPLES[name]})[1:-1]}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidSpec(f"{name}: {value!r} is not {words}")
        return value

    def text(self, name: str) -> str:
        return str(self._value(name, str, "a text"))

    def whole(self, name: str, least: int, most: int) -> int:
        value = int(self._value(name, int, "a whole number"))
        if not least <= value <= most:
            raise InvalidSpec(f"{name}: {value} is not between {least} and {most}")
        return value

    def parsed(self, name: str, parse: Callable[[str], Any], words: str) -> Any:
        text = self.text(name)
        try:
            return parse(text)
        except ValueError:
            raise InvalidSpec(f"{name}: {text!r} is not {words}") from None

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        value = self._document.get(name)
        if value is not None and value not in allowed:
            raise InvalidSpec(f"{name}: {value!r} is not one of {', '.join(allowed)}")
        return value

    def instant(self, name: str) -> datetime:
        moment = self.moment(name)
        if moment.tzinfo is None:
            raise InvalidSpec(f"{name}: {moment.isoformat()!r} has no zone; write 2026-09-01T06:00:00Z")
        return moment.astimezone(UTC)

    def moment(self, name: str) -> datetime:
        moment: datetime = self.parsed(name, datetime.fromisoformat, "a moment such as 2026-09-01T06:00:00Z")
        return moment

    def day(self) -> int | Literal["last"]:
        return "last" if self._document.get("day") == "last" else self.whole("day", 1, 31)

    def clock_time(self) -> time:
        moment: time = self.parsed("time", time.fromisoformat, "a time of day such as 09:00")
        if moment.tzinfo is not None:
            raise InvalidSpec("time: the zone belongs into `timezone`")
        return moment

    @property
    def names_zone(self) -> bool:
        return "timezone" in self._document

    def zone(self) -> ZoneInfo:
        if "timezone" not in self._document and self._document["kind"] in {"interval", "once"}:
            return zone("UTC")
        if self._document.get("timezone") == PROPERTY_ZONE:
            raise InvalidSpec(f"timezone: {PROPERTY_ZONE} is a zone of its own at each property; name one")
        try:
            return zone(self.text("timezone"))
        except UnknownZone as error:
            raise InvalidSpec(f"timezone: {error}") from None


def _cron(fields: _Fields) -> Timetable:
    expression = fields.text("expr")
    gap = fields.choice("dst_gap", get_args(Gap))
    overlap = fields.choice("dst_overlap", get_args(Overlap))
    try:
        return parse_cron(
            expression,
            fields.zone().key,
            gap=cast("Gap | None", gap),
            overlap=cast("Overlap | None", overlap),
        )
    except InvalidCron as error:
        raise InvalidSpec(f"expr: {error}") from None


def _interval(fields: _Fields) -> Timetable:
    every = timedelta(seconds=fields.whole("every_seconds", 1, _MOST_SECONDS))
    return Interval(fields.instant("anchor"), every)


def _calendar_days(fields: _Fields) -> Timetable:
    start: date = fields.parsed("start_date", date.fromisoformat, "a date such as 2026-09-01")
    return CalendarDays(start, fields.whole("every_days", 1, 3_660), fields.clock_time(), fields.zone())


_LONGEST_MONTHS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _monthly(fields: _Fields) -> Timetable:
    start: datetime = fields.parsed("start_month", _month, "a month such as 2026-09")
    overflow = fields.choice("overflow", ("clamp", "skip")) or "clamp"
    day, every = fields.day(), fields.whole("every_months", 1, 1_200)
    months = {(start.month - 1 + every * number) % 12 + 1 for number in range(12)}
    if overflow == "skip" and day != "last" and all(_LONGEST_MONTHS[month] < day for month in months):
        raise InvalidSpec(f"day: none of its months has a day {day}, so it would never be due")
    return Monthly(
        start.year,
        start.month,
        every,
        day,
        fields.clock_time(),
        fields.zone(),
        cast('Literal["clamp", "skip"]', overflow),
    )


def _once(fields: _Fields) -> Timetable:
    moment = fields.moment("at")
    if moment.tzinfo is None and fields.names_zone:
        return Once(instants_of(moment, fields.zone(), FIXED_TIME)[0])
    return Once(fields.instant("at"))


def _month(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)


_READERS: Final[dict[str, tuple[Callable[[_Fields], Timetable], tuple[str, ...]]]] = {
    "cron": (_cron, ("expr", "timezone", "dst_gap", "dst_overlap")),
    "interval": (_interval, ("anchor", "every_seconds")),
    "calendar_days": (_calendar_days, ("start_date", "every_days", "time", "timezone")),
    "monthly": (_monthly, ("start_month", "every_months", "day", "time", "timezone", "overflow")),
    "once": (_once, ("at", "timezone")),
}


def notes_on(spec: Spec, instants: list[datetime], *, after: datetime | None = None) -> list[str]:
    """What a person should know of these instants: clock changes, short months, traps of cron.

    `after` is the moment they were asked for after; without it nothing is said of what was left out before
    the first one.
    """
    notes = _skipped_gaps(spec, instants, after)
    if spec.kind == "cron" and is_ambiguous(str(spec.document["expr"])):
        notes.append(
            "A step in one day field beside a restriction in the other: crons disagree, here both must match."
        )
    for moment in instants:
        notes += _clock_notes(moment, spec.zone)
    if spec.kind == "monthly" and spec.document["day"] != "last":
        notes += _short_months(spec, instants)
    return notes


def _skipped_gaps(spec: Spec, instants: list[datetime], after: datetime | None) -> list[str]:
    """Which runs are left out because the clock leaps over them, and the schedule says `skip`."""
    if spec.document.get("dst_gap") != "skip" or not instants:
        return []
    otherwise = read_spec({**spec.document, "timezone": spec.zone.key, "dst_gap": "transition"})
    start = after or instants[0] - timedelta(seconds=1)
    left_out = set(otherwise.due(start, instants[-1])) - set(instants)
    days = sorted({moment.astimezone(spec.zone).date() for moment in left_out})
    return [f"On {day} the clock goes forward over the time, and the run is left out." for day in days]


def _clock_notes(moment: datetime, here: ZoneInfo) -> list[str]:
    local = moment.astimezone(here)
    before = (moment - timedelta(seconds=1)).astimezone(here)
    forward = (local.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
    if forward > timedelta():
        return [
            f"On {local:%Y-%m-%d} the clock goes forward; what falls into the gap comes at {local:%H:%M}."
        ]
    twin = local.replace(fold=1 - local.fold)
    if twin.utcoffset() != local.utcoffset() and twin.astimezone(UTC).astimezone(here).replace(
        tzinfo=None
    ) == local.replace(tzinfo=None):
        which = "second" if local.fold else "first"
        return [f"On {local:%Y-%m-%d} {local:%H:%M} comes twice; this is the {which}."]
    return []


def _short_months(spec: Spec, instants: list[datetime]) -> list[str]:
    wanted = int(spec.document["day"])
    local = [moment.astimezone(spec.zone) for moment in instants]
    if spec.document.get("overflow", "clamp") == "clamp":
        short = [day for day in local if day.day < wanted]
        return [f"{day:%Y-%m} has no day {wanted}: its last day is taken." for day in short]
    step = int(spec.document["every_months"])
    skipped = [
        (one, other)
        for one, other in pairwise(local)
        if (other.year - one.year) * 12 + other.month - one.month > step
    ]
    return [
        f"Between {one:%Y-%m} and {other:%Y-%m} months without a day {wanted} are left out."
        for one, other in skipped
    ]
