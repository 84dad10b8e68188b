"""A schedule: what is announced, when, and how a failing one is held back."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from services.scheduler.domain.rules import Rules

State = Literal["active", "paused", "error", "ended", "archived"]
"""`error` is active and failing: it is tried again at `retry_at`, alone. `ended` is never due again."""

PROPERTY_ZONE: Final = "@property"
"""The zone of a schedule that is due in the zone of each property."""

FIRST_RETRY: Final = timedelta(seconds=5)
LONGEST_RETRY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is announced at which times."""

    id: UUID
    key: str
    trigger: str
    """The trigger's topic."""
    spec: dict[str, Any]
    """When: the document of a timetable, as `specs.read_spec` takes it."""
    state: State
    next_run_at: datetime | None
    """The next nominal instant; None where there is none any more."""
    delay: timedelta = timedelta()
    """By how much jitter puts the next announcement off."""
    rules: Rules = field(default_factory=Rules)
    payload: dict[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    """The services whose outcome an occurrence waits for."""
    runs: int = 0
    """How often it was announced by itself."""
    last_run_at: datetime | None = None
    error_count: int = 0
    last_error: str | None = None
    retry_at: datetime | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    paused_until: datetime | None = None
    spec_version: int = 1
    defined_at: datetime | None = None
    """Since when it is as it is: nothing is due for time before."""
    next_zone: str | None = None
    """Where the next instant is, of one that follows the properties; which zone it is, of its part in one."""

    @property
    def follows_properties(self) -> bool:
        """Whether it is due in the zone of each property, and not in one of its own."""
        return self.spec.get("timezone") == PROPERTY_ZONE

    @property
    def time_zone(self) -> str:
        """The zone its times are meant in; where it follows the properties, that of its next instant."""
        if self.follows_properties:
            return self.next_zone or "UTC"
        return str(self.spec.get("timezone", "UTC"))


def retry_delay(error_count: int) -> timedelta:
    """How long a schedule rests after failing so many times in a row; a cap keeps it within sight."""
    doublings: int = 2 ** min(error_count - 1, 10)
    return min(FIRST_RETRY * doublings, LONGEST_RETRY)
