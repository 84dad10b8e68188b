"""What is only history goes; what keeps something from happening twice stays."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler import manual
from services.scheduler.backfilling import instants_between
from services.scheduler.domain.alerts import Finding
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.handlers import record_outcome, router
from services.scheduler.manual import KeyTaken, run_now
from services.scheduler.store.alerts import AlertStore
from services.scheduler.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.contracts.scheduler import CleanUp, MonthlyBillingDue, TriggerOutcome
from shared.identity import new_id
from shared.messaging.tables import dead_letters, inbox
from tests.scheduler.driver import START, Scheduler, until
from tests.scheduler.test_cli import Shell
from tests.support.cleaning import clean
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, deliver, emitted

pytestmark = pytest.mark.servers

LATER = START + timedelta(days=40)


@pytest.fixture
async def connection(scheduler: Scheduler) -> AsyncIterator[AsyncConnection]:
    async with scheduler.transactions.engine.connect() as found:
        yield await found.execution_options(isolation_level="AUTOCOMMIT")


async def heard(connection: AsyncConnection, at: datetime, count: int = 1) -> list[UUID]:
    """Messages that were handled at a moment."""
    ids = [new_id() for _ in range(count)]
    rows = [
        {"consumer": "a.b.v1", "message_id": item, "correlation_id": item, "processed_at": at} for item in ids
    ]
    await connection.execute(sa.insert(inbox), rows)
    return ids


async def buried(connection: AsyncConnection, message_id: UUID, state: str, at: datetime = START) -> None:
    values = {"queue": "q", "topic": "t", "headers": {}, "body": b"", "reason": "defect", "error": "no"}
    row: dict[str, Any] = values | {
        "id": new_id(),
        "message_id": str(message_id),
        "attempts": 1,
        "first_failed_at": at,
        "died_at": at,
        "state": state,
        "resolved_at": None if state == "open" else at,
    }
    await connection.execute(sa.insert(dead_letters).values(row))


async def test_history_goes_in_steps_and_a_second_run_finds_nothing(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    await heard(connection, START, count=25)
    [recent] = await heard(connection, LATER - timedelta(days=29))
    scheduler.clock.moment = LATER
    stepping = cleaning_router("scheduler", CleanUp, SWEEPS, rows_a_step=10)

    first, steps = await clean(scheduler.transactions, stepping, LATER)
    second, _ = await clean(scheduler.transactions, stepping, LATER)

    assert first.parts["inbox"] == {"examined": 25, "removed": 25, "kept": 0}
    assert first.state == "succeeded"
    assert steps > 2
    assert second.counts == {"examined": 0, "removed": 0, "kept": 0}
    assert recent in set(await connection.scalars(sa.select(inbox.c.message_id)))


async def test_a_dry_run_counts_the_same_and_removes_nothing(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    await heard(connection, START, count=3)
    scheduler.clock.moment = LATER

    looked, _ = await clean(scheduler.transactions, router, LATER, dry_run=True)
    done, _ = await clean(scheduler.transactions, router, LATER)

    assert looked.parts == done.parts
    assert looked.parts["inbox"]["removed"] == 3


async def test_what_may_still_come_again_is_known_however_little_is_to_be_kept(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    await heard(connection, START)
    scheduler.clock.moment = START + timedelta(days=29)

    outcome, _ = await clean(scheduler.transactions, router, scheduler.clock.moment, older_than_days=1)

    assert outcome.parts["inbox"] == {"examined": 0, "removed": 0, "kept": 0}


async def test_a_run_for_a_day_to_come_takes_no_more_than_one_of_today(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    await heard(connection, START)
    scheduler.clock.moment = START + timedelta(days=31)

    outcome, _ = await clean(scheduler.transactions, router, LATER + timedelta(days=900), older_than_days=90)

    assert outcome.parts["inbox"]["removed"] == 0


async def test_a_message_whose_copy_is_buried_stays_known_until_somebody_decides(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    open_one, resolved = await heard(connection, START, count=2)
    await buried(connection, open_one, "open")
    await buried(connection, resolved, "discarded")
    scheduler.clock.moment = LATER

    outcome, _ = await clean(scheduler.transactions, router, LATER)

    assert outcome.parts["inbox"] == {"examined": 2, "removed": 1, "kept": 1}
    assert outcome.parts["dead letters"] == {"examined": 2, "removed": 1, "kept": 1}
    assert await connection.scalar(sa.select(dead_letters.c.state)) == "open"


async def test_failures_only_leaves_everything_else(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    [message] = await heard(connection, START)
    await buried(connection, message, "replayed")
    scheduler.clock.moment = LATER

    outcome, _ = await clean(scheduler.transactions, router, LATER, failures_only=True)

    assert outcome.parts.keys() == {"dead letters", "occurrences", "alerts"}
    assert (outcome.counts["removed"], await count_rows(scheduler.transactions, dead_letters)) == (1, 0)


async def test_the_same_trigger_under_another_id_says_the_same_next_step(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    await heard(connection, START, count=5)
    scheduler.clock.moment = LATER
    stepping = cleaning_router("scheduler", CleanUp, SWEEPS, rows_a_step=2)
    outcome, _ = await clean(scheduler.transactions, stepping, LATER, dry_run=True)
    step = CleanUp(
        occurrence_id=outcome.occurrence_id,
        as_of=LATER,
        older_than_days=30,
        dry_run=True,
        step=2,
        sweep="inbox",
    )

    for _ in range(2):
        await deliver(scheduler.transactions, stepping, step)

    async with scheduler.transactions.engine.connect() as other:
        ids = list(await other.scalars(sa.text("select message_id from outbox")))
    assert (len(ids), len(set(ids))) == (2, 1)


async def run_hours(scheduler: Scheduler, hours: int) -> None:
    """So many hourly runs, each of which succeeds."""
    for _ in range(hours):
        scheduler.clock.advance(hours=1)
        await scheduler.round()
    for occurrence in await scheduler.history():
        if occurrence.state == "waiting":
            outcome = TriggerOutcome(
                occurrence_id=occurrence.id,
                trigger=occurrence.trigger,
                consumer="billing",
                state="succeeded",
                finished_at=scheduler.clock.now(),
            )
            await deliver(scheduler.transactions, router, outcome)


async def test_an_occurrence_that_was_cleaned_up_is_not_announced_again(scheduler: Scheduler) -> None:
    schedule = await scheduler.add()
    await run_hours(scheduler, 6)
    scheduler.clock.moment = LATER
    await scheduler.round()
    before = [item for item in await emitted(scheduler.transactions) if item[0] == MonthlyBillingDue.topic]

    outcome, _ = await clean(scheduler.transactions, router, LATER)
    await scheduler.round()
    async with scheduler.transactions.command("test") as tx:
        gaps = await instants_between(tx.connection, schedule, START, START + timedelta(hours=6))

    assert outcome.parts["occurrences"]["removed"] >= 5
    after = [item for item in await emitted(scheduler.transactions) if item[0] == MonthlyBillingDue.topic]
    assert after == before
    assert [gap.missing for gap in gaps] == [False] * 6
    assert sum(gap.forgotten for gap in gaps) == 5  # the newest success stays


async def test_the_newest_run_of_each_schedule_and_what_is_under_way_stay(scheduler: Scheduler) -> None:
    await scheduler.add()
    await run_hours(scheduler, 3)
    scheduler.clock.advance(hours=1)
    await scheduler.round()
    scheduler.clock.moment = LATER

    await clean(scheduler.transactions, router, LATER, older_than_days=1)

    assert sorted(item.state for item in await scheduler.history()) == ["succeeded", "waiting"]


async def test_a_run_that_was_asked_for_under_a_key_is_never_done_twice(scheduler: Scheduler) -> None:
    await scheduler.add()

    async def ask(key: str | None) -> UUID:
        async with scheduler.transactions.command("test") as tx:
            return await run_now(tx, "rent", seq=key, force=True)

    first, unnamed = await ask("december"), await ask(None)
    await run_hours(scheduler, 1)
    scheduler.clock.moment = LATER
    await clean(scheduler.transactions, router, LATER)

    assert await ask("december") == first
    assert unnamed not in {item.id for item in await scheduler.history()}
    with pytest.raises(KeyTaken, match="choose another"):
        await ask("auto:1")


SERVICES = ("billing", "leasing", "notifications", "rewards", "scheduler", "weather")


async def answer_all(scheduler: Scheduler, services: Sequence[str]) -> None:
    """What the services say when they are asked."""

    async def asked() -> Occurrence | None:
        return next(iter(await scheduler.history()), None)

    occurrence = await until(asked)
    for number, service in enumerate(services):
        counts = {"examined": 10, "removed": 10 - number, "kept": number}
        outcome = TriggerOutcome(
            occurrence_id=occurrence.id,
            trigger=occurrence.trigger,
            consumer=service,
            state="succeeded",
            counts=counts,
            parts={"inbox": counts, "heartbeats": {"examined": 0, "removed": 0, "kept": 0}},
            finished_at=scheduler.clock.now(),
        )
        async with scheduler.transactions.command("test") as tx:  # and no log line in what the command prints
            await record_outcome(outcome, tx)


async def test_the_command_asks_every_service_and_says_what_each_removed_and_kept(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    shell = Shell(await databases.url("scheduler"))
    words = ("scheduler", "cleanup_old_tasks", "--days", "45", "--failures-only", "--timeout", "20")

    (out, err), _ = await asyncio.gather(shell.run(*words), answer_all(scheduler, SERVICES))

    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["service", "kind", "examined", "removed", "kept"]
    assert ["leasing", "inbox", "10", "9", "1"] in lines
    assert not any("heartbeats" in line for line in lines)
    assert "keeps something from happening twice" in err
    assert err.splitlines()[-1] == "6 services looked, and removed what may go."
    [occurrence] = await scheduler.history()
    assert occurrence.payload == {"older_than_days": 45, "failures_only": True}


async def test_a_dry_run_of_the_command_never_says_that_anything_was_removed(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    shell = Shell(await databases.url("scheduler"))
    command = shell.run("scheduler", "cleanup-old-tasks", "--dry-run")

    (_out, err), _ = await asyncio.gather(command, answer_all(scheduler, SERVICES))

    assert err.splitlines()[-1] == "Dry run: 6 services looked, nothing was removed."
    assert err.count("removed") == 1


async def test_the_command_says_for_whom_it_waits_and_fails_by_naming_who_did_not_answer(
    scheduler: Scheduler, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual, "PATIENCE_SECONDS", 0.3)
    shell = Shell(await databases.url("scheduler"))
    command = shell.run("scheduler", "cleanup-old-tasks", "--timeout", "3", "--json", exit_code=1)

    (out, err), _ = await asyncio.gather(command, answer_all(scheduler, SERVICES[:-1]))

    assert "Waiting for weather." in err.splitlines()
    assert "No outcome from weather" in err
    assert json.loads(out)["reports"][0]["parts"]["inbox"] == {"examined": 10, "removed": 10, "kept": 0}


async def test_alerts_that_are_over_go_and_open_ones_stay(
    scheduler: Scheduler, connection: AsyncConnection
) -> None:
    store = AlertStore(connection)
    over, still = await store.add([Finding("failed", about, "no") for about in ("rent", "fees")], START)
    await store.save([replace(over, state="resolved", resolved_at=START)])
    scheduler.clock.moment = LATER

    outcome, _ = await clean(scheduler.transactions, router, LATER)

    assert outcome.parts["alerts"] == {"examined": 2, "removed": 1, "kept": 1}
    assert [alert.id for alert in await store.newest(also_resolved=True, limit=9)] == [still.id]
