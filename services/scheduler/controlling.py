"""What people do with a schedule that is there: edit, pause, resume, archive. None fires retroactively."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.scheduler.announcing import carry_out
from services.scheduler.definitions import InvalidSchedule, edited
from services.scheduler.domain.catch_up import Arrears, arrears, next_after
from services.scheduler.domain.decisions import Decision, Reason, decide
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule
from services.scheduler.store import SchedulerStore
from services.scheduler.timetables import runs_next_at, timetable_of
from shared.messaging.transaction import Tx

AfterPause = Literal["skip", "latest", "all"]
"""What is announced of the instants that passed during a pause."""

_WITHOUT_LIMIT: Final = timedelta(days=36_500)
_NEVER_ON_TIME: Final = -_WITHOUT_LIMIT


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different about a schedule; None leaves a part as it is."""

    spec: Mapping[str, Any] | None = None
    payload: Mapping[str, Any] | None = None
    rules: Rules | None = None


async def edit(tx: Tx, schedule: Schedule, change: Change) -> Schedule:
    """Give a schedule its next version, from now on; what had come due is dealt with as it was defined."""
    if schedule.state == "archived":
        raise InvalidSchedule(f"{schedule.key} is archived; resume it first")
    changed = edited(schedule, now=tx.at, spec=change.spec, payload=change.payload, rules=change.rules)
    if schedule.state in {"active", "paused"}:
        changed = replace(changed, runs=schedule.runs + (await _settle_arrears(tx, schedule)).runs)
    await SchedulerStore(tx.connection).save_schedule(changed, now=tx.at)
    return changed


async def pause(
    tx: Tx, schedule: Schedule, *, by: str | None, reason: str | None, until: datetime | None
) -> None:
    """Announce nothing of a schedule until it is resumed, or until then; what is under way goes on."""
    if until is not None and until <= tx.at:
        raise InvalidSchedule(f"a pause until {until:%Y-%m-%d %H:%M} UTC would be over already")
    if schedule.state == "archived":
        raise InvalidSchedule(f"{schedule.key} is archived")
    paused = replace(schedule, state="paused", paused_by=by, paused_reason=reason, paused_until=until)
    await SchedulerStore(tx.connection).save_schedule(paused, now=tx.at)


async def resume(tx: Tx, schedule: Schedule, *, catch_up: AfterPause = "skip") -> tuple[Schedule, Decision]:
    """Run again, from the next instant on; of those that passed none, the latest or all are announced.

    Each that is not is kept as missed. A schedule that runs as it should is left alone.
    """
    if schedule.state == "active":
        return schedule, Decision((), None, ())
    decision = await _settle_arrears(tx, schedule, catch_up=catch_up)
    resumed = replace(
        schedule,
        runs=schedule.runs + decision.runs,
        error_count=0,
        last_error=None,
        retry_at=None,
        paused_by=None,
        paused_reason=None,
        paused_until=None,
    )
    following = next_after(timetable_of(schedule.spec, schedule.rules), tx.at)
    resumed = runs_next_at(resumed, following)
    await SchedulerStore(tx.connection).save_schedule(resumed, now=tx.at)
    return resumed, decision


async def archive(tx: Tx, schedule: Schedule) -> None:
    """Never announce a schedule again; it and its history stay, and `resume` brings it back."""
    store = SchedulerStore(tx.connection)
    await store.drop_queued(schedule.id, reason="archived", now=tx.at)
    gone = replace(schedule, state="archived", next_run_at=None, delay=timedelta())
    await store.save_schedule(gone, now=tx.at)


def missed_so_far(schedule: Schedule, now: datetime) -> Arrears:
    """What has come due of a schedule, also what jitter would still put off: none of it may get lost."""
    if schedule.next_run_at is None or schedule.next_run_at > now:
        return Arrears((), 0, None, schedule.next_run_at)
    return arrears(timetable_of(schedule.spec, schedule.rules), first=schedule.next_run_at, now=now)


async def _settle_arrears(tx: Tx, schedule: Schedule, *, catch_up: AfterPause = "skip") -> Decision:
    """Announce what had come due, by the schedule's own rules or, where it did not run, as somebody says."""
    rules = schedule.rules
    if schedule.state != "active":
        rules = replace(rules, catch_up=catch_up, catch_up_window=_WITHOUT_LIMIT, grace=_NEVER_ON_TIME)
    slot = await SchedulerStore(tx.connection).slot(schedule.id, tx.at)
    due = missed_so_far(schedule, tx.at)
    decision = decide(due, now=tx.at, rules=rules, runs=schedule.runs, slot=slot)
    reasons: dict[str, Reason] = {"paused": "paused", "error": "held_back"}
    await carry_out(tx, schedule, decision, missed_because=reasons.get(schedule.state))
    return decision
