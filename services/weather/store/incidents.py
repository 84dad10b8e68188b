"""Incidents and every fact that was said of them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.domain.incidents import Change, Incident, Measured, Reason, Told, Words
from services.weather.domain.levels import Category, Level
from services.weather.schema import incident_revisions, incidents

REMEMBERED: Final = timedelta(days=7)
"""How long a closed incident still keeps an old message from opening it again."""

_SAME: Final = (
    "key",
    "key_parts",
    "family",
    "source",
    "event",
    "people_told",
    "opened_at",
    "onset_at",
    "ends_at",
    "expires_at",
    "sent_at",
    "missed",
    "revision",
    "suppressed_by",
    "superseded_by",
    "closed_at",
)


@dataclass(frozen=True, slots=True)
class Said:
    """One fact of an incident's history."""

    revision: int
    kind: str
    level: str
    changes: tuple[str, ...]
    quiet: bool
    reason: str | None
    at: datetime


class IncidentStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_properties(
        self, property_ids: Collection[UUID], now: datetime
    ) -> dict[UUID, list[Incident]]:
        """What is open, or closed lately, at each of these properties."""
        query = (
            sa.select(incidents)
            .where(incidents.c.property_id.in_(property_ids))
            .where(sa.or_(incidents.c.closed_at.is_(None), incidents.c.closed_at > now - REMEMBERED))
            .order_by(incidents.c.opened_at, incidents.c.incident_id)
        )
        found: dict[UUID, list[Incident]] = {identity: [] for identity in property_ids}
        for row in await self._connection.execute(query):
            found[row.property_id].append(_incident(row))
        return found

    async def save(
        self, property_id: UUID, touched: Sequence[Incident], changes: Sequence[Change], at: datetime
    ) -> None:
        """Write how incidents stand and what was said; a fact that was said before is an error."""
        for incident in touched:
            row = _row(property_id, incident)
            statement = insert(incidents).values(row)
            await self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["incident_id"],
                    set_={name: statement.excluded[name] for name in row if name != "incident_id"},
                )
            )
        if changes:
            rows = [_revision(item, at) for item in changes]
            await self._connection.execute(sa.insert(incident_revisions).values(rows))

    async def find(self, incident_id: UUID) -> tuple[UUID, Incident] | None:
        """One incident with its property."""
        query = sa.select(incidents).where(incidents.c.incident_id == incident_id)
        row = (await self._connection.execute(query)).one_or_none()
        return (row.property_id, _incident(row)) if row else None

    async def search(
        self, *, property_id: UUID | None, only_open: bool, limit: int
    ) -> list[tuple[UUID, Incident]]:
        """Incidents, the newest first."""
        query = sa.select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.incident_id)
        if property_id is not None:
            query = query.where(incidents.c.property_id == property_id)
        if only_open:
            query = query.where(incidents.c.closed_at.is_(None))
        rows = await self._connection.execute(query.limit(limit))
        return [(row.property_id, _incident(row)) for row in rows]

    async def history(self, incident_id: UUID) -> list[Said]:
        """What was said of an incident, in order."""
        query = (
            sa.select(incident_revisions)
            .where(incident_revisions.c.incident_id == incident_id)
            .order_by(incident_revisions.c.revision)
        )
        return [
            Said(row.revision, row.kind, row.level, tuple(row.changes), row.quiet, row.reason, row.at)
            for row in await self._connection.execute(query)
        ]


def _row(property_id: UUID, incident: Incident) -> dict[str, Any]:
    row = {name: getattr(incident, name) for name in _SAME}
    return row | {
        "incident_id": incident.id,
        "property_id": property_id,
        "category": incident.category.value,
        "level": incident.level.word,
        "words": asdict(incident.words),
        "measured": asdict(incident.measured) if incident.measured else None,
        "told": _told_row(incident.told),
        "seen": sorted(incident.seen),
        "reason": incident.reason.value if incident.reason else None,
    }


def _told_row(told: Told | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "level": told.level.word,
        "onset_at": told.onset_at.isoformat() if told.onset_at else None,
        "ends_at": told.ends_at.isoformat() if told.ends_at else None,
    }


def _revision(change: Change, at: datetime) -> dict[str, Any]:
    reason = change.incident.reason
    return {
        "incident_id": change.incident.id,
        "revision": change.incident.revision,
        "kind": change.kind.value,
        "level": change.incident.level.word,
        "changes": list(change.changes),
        "quiet": change.quiet,
        "reason": reason.value if reason else None,
        "at": at,
    }


def _incident(row: Any) -> Incident:
    values = {name: getattr(row, name) for name in _SAME}
    return Incident(
        id=row.incident_id,
        category=Category(row.category),
        level=Level.of(row.level),
        words=Words(**row.words),
        measured=Measured(**row.measured) if row.measured else None,
        told=_told(row.told),
        seen=frozenset(row.seen),
        reason=Reason(row.reason) if row.reason else None,
        **values,
    )


def _told(found: dict[str, Any] | None) -> Told | None:
    if found is None:
        return None
    onset, ends = (found[name] and datetime.fromisoformat(found[name]) for name in ("onset_at", "ends_at"))
    return Told(Level.of(found["level"]), onset, ends)
