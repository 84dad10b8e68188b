"""What is to be asked, and the runs that asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.schema import checks, runs
from shared.db import columnar, insert_rows
from shared.runs import RunTable

_COLUMNS: Final = (
    "location_id",
    "check",
    "run_id",
    "property_id",
    "cold",
    "requested_at",
    "correlation_id",
)
_INSERT: Final = insert_rows(checks, _COLUMNS).on_conflict_do_nothing().returning(checks.c.location_id)


@dataclass(frozen=True, slots=True)
class Check:
    """One question about one place."""

    location_id: UUID
    check: str
    run_id: UUID
    property_id: UUID | None
    cold: bool
    requested_at: datetime
    correlation_id: UUID
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """What a trigger asked for, and how far it is."""

    run_id: UUID
    trigger: str
    check: str
    as_of: datetime
    expected: int
    skipped: int
    started_at: datetime
    finished_at: datetime | None
    done: int = 0
    raised: int = 0
    updated: int = 0
    cleared: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every place has been asked about."""
        return self.done >= self.expected

    @property
    def counts(self) -> dict[str, int]:
        """What an outcome reports; places are examined, incidents raised."""
        return {
            "examined": self.expected + self.skipped,
            "raised": self.raised,
            "updated": self.updated,
            "cleared": self.cleared,
            "skipped": self.skipped,
            "failed": self.failed,
        }


_RUNS: Final = RunTable(runs, Run, done="done", expected="expected")


@dataclass(frozen=True, slots=True)
class Tally:
    """What one check came to."""

    raised: int = 0
    updated: int = 0
    cleared: int = 0
    problem: str | None = None


class CheckStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def request(self, wanted: Sequence[Check]) -> int:
        """Queue questions; one that is still to be asked is not asked twice. How many were queued."""
        rows = [{name: getattr(item, name) for name in _COLUMNS} for item in wanted]
        return len(list(await self._connection.scalars(_INSERT, columnar(rows, _COLUMNS)))) if rows else 0

    async def take_next(self, now: datetime, lease: timedelta) -> Check | None:
        """Take the question that has waited longest, alerts first, for a while; None when there is none."""
        free = (
            sa.select(checks.c.location_id, checks.c.check)
            .where(sa.or_(checks.c.taken_until.is_(None), checks.c.taken_until < now))
            .order_by(checks.c.check, checks.c.requested_at, checks.c.location_id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .cte("free")
        )
        statement = (
            sa.update(checks)
            .where(checks.c.location_id == free.c.location_id, checks.c.check == free.c.check)
            .values(taken_until=now + lease, attempts=checks.c.attempts + 1)
            .returning(*(checks.c[name] for name in (*_COLUMNS, "attempts")))
        )
        row = (await self._connection.execute(statement)).one_or_none()
        return Check(*row) if row else None

    async def finish(self, check: Check) -> bool:
        """Strike a question off; False where somebody else had done it."""
        statement = (
            sa.delete(checks)
            .where(checks.c.location_id == check.location_id, checks.c.check == check.check)
            .where(checks.c.run_id == check.run_id)
            .returning(checks.c.location_id)
        )
        return await self._connection.scalar(statement) is not None

    async def renew(self, check: Check, until: datetime) -> None:
        """Hold a question for longer, where nobody else took it meanwhile."""
        await self._connection.execute(
            sa.update(checks)
            .where(checks.c.location_id == check.location_id, checks.c.check == check.check)
            .where(checks.c.run_id == check.run_id, checks.c.attempts == check.attempts)
            .values(taken_until=until)
        )

    async def release(self, check: Check) -> None:
        """Give a question back that was not asked after all."""
        await self._connection.execute(
            sa.update(checks)
            .where(checks.c.location_id == check.location_id, checks.c.check == check.check)
            .where(checks.c.run_id == check.run_id)
            .values(taken_until=None, attempts=checks.c.attempts - 1)
        )

    async def waiting(self) -> int:
        """How many questions are still to be asked."""
        return int(await self._connection.scalar(sa.select(sa.func.count()).select_from(checks)) or 0)

    async def open_run(self, run: Run) -> bool:
        """Begin a run; False where it was begun before."""
        return await _RUNS.begin(self._connection, run)

    async def count(self, run_id: UUID, tally: Tally, at: datetime) -> Run | None:
        """Count one check of a run as done; the run as it then stands, or None for work outside a run."""
        return await _RUNS.count(
            self._connection,
            run_id,
            counts={"raised": tally.raised, "updated": tally.updated, "cleared": tally.cleared},
            problems=[tally.problem] if tally.problem else [],
            at=at,
        )

    async def set_expected(
        self, run_id: UUID, queued: int, skipped: int, finished_at: datetime | None
    ) -> Run:
        """Say how much of a run was queued."""
        statement = (
            sa.update(runs)
            .where(runs.c.run_id == run_id)
            .values(expected=queued, skipped=skipped, finished_at=finished_at)
            .returning(runs)
        )
        return _RUNS.read((await self._connection.execute(statement)).one())

    async def prune_runs(self, before: datetime) -> None:
        """Forget runs that finished long ago; the scheduler has their outcomes."""
        await self._connection.execute(sa.delete(runs).where(runs.c.finished_at < before))

    async def run(self, run_id: UUID) -> Run | None:
        """One run."""
        return await _RUNS.find(self._connection, run_id)
