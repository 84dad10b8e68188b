"""A range of instants that is filled, so many at a time, and how far that has come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Backfill:
    """What somebody asked for; its runs carry its id as their `seq`."""

    id: UUID
    schedule_id: UUID | None
    schedule_key: str
    max_in_flight: int
    """So many of its runs are under way at a time; the next one is announced when one is over."""
    requested_by: str | None
    created_at: datetime
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of its runs are how far."""

    queued: int = 0
    under_way: int = 0
    succeeded: int = 0
    failed: int = 0
    left_out: int = 0

    @property
    def total(self) -> int:
        """All of them that are still in the history."""
        return self.queued + self.under_way + self.succeeded + self.failed + self.left_out

    def state(self, backfill: Backfill) -> Literal["running", "cancelled", "done"]:
        """Whether anything is to be expected of it."""
        if self.queued or self.under_way:
            return "running"
        return "cancelled" if backfill.cancelled_at is not None else "done"
