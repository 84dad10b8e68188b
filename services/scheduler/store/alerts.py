"""Alerts, and all that a watchdog looks at."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.alerts import Alert, Finding
from services.scheduler.schema import alerts
from shared.identity import new_id
from shared.messaging.dead_letters import count_open
from shared.messaging.outbox import waiting

WATCH_LOCK: Final = 7_206_170_003
"""The advisory lock by which one watchdog at a time acts."""

_OPEN: Final = alerts.c.state != "resolved"


class AlertStore:
    """Reads and writes over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take_turn(self) -> bool:
        """Whether no other watchdog is at it; the turn ends with the transaction."""
        return bool(await self._connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(WATCH_LOCK))))

    async def open(self) -> list[Alert]:
        """What is not resolved, oldest first; locked against a person who acknowledges meanwhile."""
        query = sa.select(alerts).where(_OPEN).order_by(alerts.c.raised_at, alerts.c.id).with_for_update()
        return [Alert(**row) for row in (await self._connection.execute(query)).mappings()]

    async def newest(self, *, also_resolved: bool, limit: int) -> list[Alert]:
        """Alerts for people, newest first."""
        query = sa.select(alerts).order_by(alerts.c.raised_at.desc(), alerts.c.id).limit(limit)
        if not also_resolved:
            query = query.where(_OPEN)
        return [Alert(**row) for row in (await self._connection.execute(query)).mappings()]

    async def find(self, identity: UUID, *, lock: bool = False) -> Alert | None:
        """One alert."""
        query = sa.select(alerts).where(alerts.c.id == identity)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).mappings().first()
        return Alert(**row) if row else None

    async def add(self, findings: Sequence[Finding], now: datetime) -> list[Alert]:
        """New alerts, each with an id of its own."""
        made = [
            Alert(
                id=new_id(),
                kind=finding.kind,
                about=finding.about,
                detail=finding.detail,
                state="raised",
                raised_at=now,
                seen_at=now,
            )
            for finding in findings
        ]
        if made:
            await self._connection.execute(sa.insert(alerts), [asdict(alert) for alert in made])
        return made

    async def save(self, changed: Sequence[Alert]) -> None:
        """Keep how alerts stand."""
        for alert in changed:
            values = asdict(alert)
            await self._connection.execute(
                sa.update(alerts).where(alerts.c.id == values.pop("id")).values(values)
            )

    async def database_time(self) -> datetime:
        """What time it is by the database's clock."""
        moment: datetime = (await self._connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
        return moment

    async def dead_letters(self) -> int:
        """How many of the scheduler's own messages nobody has decided about."""
        return await count_open(self._connection)

    async def oldest_in_outbox(self) -> datetime | None:
        """Since when a message waits that nothing is known to be wrong with."""
        return (await waiting(self._connection)).oldest_untroubled_at
