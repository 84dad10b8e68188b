"""A message of a run becomes a dead letter: the run has failed, is told of by name, and a replay makes it good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

from services.rewards.handlers import router as rewards
from services.scheduler.definitions import new_schedule
from services.scheduler.domain.alerts import Alert
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.domain.services import QueueState
from services.scheduler.manual import run_now
from services.scheduler.reporting import outcome_words
from services.scheduler.store import HistoryStore, ScheduleStore
from services.scheduler.store.alerts import AlertStore
from services.scheduler.watching import Watchdog
from shared.contracts.base import Trigger
from shared.contracts.billing import InvoiceCreated
from shared.contracts.rewards import CalculateRewards
from shared.contracts.scheduler import RewardsDue, TriggerOutcome
from shared.db import driver_url
from shared.identity import new_id
from shared.messaging.dead_letters import DeadLetter, delivery_of, list_dead_letters
from shared.messaging.transaction import Transactions
from tests.rewards.desk import noon
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, deliver, delivery_for, edge_for, emitted, outbox
from tests.support.post_office import PostOffice, a_post_office

pytestmark = pytest.mark.servers

KEY: Final = "nightly-rewards"


@pytest.fixture
async def office(databases: TestDatabases) -> AsyncIterator[PostOffice]:
    """All services, and a schedule of which rewards is the only consumer."""
    async with a_post_office(databases) as office:
        async with office.services["scheduler"].command("test") as tx:
            spec = {"kind": "cron", "expr": "15 2 * * *", "timezone": "UTC"}
            schedule = new_schedule(KEY, trigger="rewards", spec=spec, now=tx.at)
            assert await ScheduleStore(tx.connection).add_schedule(schedule, now=tx.at)
        yield replace(office, outcomes=frozenset({"done", "repeat", "dead"}))


@asynccontextmanager
async def without_right(databases: TestDatabases, right: str) -> AsyncIterator[None]:
    """The role of rewards has lost a right, which no retry mends; then somebody gives it back."""
    role = sa.make_url(await databases.url("rewards")).username
    connection = await asyncpg.connect(driver_url(databases.admin_url("rewards")))
    try:
        await connection.execute(f'revoke {right} from "{role}"')
        try:
            yield
        finally:
            await connection.execute(f'grant {right} to "{role}"')
    finally:
        await connection.close()


async def run(office: PostOffice) -> UUID:
    """Announce the schedule, and let everybody work it off."""
    async with office.services["scheduler"].command("test") as tx:
        occurrence_id = await run_now(tx, KEY)
    await office.carry()
    return occurrence_id


async def last_run(office: PostOffice) -> Occurrence:
    async with office.services["scheduler"].engine.connect() as connection:
        return (await HistoryStore(connection).last_occurrences())[KEY]


async def alerts(office: PostOffice) -> list[Alert]:
    """The open alerts of the schedule, after another look."""

    async def nothing_waits(_names: object) -> dict[str, QueueState]:
        return {}

    scheduler = office.services["scheduler"]
    await Watchdog(scheduler, nothing_waits).look_once()
    async with scheduler.engine.connect() as connection:
        return [alert for alert in await AlertStore(connection).open() if alert.about == KEY]


async def the_letter(transactions: Transactions) -> DeadLetter:
    async with transactions.engine.connect() as connection:
        [letter] = await list_dead_letters(connection)
    return letter


async def replay(office: PostOffice, letter: DeadLetter) -> None:
    """As it comes back into its queue."""
    [subscription] = [item for item in rewards.subscriptions if item.queue == letter.queue]
    await edge_for(office.services["rewards"]).take(subscription, delivery_of(letter))
    await office.carry()


async def test_a_buried_trigger_fails_its_run_by_the_name_of_the_dead_letter_and_a_replay_makes_it_good(
    office: PostOffice, databases: TestDatabases
) -> None:
    async with without_right(databases, "select on runs"):
        await run(office)
    letter = await the_letter(office.services["rewards"])
    failed = await last_run(office)
    assert failed.state == "failed"
    assert outcome_words(failed).endswith(f"could not be handled (ProgrammingError): dead letter {letter.id}")
    [alert] = await alerts(office)
    assert (alert.kind, str(letter.id) in alert.detail) == ("failed", True)

    await replay(office, letter)

    assert (await last_run(office)).id == failed.id
    assert (await last_run(office)).state == "succeeded"
    assert await alerts(office) == []


async def test_a_buried_trigger_holds_up_no_later_run_whose_success_ends_the_alert(
    office: PostOffice, databases: TestDatabases
) -> None:
    async with without_right(databases, "select on runs"):
        first = await run(office)
    assert [alert.kind for alert in await alerts(office)] == ["failed"]

    second = await run(office)

    last = await last_run(office)
    assert (last.id, last.state) == (second, "succeeded")
    assert first != second
    assert await alerts(office) == []


async def test_a_buried_piece_of_a_run_fails_the_run(office: PostOffice, databases: TestDatabases) -> None:
    transactions = office.services["rewards"]
    step = CalculateRewards(
        run_id=new_id(), chunk=1, as_of=noon("2026-03-01"), tenant_ids=(new_id(), new_id())
    )

    async with without_right(databases, "update on runs"):
        assert await deliver(transactions, rewards, step) == "dead"

    letter = await the_letter(transactions)
    [(topic, said)] = await emitted(transactions)
    assert topic == TriggerOutcome.topic
    assert (said["occurrence_id"], said["consumer"]) == (str(step.run_id), "rewards")
    assert (said["state"], said["trigger"]) == ("failed", "")
    assert said["problems"] == [f"a message could not be handled (ProgrammingError): dead letter {letter.id}"]


async def test_a_trigger_that_cannot_be_read_fails_its_run_too(office: PostOffice) -> None:
    transactions, due = office.services["rewards"], a_trigger()
    delivery = delivery_for(due)
    [subscription] = [item for item in rewards.subscriptions if item.contract is RewardsDue]

    assert await edge_for(transactions).take(subscription, replace(delivery, body=b"{")) == "dead"

    [(_, said)] = await emitted(transactions)
    assert (said["occurrence_id"], said["trigger"]) == (str(due.occurrence_id), RewardsDue.topic)


async def test_a_trigger_buried_twice_names_the_dead_letter_that_is_there(
    office: PostOffice, databases: TestDatabases
) -> None:
    transactions, due = office.services["rewards"], a_trigger()

    async with without_right(databases, "select on runs"):
        for _ in range(2):
            await deliver(transactions, rewards, due, message_id=due.occurrence_id)

    letter = await the_letter(transactions)
    told = [said["problems"][0] for _, said in await emitted(transactions)]
    assert [str(letter.id) in problem for problem in told] == [True, True]


async def test_a_buried_fact_says_nothing_of_any_run(
    office: PostOffice,
) -> None:
    transactions = office.services["rewards"]
    [subscription] = [item for item in rewards.subscriptions if item.contract is InvoiceCreated]
    delivery = delivery_for(a_trigger())

    assert await edge_for(transactions).take(subscription, delivery) == "dead"

    assert await count_rows(transactions, outbox) == 0


async def test_what_cannot_be_said_loses_no_dead_letter(office: PostOffice, databases: TestDatabases) -> None:
    transactions = office.services["rewards"]

    async with without_right(databases, "insert on outbox"):
        assert await deliver(transactions, rewards, a_trigger()) == "dead"

    assert (await the_letter(transactions)).reason == "defect"
    assert await count_rows(transactions, outbox) == 0


def a_trigger() -> Trigger:
    return RewardsDue(occurrence_id=new_id(), schedule_key=KEY, as_of=noon("2026-03-01"))
