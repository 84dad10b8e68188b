"""Django-Q2's schedules as ours, read from a dump of them, with all that will be different."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.scheduler.definitions import InvalidSchedule, new_schedule
from services.scheduler.domain.catch_up import Policy
from services.scheduler.domain.django_q2 import MONTHS, runs_there
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.old_functions import CannotTranslate, call_of, translated
from services.scheduler.specs import InvalidSpec
from services.scheduler.timetable import InvalidCron
from services.scheduler.timetables import upcoming
from services.scheduler.triggers import InvalidPayload, UnknownTrigger
from shared.documents import json_fault

MODEL: Final = "django_q.schedule"
COMPARED: Final = 12
"""So many coming runs are compared with those that Django-Q2 would make."""

_REFUSALS: Final = (
    CannotTranslate,
    InvalidCron,
    InvalidPayload,
    InvalidSchedule,
    InvalidSpec,
    UnknownTrigger,
)
_SHORTEST_MONTH: Final = 28
_DAYS: Final = {"D": 1, "W": 7, "BW": 14}


class UnreadableDump(ValueError):
    """The file is no dump of Django-Q2's schedules, with the reason."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a dump does not say."""

    zone: ZoneInfo
    """Django's TIME_ZONE."""
    now: datetime
    catch_up: Policy = "latest"


@dataclass(frozen=True, slots=True)
class Translation:
    """One of Django-Q2's schedules: as ours, or the reason why not; and what will be different."""

    name: str
    """What it is called there."""
    key: str
    schedule: Schedule | None = None
    reason: str | None = None
    differences: Sequence[str] = field(default_factory=tuple)


def read_dump(text: str) -> list[dict[str, Any]]:
    """The schedules of a dump, each with its fields and its `pk`; other models are passed over."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableDump(f"it is not JSON: {json_fault(error)}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableDump("it is not a list of objects, as a dump is")
    found = [
        {"pk": row.get("pk")} | row["fields"]
        for row in rows
        if str(row.get("model", "")).lower() == MODEL and isinstance(row.get("fields"), dict)
    ]
    if not found:
        raise UnreadableDump(f"there is no {MODEL} in it")
    return found


def translate_all(rows: Sequence[Mapping[str, Any]], given: Circumstances) -> list[Translation]:
    """Each schedule of a dump as ours; of two with one name the second one's key says its number as well."""
    found: list[Translation] = []
    for row in rows:
        name = str(row.get("name") or row.get("func") or row["pk"])
        key = _key(row)
        if key in {item.key for item in found}:
            key = f"{key}-{row['pk']}"
        try:
            found.append(_translate(row, name, key, given))
        except _REFUSALS as refusal:
            found.append(Translation(name, key, reason=str(refusal)))
    return found


def _key(row: Mapping[str, Any]) -> str:
    said = str(row.get("name") or str(row.get("func") or "").rsplit(".", maxsplit=1)[-1])
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or f"django-q2-{row['pk']}"


def _translate(row: Mapping[str, Any], name: str, key: str, given: Circumstances) -> Translation:
    call = call_of(str(row.get("func") or ""), row.get("args"), row.get("kwargs"))
    order = translated(call)
    next_run = _next_run(row, given)
    kind, repeats = str(row.get("schedule_type") or "O"), _repeats(row)
    schedule = new_schedule(
        key,
        trigger=order.trigger,
        spec=_spec(kind, row, next_run, given),
        payload=order.payload,
        rules=Rules(catch_up=given.catch_up, max_runs=repeats if repeats > 0 else None),
        now=given.now,
    )
    differences = [*order.differences, *_differences(kind, row, next_run, schedule, given)]
    if repeats == 0:
        reason = "it had no repeats left in Django-Q2"
        schedule = replace(schedule, state="paused", paused_by="import", paused_reason=reason)
        differences.append(
            "it had no repeats left: it is paused here, `propman scheduler resume` lets it run"
        )
    return Translation(name, key, schedule, differences=tuple(differences))


def _repeats(row: Mapping[str, Any]) -> int:
    value = row.get("repeats", -1)
    if not isinstance(value, int):
        raise CannotTranslate(f"repeats is {value!r}, which is no number")
    return value


