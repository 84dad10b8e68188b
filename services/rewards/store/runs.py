"""Runs: how many chunks a trigger was split into, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.schema import runs
from shared.runs import RunTable

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


_RUNS: Final = RunTable(runs, Run)


class RunStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, run: Run) -> bool:
        """Begin a run; False where it was begun before."""
        return await _RUNS.begin(self._connection, run)

    async def finish_chunk(
        self, run_id: UUID, *, counts: Mapping[str, int], problems: Sequence[str], at: datetime
    ) -> Run | None:
        """Count one chunk as done; the run as it then stands, or None for work outside a run."""
        return await _RUNS.count(
            self._connection,
            run_id,
            counts={name: counts.get(name, 0) for name in COUNTED},
            problems=problems,
            at=at,
        )

    async def find(self, run_id: UUID) -> Run | None:
        """One run."""
        return await _RUNS.find(self._connection, run_id)
