"""Runs: the work of a trigger, split into chunks that replicas share, and its outcome, said once."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from services.billing.store import RunStore
from services.billing.store.runs import Run
from shared.contracts.base import Command, Trigger
from shared.contracts.scheduler import TriggerOutcome
from shared.messaging.transaction import Tx
from shared.runs import MOST_PROBLEMS, started

T = TypeVar("T")
C = TypeVar("C", bound=Command)

CHUNK = 500
"""How many items one command is about: enough for set-based SQL, few enough to share among replicas."""


@dataclass(frozen=True, slots=True)
class Planned(Generic[C]):
    """The work of a trigger: its chunks, and what is known before any of them is done."""

    orders: Sequence[C]
    examined: int
    skipped: int = 0
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of a chunk."""

    created: int
    skipped: int
    problems: Sequence[str] = ()


Work = Callable[[C, Tx], Awaitable[Worked]]
"""Does one chunk."""


def chunked(items: Sequence[T]) -> list[Sequence[T]]:
    """The work in pieces of `CHUNK`."""
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def chosen_zones(names: Iterable[str], only: str | None) -> list[str]:
    """The zones that a run is about: all there are, or the one that somebody names."""
    return [name for name in names if only in {None, name}]


async def fan_out(tx: Tx, due: Trigger, planned: Planned[C], work: Work[C]) -> None:
    """Open the run of a trigger and give out its chunks; a run without any is over at once.

    A dry run gives out nothing: it does each chunk here, and takes it back. The same occurrence under another
    message opens no second run.
    """
    tried = await _rehearse(tx, planned.orders, work) if due.dry_run else []
    given = () if due.dry_run else planned.orders
    problems = [*planned.problems, *(problem for done in tried for problem in done.problems)]
    run = Run(
        run_id=due.occurrence_id,
        trigger=due.topic,
        as_of=due.as_of,
        chunks_expected=len(given),
        examined=planned.examined,
        created=sum(done.created for done in tried),
        skipped=planned.skipped + sum(done.skipped for done in tried),
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


async def _rehearse(tx: Tx, orders: Sequence[C], work: Work[C]) -> list[Worked]:
    tried = []
    for order in orders:
        async with tx.rehearsal():
            tried.append(await work(order, tx))
    return tried


async def finish_chunk(tx: Tx, run_id: UUID, done: Worked) -> None:
    """Count a chunk as done; the one that completes the run reports it, once."""
    run = await RunStore(tx.connection).finish_chunk(
        run_id, created=done.created, skipped=done.skipped, problems=done.problems, at=tx.at
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
