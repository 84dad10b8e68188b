"""Runs: the work of a trigger, split into chunks that replicas share, and its outcome, said once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from services.billing.store import RunStore
from services.billing.store.runs import Run
from shared.contracts.base import Command, Trigger
from shared.contracts.scheduler import TriggerOutcome
from shared.messaging.transaction import Tx
from shared.runs import MOST_PROBLEMS, started

T = TypeVar("T")

CHUNK = 500
"""How many items one command is about: enough for set-based SQL, few enough to share among replicas."""


def chunked(items: Sequence[T]) -> list[Sequence[T]]:
    """The work in pieces of `CHUNK`."""
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def chosen_zones(names: Iterable[str], only: str | None) -> list[str]:
    """The zones that a run is about: all there are, or the one that somebody names."""
    return [name for name in names if only in {None, name}]


async def fan_out(
    tx: Tx,
    due: Trigger,
    orders: Sequence[Command],
    *,
    examined: int,
    skipped: int = 0,
    problems: Sequence[str] = (),
) -> None:
    """Open the run of a trigger and give out its chunks; a run without any is over at once.

    A dry run gives out nothing. The same occurrence under another message opens no second run.
    """
    given = () if due.dry_run else orders
    run = Run(
        run_id=due.occurrence_id,
        trigger=due.topic,
        as_of=due.as_of,
        chunks_expected=len(given),
        examined=examined,
        skipped=skipped,
        failed=len(problems),
        problems=tuple(problems[:MOST_PROBLEMS]),
        started_at=tx.at,
        finished_at=None if given else tx.at,
    )
    if not await RunStore(tx.connection).open(run):
        return
    tx.emit(*given)
    if run.finished:
        tx.emit(_outcome(run, tx.at))
    else:
        tx.emit(started(run, "billing", tx.at))


async def finish_chunk(tx: Tx, run_id: UUID, *, created: int, skipped: int, problems: Sequence[str]) -> None:
    """Count a chunk as done; the one that completes the run reports it, once."""
    run = await RunStore(tx.connection).finish_chunk(
        run_id, created=created, skipped=skipped, problems=problems, at=tx.at
    )
    if run is not None and run.finished:
        tx.emit(_outcome(run, tx.at))


def _outcome(run: Run, at: datetime) -> TriggerOutcome:
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
