"""The row of a run: how many pieces of work a trigger was split into, and what came of them.

A service has a table of its own and a dataclass of its own, because each counts other things. What is the
same in all is here: a run begins once, each piece is counted by one statement, and the piece that completes
it sees that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import RunStep, Trigger, message_types
from shared.contracts.scheduler import TriggerOutcome, TriggerStarted
from shared.messaging.dead_letters import DeadLetter, delivery_of
from shared.messaging.envelope import Unreadable, read_envelope

R = TypeVar("R")


class Begun(Protocol):
    """A run that has pieces of work to come."""

    @property
    def run_id(self) -> UUID:
        """The occurrence it is of."""

    @property
    def trigger(self) -> str:
        """The trigger's topic."""


MOST_PROBLEMS: Final = 20
"""How many reasons a run keeps; the count is of all."""


def started(run: Begun, consumer: str, at: datetime) -> TriggerStarted:
    """What a consumer says of a run that is not over at once, for start deadlines."""
    return TriggerStarted(occurrence_id=run.run_id, trigger=run.trigger, consumer=consumer, started_at=at)


def given_up(letter: DeadLetter) -> TriggerOutcome | None:
    """What a consumer says of an occurrence when a message of its work became a dead letter: it failed.

    None where the message belongs to no run. A replay that completes the work says its own outcome, which is
    newer. Says no more of the error than its type: what it tells may be about people.
    """
    contract = next((item for item in message_types() if item.topic == letter.topic), None)
    if contract is None or not issubclass(contract, (Trigger, RunStep)):
        return None
    try:
        run_id = UUID(read_envelope(delivery_of(letter)).subject)
    except (Unreadable, ValueError):
        return None
    error = letter.error.partition(":")[0]
    problem = f"a message could not be handled ({error}): dead letter {letter.id}"
    return TriggerOutcome(
        occurrence_id=run_id,
        trigger=contract.topic if issubclass(contract, Trigger) else "",
        consumer=letter.consumer,
        state="failed",
        problems=(problem,),
        finished_at=letter.died_at,
    )


@dataclass(frozen=True, slots=True)
class RunTable(Generic[R]):
    """A service's table of runs, whose columns are called as the fields of its dataclass."""

    table: sa.Table
    kind: type[R]
    done: str = "chunks_done"
    expected: str = "chunks_expected"

    async def begin(self, connection: AsyncConnection, run: R) -> bool:
        """Keep a run that begins; False where it was begun before."""
        row = {name: getattr(run, name) for name in self._names}
        statement = (
            insert(self.table)
            .values(row | {"problems": list(row["problems"])})
            .on_conflict_do_nothing()
            .returning(self.table.c.run_id)
        )
        return await connection.scalar(statement) is not None

    async def count(
        self,
        connection: AsyncConnection,
        run_id: UUID,
        *,
        counts: Mapping[str, int],
        problems: Sequence[str],
        at: datetime,
    ) -> R | None:
        """Count one piece as done; the run as it then stands, or None for work outside a run.

        `counts` goes onto the columns of these names.
        """
        columns = self.table.c
        done = columns[self.done] + 1
        kept = (columns.problems + sa.cast(list(problems), columns.problems.type))[1:MOST_PROBLEMS]
        changes = {
            self.done: done,
            "failed": columns.failed + len(problems),
            "problems": kept,
            "finished_at": sa.case((done >= columns[self.expected], sa.literal(at)), else_=None),
        }
        statement = (
            sa.update(self.table)
            .where(columns.run_id == run_id)
            .values(changes | {name: columns[name] + count for name, count in counts.items()})
            .returning(self.table)
        )
        row = (await connection.execute(statement)).one_or_none()
        return self.read(row) if row else None

    async def find(self, connection: AsyncConnection, run_id: UUID) -> R | None:
        """One run."""
        statement = sa.select(self.table).where(self.table.c.run_id == run_id)
        row = (await connection.execute(statement)).one_or_none()
        return self.read(row) if row else None

    def read(self, row: sa.Row[Any]) -> R:
        """A row as the service's own dataclass."""
        values = {name: getattr(row, name) for name in self._names}
        return self.kind(**values | {"problems": tuple(values["problems"])})

    @property
    def _names(self) -> list[str]:
        return [field.name for field in fields(self.kind)]  # type: ignore[arg-type]
