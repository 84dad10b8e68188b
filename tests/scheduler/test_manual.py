"""Runs that somebody asks for, and waiting for what comes of them."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from services.scheduler import manual
from services.scheduler.definitions import InvalidSchedule, new_schedule
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.rules import Rules
from services.scheduler.handlers import router
from services.scheduler.manual import (
    KeyTaken,
    UnderWay,
    UnknownName,
    UnknownOccurrence,
    await_outcome,
    run_now,
)
from services.scheduler.store import ScheduleStore
from services.scheduler.triggers import InvalidPayload, UnknownTrigger, trigger_named
from shared.contracts.scheduler import MonthlyBillingDue
from shared.identity import new_id
from tests.scheduler.driver import START, Scheduler, SetClock, billed
from tests.support.messages import deliver, emitted


async def ask(scheduler: Scheduler, key: str = "rent", **parts: Any) -> UUID:
    async with scheduler.transactions.command("test") as tx:
        return await run_now(tx, key, **parts)


@pytest.mark.servers
async def test_run_now_is_an_occurrence_of_its_own_and_moves_nothing(scheduler: Scheduler) -> None:
    schedule = await scheduler.add(period="2026-11")

    identity = await ask(scheduler, payload={"period": "2026-12"}, requested_by="ana")

    [occurrence] = await scheduler.history()
    [(_topic, trigger)] = await emitted(scheduler.transactions)
    assert (occurrence.id, occurrence.origin, occurrence.requested_by) == (identity, "manual", "ana")
    assert (trigger["period"], trigger["as_of"], trigger["origin"]) == (
        "2026-12",
        "2026-11-20T12:00:00Z",
        "manual",
    )
    assert (await scheduler.schedule()).next_run_at == schedule.next_run_at


@pytest.mark.servers
async def test_asking_twice_under_one_key_runs_once(scheduler: Scheduler, clock: SetClock) -> None:
    await scheduler.add()

    first = await ask(scheduler, seq="december")
    clock.advance(minutes=3)
    second = await ask(scheduler, seq="december")

    assert first == second
    assert len(await emitted(scheduler.transactions)) == 1


@pytest.mark.servers
async def test_asking_at_once_under_one_key_runs_once(scheduler: Scheduler) -> None:
    await scheduler.add()

    asked = await asyncio.gather(*(ask(scheduler, seq="december") for _ in range(5)))

    assert len(set(asked)) == 1
    assert len(await emitted(scheduler.transactions)) == 1


@pytest.mark.servers
async def test_one_key_cannot_stand_for_two_things(scheduler: Scheduler) -> None:
    await scheduler.add()
    await ask(scheduler, seq="december", payload={"period": "2026-12"})

    with pytest.raises(KeyTaken, match="'december' already stands for another run of rent"):
        await ask(scheduler, seq="december", payload={"period": "2027-01"})


@pytest.mark.servers
async def test_asking_twice_without_a_key_runs_twice(scheduler: Scheduler) -> None:
    await scheduler.add(rules=Rules(overlap="allow"))

    assert await ask(scheduler) != await ask(scheduler)


@pytest.mark.servers
async def test_a_run_by_hand_waits_for_the_one_under_way_unless_forced(scheduler: Scheduler) -> None:
    await scheduler.add()
    first = await ask(scheduler, seq="one")

    since = f"since {scheduler.clock.now():%Y-%m-%d %H:%M} UTC and waits for billing"
    with pytest.raises(UnderWay, match=f"{since}: wait too, or use --force"):
        await ask(scheduler)

    assert await ask(scheduler, seq="one") == first
    assert await ask(scheduler, force=True, reason="rents were corrected") != first
    assert [item.reason for item in await scheduler.history()].count("rents were corrected") == 1


@pytest.mark.servers
async def test_a_dry_run_is_announced_as_one_and_takes_no_slot(scheduler: Scheduler) -> None:
    await scheduler.add()

    await ask(scheduler, dry_run=True)
    await ask(scheduler)

    assert [trigger["dry_run"] for _topic, trigger in await emitted(scheduler.transactions)] == [True, False]


@pytest.mark.servers
async def test_a_trigger_needs_no_schedule(scheduler: Scheduler) -> None:
    moment = datetime(2026, 12, 1, 6, tzinfo=timezone(timedelta(hours=-5)))

    await ask(scheduler, "MonthlyBillingDue", as_of=moment)

    [occurrence] = await scheduler.history()
    assert (occurrence.schedule_key, occurrence.schedule_id) == ("monthly-billing-due", None)
    assert (occurrence.scheduled_for, occurrence.expected) == (moment.astimezone(UTC), ("billing",))


@pytest.mark.servers
async def test_an_unknown_name_is_refused_with_the_known_ones(scheduler: Scheduler) -> None:
    await scheduler.add()

    with pytest.raises(UnknownName, match=r"'rant'; there are: rent, .*monthly-billing-due"):
        await ask(scheduler, "rant")


@pytest.mark.servers
async def test_a_run_that_fails_to_commit_leaves_nothing_behind(scheduler: Scheduler) -> None:
    await scheduler.add()

    with pytest.raises(RuntimeError, match="killed"):
        await ask_and_crash(scheduler)

    assert (await scheduler.history(), await emitted(scheduler.transactions)) == ([], [])


async def ask_and_crash(scheduler: Scheduler) -> None:
    async with scheduler.transactions.command("test") as tx:
        await run_now(tx, "rent")
        raise RuntimeError("killed")


@pytest.mark.servers
async def test_waiting_ends_with_the_outcome(scheduler: Scheduler) -> None:
    identity = await ask(scheduler, "monthly-billing-due")
    waiting = asyncio.create_task(await_outcome(scheduler.transactions, identity, timeout=5))

    await deliver(scheduler.transactions, router, billed(identity))

    occurrence = await waiting
    assert (occurrence.settled, occurrence.reports[0].counts) == (True, {"created": 29})


@pytest.mark.servers
async def test_waiting_in_vain_gives_the_occurrence_as_it_is(scheduler: Scheduler) -> None:
    occurrence = await await_outcome(
        scheduler.transactions, await ask(scheduler, "monthly-billing"), timeout=0.2
    )

    assert (occurrence.settled, occurrence.unanswered) == (False, ("billing",))


@pytest.mark.servers
async def test_whoever_waits_is_told_who_has_not_answered(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "PATIENCE_SECONDS", 0.0)
    seen: list[Occurrence] = []
    identity = await ask(scheduler, "monthly-billing")

    await await_outcome(scheduler.transactions, identity, timeout=0.3, waiting=seen.append)

    assert {occurrence.unanswered for occurrence in seen} == {("billing",)}


@pytest.mark.servers
async def test_waiting_for_an_unknown_occurrence_is_refused(scheduler: Scheduler) -> None:
    with pytest.raises(UnknownOccurrence):
        await await_outcome(scheduler.transactions, new_id(), timeout=1)


@pytest.mark.servers
async def test_the_history_of_a_removed_schedule_stays(scheduler: Scheduler) -> None:
    schedule = await scheduler.add()
    identity = await ask(scheduler)
    async with scheduler.transactions.command("test") as tx:
        await ScheduleStore(tx.connection).remove_schedule(schedule)

    [occurrence] = await scheduler.history("rent")

    assert (occurrence.id, occurrence.schedule_id) == (identity, None)


@pytest.mark.parametrize(
    "name",
    [
        "scheduler.monthly_billing_due.v1",
        "MonthlyBillingDue",
        "monthly-billing-due",
        "monthly_billing_due",
        "monthly-billing",
    ],
)
def test_a_trigger_answers_to_each_way_of_writing_its_name(name: str) -> None:
    assert trigger_named(name) is MonthlyBillingDue


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"key": "Rent Due"}, InvalidSchedule, "is not a key"),
        ({"key": "rent" * 26}, InvalidSchedule, "at most 100 characters, not 104"),
        ({"trigger": "rent"}, UnknownTrigger, "there are: .*monthly-billing-due"),
        (
            {"spec": {"kind": "cron", "expr": "0 0 */2 * 1", "timezone": "UTC"}},
            InvalidSchedule,
            "a step in one day field",
        ),
        (
            {"payload": {"perriod": "2026-12"}},
            InvalidPayload,
            "no field perriod; it has: only_zone, period, property_id",
        ),
        ({"payload": {"period": "2026-13"}}, InvalidPayload, "period: .* not '2026-13'"),
        ({"payload": {"as_of": "2026-12-01T00:00:00Z"}}, InvalidPayload, "no field as_of"),
    ],
)
def test_a_definition_is_refused_with_its_reason(
    changes: dict[str, Any], error: type[Exception], reason: str
) -> None:
    values: dict[str, Any] = {
        "key": "rent",
        "trigger": "monthly-billing-due",
        "spec": {"kind": "cron", "expr": "@daily", "timezone": "UTC"},
        "payload": {},
        "now": START,
    }
    values |= changes

    with pytest.raises(error, match=reason):
        new_schedule(values.pop("key"), **values)
