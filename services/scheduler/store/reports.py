"""What services say of themselves, and what waits in their queues."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.domain.services import Backlog, Reported
from services.scheduler.schema import backlogs, service_reports

_KEEP: Final = insert(service_reports)


class ReportStore:
    """The last word of each service, over one open connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, report: Reported) -> None:
        """Keep what a service said; what is older than what is known changes nothing."""
        values = asdict(report) | {"queues": list(report.queues)}
        statement = _KEEP.on_conflict_do_update(
            index_elements=["service"],
            set_={name: _KEEP.excluded[name] for name in values if name != "service"},
            where=service_reports.c.said_at < _KEEP.excluded.said_at,
        )
        await self._connection.execute(statement, values)

    async def all(self) -> list[Reported]:
        """What each service said last, by its name."""
        query = sa.select(service_reports).order_by(service_reports.c.service)
        rows = (await self._connection.execute(query)).mappings()
        return [Reported(**{**row, "queues": tuple(row["queues"])}) for row in rows]

    async def forget(self, service: str) -> bool:
        """Expect nothing of a service any more; False where nothing was expected."""
        statement = sa.delete(service_reports).where(service_reports.c.service == service)
        gone = await self._connection.execute(statement.returning(service_reports.c.service))
        return gone.first() is not None

    async def backlogs(self) -> dict[str, Backlog]:
        """What waited in the queues at the last look, by queue."""
        rows = (await self._connection.execute(sa.select(backlogs))).mappings()
        return {row["queue"]: Backlog(**row) for row in rows}

    async def put_backlogs(self, found: Mapping[str, Backlog]) -> None:
        """Keep what waits now, and nothing else."""
        await self._connection.execute(sa.delete(backlogs))
        if found:
            await self._connection.execute(sa.insert(backlogs), [asdict(one) for one in found.values()])
