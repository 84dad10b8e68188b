"""Leaving the work to the running service: a trigger by hand, for `--enqueue`."""

from typing import Any

from shared.cli import json_wanted, print_json, success
from shared.contracts.base import Trigger
from shared.identity import new_id
from shared.messaging.transaction import Transactions, command_envelope


async def enqueue(transactions: Transactions, trigger: type[Trigger], **asked: Any) -> None:
    """Publish a trigger as if its time had come, and say by which id its outcome is found."""
    occurrence = new_id()
    async with transactions.begin(command_envelope("billing.enqueue", occurrence)) as tx:
        due = trigger.model_validate(
            {
                "occurrence_id": occurrence,
                "schedule_key": "billing-command",
                "as_of": tx.at,
                "origin": "manual",
            }
            | asked
        )
        tx.emit(due, message_id=occurrence)
    if json_wanted():
        print_json({"occurrence_id": occurrence, "enqueued": True})
    success(f"{trigger.__name__} is enqueued as {occurrence}; the running billing service does the rest.")