def _minutes(row: Mapping[str, Any]) -> int:
    value = row.get("minutes") or 1
    if not isinstance(value, int):
        raise CannotTranslate(f"minutes is {value!r}, which is no number")
    return value


def _next_run(row: Mapping[str, Any], given: Circumstances) -> datetime:
    text = row.get("next_run")
    if not text:
        if row.get("schedule_type") == "C":
            return given.now
        raise CannotTranslate("it has no next_run, from which its times are counted; set one, or add it anew")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise CannotTranslate(f"its next_run, {text!r}, is no moment") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=given.zone)


def _spec(kind: str, row: Mapping[str, Any], next_run: datetime, given: Circumstances) -> dict[str, Any]:
    local, zone = next_run.astimezone(given.zone), given.zone.key
    at = local.time().isoformat("seconds" if local.second else "minutes")
    if kind == "O":
        return {"kind": "once", "at": next_run.astimezone(UTC).isoformat(), "timezone": zone}
    if kind in {"I", "H"}:
        seconds = 3_600 if kind == "H" else 60 * _minutes(row)
        return {"kind": "interval", "anchor": next_run.astimezone(UTC).isoformat(), "every_seconds": seconds}
    if kind in _DAYS:
        start = local.date().isoformat()
        return {
            "kind": "calendar_days",
            "start_date": start,
            "every_days": _DAYS[kind],
            "time": at,
            "timezone": zone,
        }
    if kind in MONTHS:
        return {
            "kind": "monthly",
            "start_month": f"{local:%Y-%m}",
            "every_months": MONTHS[kind],
            "day": local.day,
            "time": at,
            "timezone": zone,
        }
    if kind == "C":
        return {"kind": "cron", "expr": str(row.get("cron") or ""), "timezone": zone}
    raise CannotTranslate(f"{kind!r} is no type of schedule that Django-Q2 has")


def _differences(
    kind: str, row: Mapping[str, Any], next_run: datetime, schedule: Schedule, given: Circumstances
) -> list[str]:
    found = []
    if row.get("next_run") and datetime.fromisoformat(str(row["next_run"])).tzinfo is None:
        found.append(f"its next_run says no zone: it was read as {given.zone.key} (--zone)")
    if kind == "C":
        found.append("Django-Q2 runs a time that comes twice in autumn twice, here it runs once")
        found.append("Django-Q2 catches up at most one run of a cron, here its rules decide")
    elif different := _first_difference(kind, row, next_run, schedule, given):
        found.append(different)
    if kind in MONTHS and next_run.astimezone(given.zone).day >= _SHORTEST_MONTH:
        found.append(
            f"it is on day {next_run.astimezone(given.zone).day}: if a short month moved it there, or the"
            ' last day is meant, edit it (--spec with "day": 31 or "last")'
        )
    if given.catch_up != "all" and kind != "C":
        found.append(
            "after downtime one run stands for all that were missed; Django-Q2 makes each (catch_up)"
        )
    if row.get("hook"):
        found.append(f"its hook {row['hook']} is not called: listen to the message TriggerOutcome")
    if row.get("cluster"):
        found.append(f"its cluster {row['cluster']} has no counterpart: each service takes its own triggers")
    if row.get("intended_date_kwarg"):
        found.append("the intended date is in every trigger, as `as_of`")
    return found


def _first_difference(
    kind: str, row: Mapping[str, Any], next_run: datetime, schedule: Schedule, given: Circumstances
) -> str | None:
    """The first of the coming runs that Django-Q2 would make at another moment."""
    there = runs_there(kind, next_run, given.zone, minutes=_minutes(row), count=COMPARED)
    here = upcoming(schedule, there[0] - timedelta(microseconds=1), COMPARED)
    for one, other in zip(there, here, strict=False):
        if one != other:
            was, will = (f"{moment.astimezone(given.zone):%Y-%m-%d %H:%M}" for moment in (one, other))
            return f"Django-Q2 would drift, to {was} and for good; here that run is at {will}"
    return None
