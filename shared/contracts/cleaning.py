"""What every service says to itself while it cleans up; each has a `CleanUp` of its own, made of this."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Instant, RunStep


class CleaningStep(RunStep):
    """Go on cleaning up where the last step ended: one step is one transaction of bounded size."""

    occurrence_id: UUID
    """The `CleanupDue` this is a part of."""
    as_of: Instant
    older_than_days: int
    failures_only: bool = False
    dry_run: bool = False
    step: int
    """Counts from 1; a step that comes twice is the same step."""
    sweep: str
    """The kind of rows that is next."""
    after: tuple[str, ...] = ()
    """The key of the last row that was looked at, as text; nothing means from the first."""
    parts: dict[str, dict[str, int]] = Field(default_factory=dict)
    """What the steps before came to, of each kind."""
