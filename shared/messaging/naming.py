"""The names of exchanges and queues. No other place spells one out."""

from typing import Final

from shared.contracts.base import Message

EVENTS: Final = "propman.events"
"""The one topic exchange every message enters by."""

DEAD: Final = "propman.dead"
"""Where the broker itself puts what it gave up on (the delivery limit)."""

RETRY_SECONDS: Final = (5, 30, 300, 1_800, 14_400)
"""The rungs of the retry ladder, in seconds."""


def queue_for(consumer: str, contract: type[Message]) -> str:
    """The queue of one consumer for one message: `notifications.billing.invoice_created.v1`."""
    return f"{consumer}.{contract.topic}"


def dead_queue_for(consumer: str) -> str:
    """The queue through which a consumer collects what the broker gave up on."""
    return f"{consumer}.dead"


def retry_name(seconds: int) -> str:
    """The exchange and queue of one rung of the ladder."""
    return f"propman.retry.{seconds}s"
