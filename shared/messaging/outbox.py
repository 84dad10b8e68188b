"""What waits to be published, at a glance: for whoever watches over a service."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.tables import outbox


@dataclass(frozen=True, slots=True)
class Waiting:
    """An outbox as it stands."""

    count: int
    oldest_at: datetime | None
    oldest_untroubled_at: datetime | None
    """Of those that nothing is known to be wrong with: the relay has yet to try them."""
    unroutable: int
    """How many have to be heard, and no queue takes them."""


async def waiting(connection: AsyncConnection) -> Waiting:
    """What waits in a service's outbox, by one statement."""
    since = sa.func.min(outbox.c.occurred_at)
    query = sa.select(
        sa.func.count(),
        since,
        since.filter(outbox.c.last_error.is_(None)),
        sa.func.count(outbox.c.last_error).filter(outbox.c.must_be_heard),
    )
    return Waiting(*(await connection.execute(query)).one())
