"""What consumers answer: kept once, in whatever order it arrives, and settled when all have answered."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.handlers import router
from services.scheduler.manual import run_now
from services.scheduler.schema import occurrence_outcomes, occurrences
from shared.contracts.scheduler import MonthlyBillingDue, TriggerOutcome
from shared.identity import new_id
from tests.scheduler.driver import START, Scheduler
from tests.support.messages import count_rows, deliver

pytestmark = pytest.mark.servers


def an_outcome(
    occurrence_id: UUID, *, minute: int = 1, consumer: str = "billing", **parts: Any
) -> TriggerOutcome:
    values = {"state": "succeeded", "counts": {"examined": 29, "created": 27, "skipped": 2}} | parts
    return TriggerOutcome(
        occurrence_id=occurrence_id,
        trigger=MonthlyBillingDue.topic,
        consumer=consumer,
        finished_at=START + timedelta(minutes=minute),
        **values,
    )


async def an_occurrence(scheduler: Scheduler) -> UUID:
    async with scheduler.transactions.command("test") as tx:
        return await run_now(tx, "monthly-billing-due")


async def the_occurrence(scheduler: Scheduler) -> Occurrence:
    [occurrence] = await scheduler.history()
    return occurrence


async def test_an_outcome_settles_its_occurrence_with_counts(scheduler: Scheduler) -> None:
    identity = await an_occurrence(scheduler)

    assert await deliver(scheduler.transactions, router, an_outcome(identity)) == "done"

    occurrence = await the_occurrence(scheduler)
    assert (occurrence.state, occurrence.finished_at) == ("succeeded", START + timedelta(minutes=1))
    assert occurrence.reports[0].counts == {"examined": 29, "created": 27, "skipped": 2}


async def test_the_same_message_twice_changes_nothing(scheduler: Scheduler) -> None:
    outcome, message_id = an_outcome(await an_occurrence(scheduler)), new_id()

    await deliver(scheduler.transactions, router, outcome, message_id=message_id)
    again = await deliver(scheduler.transactions, router, outcome, message_id=message_id)

    assert again == "repeat"
    assert await count_rows(scheduler.transactions, occurrence_outcomes) == 1


async def test_the_same_outcome_in_another_message_is_kept_once(scheduler: Scheduler) -> None:
    outcome = an_outcome(await an_occurrence(scheduler))

    await deliver(scheduler.transactions, router, outcome)
    await deliver(scheduler.transactions, router, outcome)

    assert len((await the_occurrence(scheduler)).reports) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_outcomes_the_later_finished_one_counts(
    scheduler: Scheduler, order: tuple[int, int]
) -> None:
    identity = await an_occurrence(scheduler)
    outcomes = [
        an_outcome(identity, minute=1, state="failed", problems=("lease 7: no rent",)),
        an_outcome(identity, minute=9),
    ]

    for index in order:
        await deliver(scheduler.transactions, router, outcomes[index])

    occurrence = await the_occurrence(scheduler)
    assert (occurrence.state, occurrence.reports[0].problems) == ("succeeded", ())


async def test_items_that_failed_make_it_partial(scheduler: Scheduler) -> None:
    identity = await an_occurrence(scheduler)
    outcome = an_outcome(
        identity, state="partial", counts={"created": 28, "failed": 1}, problems=("lease 7: no rent",)
    )

    await deliver(scheduler.transactions, router, outcome)

    occurrence = await the_occurrence(scheduler)
    assert occurrence.state == "partial"
    assert occurrence.reports[0].problems == ("lease 7: no rent",)


async def test_a_consumer_nobody_expected_is_kept_but_does_not_settle_it(scheduler: Scheduler) -> None:
    identity = await an_occurrence(scheduler)

    await deliver(scheduler.transactions, router, an_outcome(identity, consumer="rewards"))

    occurrence = await the_occurrence(scheduler)
    assert (occurrence.state, occurrence.unanswered) == ("waiting", ("billing",))


async def test_an_outcome_of_an_unknown_occurrence_is_done_with(scheduler: Scheduler) -> None:
    assert await deliver(scheduler.transactions, router, an_outcome(new_id())) == "done"
    assert await count_rows(scheduler.transactions, occurrences) == 0
