"""Cleaning up as a service does it: the trigger, and every step it leads to."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.contracts.scheduler import CleanupDue, TriggerOutcome
from shared.identity import new_id
from shared.messaging.router import Router
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.support.messages import deliver, emitted


async def clean(
    transactions: Transactions, router: Router, at: datetime, **changes: Any
) -> tuple[TriggerOutcome, int]:
    """What a service answers to a cleanup as of a moment, and in how many steps it got there."""
    due = CleanupDue(occurrence_id=new_id(), schedule_key="cleanup", as_of=at, **changes)
    await deliver(transactions, router, due)
    [step] = [item.contract for item in router.subscriptions if item.topic.split(".")[1] == "clean_up"]
    for count in range(1, 100):
        [(topic, said)] = await _taken(transactions)
        if topic == TriggerOutcome.topic:
            return TriggerOutcome.model_validate(said), count
        await deliver(transactions, router, step.model_validate(said))
    raise AssertionError("it never ends")


async def _taken(transactions: Transactions) -> list[tuple[str, dict[str, Any]]]:
    """What a step says of cleaning up, taken out of the outbox; everything else stays there."""
    ours = []
    for topic, said in await emitted(transactions):
        if said.get("trigger") == CleanupDue.topic or topic.split(".")[1] == "clean_up":
            ours.append((topic, said))
    body = sa.cast(sa.func.convert_from(outbox.c.body, "UTF8"), JSONB)
    taken = sa.or_(
        body["trigger"].astext == CleanupDue.topic, sa.func.split_part(outbox.c.topic, ".", 2) == "clean_up"
    )
    async with transactions.engine.begin() as connection:
        await connection.execute(sa.delete(outbox).where(taken))
    return ours
