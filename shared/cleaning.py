"""Cleaning up, the same in every service: `CleanupDue` comes, history goes, the outcome says how much.

A service gives the list of what may go (`Sweep`), its SQL in its own store. What every database has,
inbox, dead letters and heartbeats, is added here. One message is one step of bounded size, and says to
itself where the next one begins: nothing is locked for long, a crash loses no more than a step, and the
replicas share the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from shared import heartbeats
from shared.contracts.cleaning import CleaningStep
from shared.contracts.scheduler import CleanupDue, TriggerOutcome
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.tables import dead_letters, inbox
from shared.messaging.transaction import Tx
from shared.sweeping import Sweep, Wanted, walk

HORIZON: Final = timedelta(days=30)
"""For so long a message may come again: by the broker, by the relay after a restart, from an export that
somebody puts back. The inbox knows it for at least as long, whatever anybody asks for."""

ROWS_A_STEP: Final = 10_000
"""How many rows one transaction looks at."""

_OPEN_LETTER: Final = sa.exists().where(
    dead_letters.c.state == "open", dead_letters.c.message_id == sa.cast(inbox.c.message_id, sa.Text)
)

EVERYWHERE: Final = (
    Sweep(
        kind="inbox",
        table=inbox,
        old=lambda before: inbox.c.processed_at < before,
        # One copy was handled and another is buried: a replay of that must still be known.
        needed=lambda _before: _OPEN_LETTER,
        floor=HORIZON,
    ),
    Sweep(
        kind="dead letters",
        table=dead_letters,
        old=lambda before: dead_letters.c.died_at < before,
        needed=lambda before: sa.or_(
            dead_letters.c.state == "open", sa.func.coalesce(dead_letters.c.resolved_at >= before, sa.true())
        ),
        failure=sa.true(),
    ),
    Sweep(
        kind="heartbeats",
        table=heartbeats.instances,
        old=lambda before: heartbeats.instances.c.seen_at < before,
    ),
)
"""What every service's database has."""


def sweep_of_runs(runs: sa.Table) -> Sweep:
    """For a service that keeps runs (`shared.runs`): those that were done with before."""
    return Sweep(
        kind="runs",
        table=runs,
        old=lambda before: runs.c.started_at < before,
        needed=lambda before: sa.func.coalesce(runs.c.finished_at >= before, sa.true()),
        failure=runs.c.failed > 0,
        # The run's row is what keeps a trigger that comes again from being worked off again.
        floor=HORIZON,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """How one service cleans up."""

    service: str
    step: type[CleaningStep]
    sweeps: tuple[Sweep, ...]
    rows_a_step: int

    async def go_on(self, order: CleaningStep, tx: Tx) -> None:
        """One step, from where the last one ended; then the next, or the outcome."""
        parts = {kind: dict(counts) for kind, counts in order.parts.items()}
        left, kind, after = self.rows_a_step, order.sweep, order.after
        for place in range(self._place(kind), len(self.sweeps)):
            sweep = self.sweeps[place]
            if sweep.kind != kind:
                kind, after = sweep.kind, ()
            if order.failures_only and sweep.failure is None:
                continue
            step = await walk(
                tx.connection,
                sweep,
                Wanted(_before(order, sweep, tx.at), order.failures_only, order.dry_run),
                after=after,
                most=left,
            )
            _add(parts, kind, step.examined, step.removed)
            left -= step.looked_at
            if step.last is not None:
                return self._say_next(tx, order, parts, kind, step.last)
        return self._say_outcome(tx, order, parts)

    def first(self, due: CleanupDue) -> CleaningStep:
        """The step that a trigger begins with."""
        return self.step(
            occurrence_id=due.occurrence_id,
            as_of=due.as_of,
            older_than_days=due.older_than_days,
            failures_only=due.failures_only,
            dry_run=due.dry_run,
            step=1,
            sweep=self.sweeps[0].kind,
        )

    def _place(self, kind: str) -> int:
        return next(place for place, sweep in enumerate(self.sweeps) if sweep.kind == kind)

    def _say_next(
        self, tx: Tx, order: CleaningStep, parts: dict[str, dict[str, int]], kind: str, after: tuple[str, ...]
    ) -> None:
        changed: dict[str, Any] = {"step": order.step + 1, "sweep": kind, "after": after, "parts": parts}
        following = order.model_copy(update=changed)
        # Whoever takes a trigger twice says the same next step twice, and that is one message.
        tx.emit(following, message_id=derived_id(order.occurrence_id, self.service, following.step))

    def _say_outcome(self, tx: Tx, order: CleaningStep, parts: dict[str, dict[str, int]]) -> None:
        names: tuple[Literal["examined", "removed", "kept"], ...] = ("examined", "removed", "kept")
        tx.emit(
            TriggerOutcome(
                occurrence_id=order.occurrence_id,
                trigger=CleanupDue.topic,
                consumer=self.service,
                state="succeeded",
                counts={name: sum(part[name] for part in parts.values()) for name in names},
                parts=parts,
                finished_at=tx.at,
            )
        )


def cleaning_router(
    service: str, step: type[CleaningStep], sweeps: Sequence[Sweep] = (), *, rows_a_step: int = ROWS_A_STEP
) -> Router:
    """The handlers by which a service takes part in `CleanupDue`; `step` is its own `CleanUp`."""
    job = _Job(service, step, (*EVERYWHERE, *sweeps), rows_a_step)
    router = Router(service)

    @router.on(CleanupDue, prefetch=1)
    async def begin_cleaning(due: CleanupDue, tx: Tx) -> None:
        """Take the first step; in a small database it is the only one."""
        await job.go_on(job.first(due), tx)

    @router.on(step, prefetch=1)
    async def go_on_cleaning(order: CleaningStep, tx: Tx) -> None:
        """Take one more step."""
        await job.go_on(order, tx)

    return router


def _before(order: CleaningStep, sweep: Sweep, now: datetime) -> datetime:
    """What is older may go; a run for a moment that is yet to come takes no more than one of now."""
    return min(min(order.as_of, now) - timedelta(days=order.older_than_days), now - sweep.floor)


def _add(parts: dict[str, dict[str, int]], kind: str, examined: int, removed: int) -> None:
    counts = parts.setdefault(kind, {"examined": 0, "removed": 0, "kept": 0})
    counts["examined"] += examined
    counts["removed"] += removed
    counts["kept"] += examined - removed
