"""A schedule: what is announced, when, and how a failing one is held back."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

State = Literal["active", "paused", "error"]
"""`error` is active and failing: it is tried again at `retry_at`, alone."""

FIRST_RETRY: Final = timedelta(seconds=5)
LONGEST_RETRY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is announced at which times."""

    id: UUID
    key: str
    trigger: str
    """The trigger's topic."""
    cron: str
    time_zone: str
    state: State
    next_run_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    """The services whose outcome an occurrence waits for."""
    last_run_at: datetime | None = None
    error_count: int = 0
    last_error: str | None = None
    retry_at: datetime | None = None
    spec_version: int = 1


def retry_delay(error_count: int) -> timedelta:
    """How long a schedule rests after failing so many times in a row; a cap keeps it within sight."""
    doublings: int = 2 ** min(error_count - 1, 10)
    return min(FIRST_RETRY * doublings, LONGEST_RETRY)
