"""What the scheduler is told of a run."""

from datetime import datetime

from services.billing.store.runs import Run
from shared.contracts.scheduler import TriggerOutcome


def outcome_of(run: Run, at: datetime) -> TriggerOutcome:
    """What the scheduler is told when a run is complete."""
    state = "succeeded" if run.failed == 0 else "partial" if run.created or run.skipped else "failed"
    return TriggerOutcome(
        occurrence_id=run.run_id,
        trigger=run.trigger,
        consumer="billing",
        state=state,
        counts=run.counts,
        problems=run.problems,
        finished_at=at,
    )
