"""Defining schedules: checked when they are written down, so that the due loop need not doubt them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.scheduler.domain.catch_up import Arrears, Timetable, arrears, next_after
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import PROPERTY_ZONE, Schedule
from services.scheduler.domain.zones import Cursor, in_zone
from services.scheduler.specs import read_spec
from services.scheduler.timetable import is_ambiguous
from services.scheduler.timetables import jitter, runs_next_at, timetable_of
from services.scheduler.triggers import (
    checked_payload,
    expected_consumers,
    payload_fields,
    trigger_named,
)
from shared.identity import new_id

LONGEST_KEY: Final = 100
"""Characters; tables and mails show it whole."""

_KEY: Final = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


class InvalidSchedule(ValueError):
    """A definition we do not take, with the reason."""


def new_schedule(
    key: str,
    *,
    trigger: str,
    spec: Mapping[str, Any],
    now: datetime,
    payload: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
) -> Schedule:
    """A schedule that first runs after `now`; raises a `ValueError` that says what is wrong with it."""
    if len(key) > LONGEST_KEY:
        raise InvalidSchedule(f"a key has at most {LONGEST_KEY} characters, not {len(key)}")
    if not _KEY.fullmatch(key):
        raise InvalidSchedule(f"{key!r} is not a key: lower-case words joined by hyphens, such as late-fees")
    contract = trigger_named(trigger)
    schedule = Schedule(
        id=new_id(),
        key=key,
        trigger=contract.topic,
        spec=dict(spec),
        state="active",
        next_run_at=None,
        payload=checked_payload(contract, payload or {}),
        expected=expected_consumers(contract.topic),
        rules=rules or Rules(),
        defined_at=now,
    )
    return _checked(schedule, now)


def edited(
    schedule: Schedule,
    *,
    now: datetime,
    spec: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    rules: Rules | None = None,
) -> Schedule:
    """The next version of a schedule: due from now on, never for what has passed.

    A paused one stays paused and one that had ended may run again. Raises a `ValueError` that says what
    is wrong with the definition.
    """
    contract = trigger_named(schedule.trigger)
    changed = replace(
        schedule,
        spec=dict(schedule.spec if spec is None else spec),
        payload=schedule.payload if payload is None else checked_payload(contract, payload),
        rules=schedule.rules if rules is None else rules,
        spec_version=schedule.spec_version + 1,
        defined_at=now,
        error_count=0,
        last_error=None,
        retry_at=None,
    )
    changed = _checked(changed, now)
    return replace(changed, state=schedule.state) if schedule.state == "paused" else changed


def _checked(schedule: Schedule, now: datetime) -> Schedule:
    # In UTC as it would be anywhere: nobody knows yet where there will be properties.
    part = in_zone(schedule, Cursor("UTC", None)) if schedule.follows_properties else schedule
    timetable = timetable_of(part.spec, part.rules)
    spec = read_spec(part.spec)
    if spec.kind == "cron" and is_ambiguous(str(spec.document["expr"])):
        raise InvalidSchedule(
            f"{spec.document['expr']!r} has a step in one day field and a restriction in the other;"
            " crons disagree whether both or either must match"
        )
    for problem in schedule.rules.problems():
        raise InvalidSchedule(problem)
    following = next_after(timetable, now)
    if following is None:
        raise InvalidSchedule(f"after {now:%Y-%m-%d %H:%M} UTC it would never be due")
    if schedule.follows_properties:
        _require_zoned(schedule)
        return replace(schedule, state="active", next_run_at=None, next_zone=None, delay=timedelta())
    dated = runs_next_at(replace(schedule, next_zone=None), following)
    if dated.state == "ended":
        raise InvalidSchedule(
            f"it has had its {schedule.runs} runs; give it more of them, or none as a limit"
        )
    return dated


def _require_zoned(schedule: Schedule) -> None:
    """Only a trigger that can be for one zone may be announced zone by zone: else all would be done again."""
    contract = trigger_named(schedule.trigger)
    if "only_zone" not in payload_fields(contract):
        raise InvalidSchedule(
            f"{contract.__name__} cannot be for one zone only, so it cannot follow {PROPERTY_ZONE};"
            " give it a time zone"
        )
    if "only_zone" in schedule.payload:
        raise InvalidSchedule(f"only_zone is what {PROPERTY_ZONE} is for; give one or the other")


def due_now(schedule: Schedule, timetable: Timetable, now: datetime) -> Arrears:
    """What has come due of a schedule; an instant that jitter still puts off has not."""
    if schedule.next_run_at is None or schedule.next_run_at > now:
        return Arrears((), 0, None, schedule.next_run_at)
    due = arrears(timetable, first=schedule.next_run_at, now=now)
    newest = due.instants[-1]
    if newest + jitter(schedule, timetable, newest) > now:
        return replace(due, instants=due.instants[:-1], following=newest)
    return due
