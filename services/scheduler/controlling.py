"""What people do with a schedule: add, edit, pause, resume, archive. None fires retroactively."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.scheduler.announcing import carry_out, slot_of
from services.scheduler.definitions import InvalidSchedule, edited
from services.scheduler.domain.catch_up import next_after
from services.scheduler.domain.decisions import Decision, Reason, decide
from services.scheduler.domain.rules import Rules
from services.scheduler.domain.schedules import Schedule, State
from services.scheduler.following import align, missed_so_far, parts_of, put_together
from services.scheduler.store import DueStore, ScheduleStore, ZoneStore
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


async def add(tx: Tx, schedule: Schedule) -> Schedule | None:
    """Keep a new schedule, with its place in each zone that it follows; None where its key is taken."""
    store = ScheduleStore(tx.connection)
    if not await store.add_schedule(schedule, now=tx.at):
        return None
    aligned = await align(tx, schedule)
    await store.save_schedule(aligned, now=tx.at)
    return aligned


async def edit(tx: Tx, schedule: Schedule, change: Change) -> Schedule:
    """Give a schedule its next version, from now on; what had come due is dealt with as it was defined."""
    if schedule.state == "archived":
        raise InvalidSchedule(f"{schedule.key} is archived; resume it first")
    changed = edited(schedule, now=tx.at, spec=change.spec, payload=change.payload, rules=change.rules)
    parts = await parts_of(tx.connection, schedule)
    runs = {part.time_zone: part.runs for part in parts}
    if schedule.state in {"active", "paused"}:
        for part in parts:
            runs[part.time_zone] += (await _settle_arrears(tx, part, schedule.state)).runs
        changed = replace(changed, runs=schedule.runs + sum(runs.values()) - sum(part.runs for part in parts))
    await ZoneStore(tx.connection).drop_cursors(schedule.id)
    changed = await align(tx, changed, runs=runs)
    await ScheduleStore(tx.connection).save_schedule(changed, now=tx.at)
    return changed


async def pause(
    tx: Tx, schedule: Schedule, *, by: str | None, reason: str | None, until: datetime | None
) -> Schedule:
    """Announce nothing of a schedule until it is resumed, or until then; what is under way goes on.

    Of one that is paused already, a reason goes over who paused it and why; without one both stay, so that
    nobody is named with another's reason. Until when is said anew or stays.
    """
    if until is not None and until <= tx.at:
        raise InvalidSchedule(f"a pause until {until:%Y-%m-%d %H:%M} UTC would be over already")
    if schedule.state == "archived":
        raise InvalidSchedule(f"{schedule.key} is archived")
    anew = bool(reason) or schedule.state != "paused"
    paused = replace(
        schedule,
        state="paused",
        paused_by=by if anew else schedule.paused_by,
        paused_reason=reason if anew else schedule.paused_reason,
        paused_until=until or schedule.paused_until,
    )
    await ScheduleStore(tx.connection).save_schedule(paused, now=tx.at)
    return paused


async def resume(tx: Tx, schedule: Schedule, *, catch_up: AfterPause = "skip") -> tuple[Schedule, int]:
    """Run again, from the next instant on; of those that passed none, the latest or all are announced.

    Each that is not is kept as missed. A schedule that runs as it should is left alone. Says how many
    are announced.
    """
    if schedule.state == "active":
        return schedule, 0
    if schedule.state == "archived":
        schedule = replace(schedule, defined_at=tx.at)  # zones that came meanwhile owe it nothing
    schedule = replace(await align(tx, schedule), state=schedule.state)
    parts, announced = [], 0
    for part in await parts_of(tx.connection, schedule):
        decision = await _settle_arrears(tx, part, schedule.state, catch_up=catch_up)
        announced += decision.runs
        following = next_after(timetable_of(part.spec, part.rules), tx.at)
        parts.append(runs_next_at(replace(part, runs=part.runs + decision.runs), following))
    resumed = replace(
        await put_together(tx, schedule, parts),
        runs=schedule.runs + announced,
        error_count=0,
        last_error=None,
        retry_at=None,
        paused_by=None,
        paused_reason=None,
        paused_until=None,
    )
    await ScheduleStore(tx.connection).save_schedule(resumed, now=tx.at)
    return resumed, announced


async def archive(tx: Tx, schedule: Schedule) -> None:
    """Never announce a schedule again; it and its history stay, and `resume` brings it back."""
    await DueStore(tx.connection).drop_queued(schedule.id, reason="archived", now=tx.at)
    await ZoneStore(tx.connection).drop_cursors(schedule.id)
    gone = replace(schedule, state="archived", next_run_at=None, next_zone=None, delay=timedelta())
    await ScheduleStore(tx.connection).save_schedule(gone, now=tx.at)


async def _settle_arrears(tx: Tx, part: Schedule, state: State, *, catch_up: AfterPause = "skip") -> Decision:
    """Announce what had come due, by the schedule's own rules or, where it did not run, as somebody says."""
    rules = part.rules
    if state != "active":
        rules = replace(rules, catch_up=catch_up, catch_up_window=_WITHOUT_LIMIT, grace=_NEVER_ON_TIME)
    slot = await slot_of(tx, part)
    due = missed_so_far(part, tx.at)
    decision = decide(due, now=tx.at, rules=rules, runs=part.runs, slot=slot)
    reasons: dict[str, Reason] = {"paused": "paused", "error": "held_back"}
    await carry_out(tx, part, decision, missed_because=reasons.get(state))
    return decision
