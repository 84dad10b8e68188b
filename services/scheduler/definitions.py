"""Defining schedules: checked when they are written down, so that the due loop need not doubt them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.scheduler.announcing import due_occurrence, local_text
from services.scheduler.domain.catch_up import latest_due
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import SchedulerStore
from services.scheduler.timetable import is_ambiguous, parse_cron
from services.scheduler.triggers import checked_payload, expected_consumers, trigger_named
from shared.identity import new_id
from shared.messaging.transaction import Tx

_KEY: Final = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


class InvalidSchedule(ValueError):
    """A definition we do not take, with the reason."""


def new_schedule(
    key: str,
    *,
    trigger: str,
    cron: str,
    time_zone: str,
    payload: Mapping[str, Any],
    now: datetime,
) -> Schedule:
    """A schedule that first runs after `now`; raises a `ValueError` that says what is wrong with it."""
    if not _KEY.fullmatch(key):
        raise InvalidSchedule(f"{key!r} is not a key: lower-case words joined by hyphens, such as late-fees")
    contract = trigger_named(trigger)
    timetable = parse_cron(cron, time_zone)
    if is_ambiguous(timetable.expression):
        raise InvalidSchedule(
            f"{cron!r} has a step in one day field and a restriction in the other;"
            " crons disagree whether both or either must match"
        )
    return Schedule(
        id=new_id(),
        key=key,
        trigger=contract.topic,
        cron=timetable.expression,
        time_zone=time_zone,
        state="active",
        next_run_at=timetable.after(now),
        payload=checked_payload(contract, payload),
        expected=expected_consumers(contract.topic),
    )


async def resume(tx: Tx, schedule: Schedule) -> Schedule:
    """Run again from the next instant on; what came due meanwhile becomes one missed occurrence."""
    store = SchedulerStore(tx.connection)
    timetable = parse_cron(schedule.cron, schedule.time_zone)
    following = timetable.after(tx.at)
    if schedule.state == "paused" and schedule.next_run_at <= tx.at:
        due = latest_due(timetable, first=schedule.next_run_at, now=tx.at)
        missed = replace(
            due_occurrence(schedule, due, at=tx.at),
            state="missed",
            reason="paused",
            expected=(),
            finished_at=tx.at,
        )
        await store.add_occurrence(missed, scheduled_local=local_text(due.scheduled_for, schedule.time_zone))
    await store.resume(schedule, next_run_at=following, now=tx.at)
    return replace(schedule, state="active", next_run_at=following)
