"""Messages that could not be handled, kept in the service's own database until somebody decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.identity import new_id
from shared.messaging.envelope import ATTEMPT_HEADER, Delivery, Envelope
from shared.messaging.tables import dead_letters

Reason = Literal["unreadable", "defect", "retries_exhausted", "delivery_limit"]
Resolution = Literal["replayed", "discarded"]

LONGEST_ERROR: Final = 4_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message, why it was buried, and what became of it."""

    id: UUID
    queue: str
    message_id: str
    topic: str
    correlation_id: str | None
    headers: dict[str, Any]
    body: bytes
    reason: str
    error: str
    attempts: int
    first_failed_at: datetime
    died_at: datetime
    state: str = "open"
    resolved_at: datetime | None = None
    resolution: str | None = None

    @property
    def consumer(self) -> str:
        """The service whose queue it was in."""
        return self.queue.partition(".")[0]


def new_dead_letter(
    delivery: Delivery, *, queue: str, reason: Reason, error: str, envelope: Envelope | None, at: datetime
) -> DeadLetter:
    """A dead letter with an id of its own; a message without any id is given that one."""
    identity = new_id()
    return DeadLetter(
        id=identity,
        queue=queue,
        message_id=_storable(delivery.message_id or str(identity)),
        topic=queue.partition(".")[2],
        correlation_id=_storable(delivery.correlation_id) if delivery.correlation_id else None,
        headers={
            _storable(name): _storable(value) for name, value in delivery.headers.items() if value is not None
        },
        body=delivery.body,
        reason=reason,
        error=_storable(error)[:LONGEST_ERROR],
        attempts=envelope.attempt if envelope else 1,
        first_failed_at=(envelope.first_failed_at if envelope else None) or at,
        died_at=at,
    )


def _storable(value: object) -> str:
    """As text that PostgreSQL keeps: it takes no NUL."""
    return str(value).replace("\x00", "\N{REPLACEMENT CHARACTER}")


def delivery_of(letter: DeadLetter) -> Delivery:
    """A dead letter as the message it was."""
    return Delivery(
        body=letter.body,
        message_id=letter.message_id,
        topic=letter.topic,
        correlation_id=letter.correlation_id,
        headers={name: value for name, value in letter.headers.items() if name != ATTEMPT_HEADER},
    )


async def bury(connection: AsyncConnection, letter: DeadLetter) -> UUID:
    """Keep a dead letter; the same message buried again while open is updated, not doubled.

    Returns the id it is kept under: that of the first time.
    """
    row = {name: getattr(letter, name) for name in DeadLetter.__dataclass_fields__}
    statement = insert(dead_letters).values(row)
    kept: UUID = await connection.scalar(
        statement.on_conflict_do_update(
            index_elements=["queue", "message_id"],
            # Spelled out: as a parameter it would not match the partial index in a generic plan.
            index_where=sa.text("state = 'open'"),
            set_={
                "reason": letter.reason,
                "error": letter.error,
                "attempts": letter.attempts,
                "died_at": letter.died_at,
            },
        ).returning(dead_letters.c.id)
    )
    return kept


async def list_dead_letters(
    connection: AsyncConnection, *, state: str | None = "open", limit: int = 1_000
) -> list[DeadLetter]:
    """The newest dead letters of a service, those still open unless told otherwise."""
    query = sa.select(dead_letters).order_by(dead_letters.c.died_at.desc()).limit(limit)
    if state is not None:
        query = query.where(dead_letters.c.state == state)
    return [DeadLetter(**row) for row in (await connection.execute(query)).mappings()]


async def find_dead_letter(connection: AsyncConnection, identity: UUID) -> DeadLetter | None:
    """One dead letter, locked so that two operators cannot resolve it at once."""
    query = sa.select(dead_letters).where(dead_letters.c.id == identity).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return DeadLetter(**row) if row else None


async def resolve(
    connection: AsyncConnection,
    identities: Sequence[UUID],
    *,
    state: Resolution,
    resolution: str,
    at: datetime,
) -> None:
    """Record what somebody decided about dead letters."""
    await connection.execute(
        sa.update(dead_letters)
        .where(dead_letters.c.id.in_(identities))
        .values(state=state, resolution=resolution, resolved_at=at)
    )


async def count_open(connection: AsyncConnection) -> int:
    """How many nobody has decided about."""
    query = sa.select(sa.func.count()).select_from(dead_letters).where(dead_letters.c.state == "open")
    return int(await connection.scalar(query) or 0)
