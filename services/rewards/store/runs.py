"""Runs: how many chunks a trigger was split into, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.schema import runs

MOST_PROBLEMS: Final = 20
"""How many reasons a run keeps; the count is of all."""

COUNTED: Final = ("granted", "revoked", "redeemed")
"""What chunks add up to."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands."""

    run_id: UUID
    trigger: str
    as_of: datetime
    chunks_expected: int
    examined: int
    started_at: datetime
    finished_at: datetime | None
    chunks_done: int = 0
    granted: int = 0
    revoked: int = 0
    redeemed: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every chunk has been worked off."""
        return self.chunks_done >= self.chunks_expected

    @property
    def counts(self) -> dict[str, int]:
        """What an outcome reports."""
        return {
            "examined": self.examined,
            "granted": self.granted,
            "revoked": self.revoked,
            "redeemed": self.redeemed,
            "failed": self.failed,
        }


class RunStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, run: Run) -> bool:
        """Begin a run; False where it was begun before."""
        row = {name: getattr(run, name) for name in Run.__dataclass_fields__}
        statement = (
            insert(runs)
            .values(row | {"problems": list(run.problems)})
            .on_conflict_do_nothing()
            .returning(runs.c.run_id)
        )
        return await self._connection.scalar(statement) is not None

    async def finish_chunk(
        self, run_id: UUID, *, counts: Mapping[str, int], problems: Sequence[str], at: datetime
    ) -> Run | None:
        """Count one chunk as done; the run as it then stands, or None for work outside a run."""
        statement = (
            sa.update(runs)
            .where(runs.c.run_id == run_id)
            .values(
                chunks_done=runs.c.chunks_done + 1,
                **{name: runs.c[name] + counts.get(name, 0) for name in COUNTED},
                failed=runs.c.failed + len(problems),
                problems=(runs.c.problems + sa.cast(list(problems), runs.c.problems.type))[1:MOST_PROBLEMS],
                finished_at=sa.case(
                    (runs.c.chunks_done + 1 >= runs.c.chunks_expected, sa.literal(at)), else_=None
                ),
            )
            .returning(runs)
        )
        row = (await self._connection.execute(statement)).one_or_none()
        return _run(row) if row else None

    async def find(self, run_id: UUID) -> Run | None:
        """One run."""
        row = (await self._connection.execute(sa.select(runs).where(runs.c.run_id == run_id))).one_or_none()
        return _run(row) if row else None


def _run(row: sa.Row[tuple[object, ...]]) -> Run:
    values = {name: getattr(row, name) for name in Run.__dataclass_fields__}
    return Run(**values | {"problems": tuple(values["problems"])})
