"""Thresholds, how far each category has come at each property, and what was measured and forecast."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.domain.levels import Category, Level
from services.weather.domain.observations import Metric, Sample
from services.weather.domain.thresholds import Threshold
from services.weather.domain.vigils import Vigil
from services.weather.schema import observations, thresholds, vigils
from shared.db import columnar, insert_rows
from shared.identity import new_id

_SAMPLE: Final = (
    *("starts_at", "ends_at", "observed", "temperature", "humidity", "wind", "gust"),
    *("precipitation", "probability", "cape", "code"),
)
_SAMPLE_COLUMNS: Final = ("location_id", "source", "fetched_at", *_SAMPLE)
_INSERT_SAMPLES: Final = insert_rows(observations, _SAMPLE_COLUMNS)
_VIGIL: Final = (
    *("breaches", "grave_breaches", "clears", "opened_at", "closed_at"),
    *("clear_count", "min_hold_seconds", "cooldown_seconds"),
)


class ConditionStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def thresholds(self, property_ids: Collection[UUID]) -> dict[UUID | None, list[Threshold]]:
        """What somebody set: for the portfolio under None, and for each of these properties."""
        query = sa.select(thresholds).where(
            sa.or_(thresholds.c.property_id.is_(None), thresholds.c.property_id.in_(property_ids))
        )
        found: dict[UUID | None, list[Threshold]] = {identity: [] for identity in (None, *property_ids)}
        for row in await self._connection.execute(query):
            found[row.property_id].append(_threshold(row))
        return found

    async def set_threshold(self, property_id: UUID | None, threshold: Threshold, at: datetime) -> None:
        """Set one for a property, or for the portfolio."""
        row = {
            "property_id": property_id,
            "metric": threshold.metric.value,
            "level": threshold.level.word,
            "raise_at": threshold.raise_at,
            "clear_at": threshold.clear_at,
            "hours": threshold.hours,
            "raise_count": threshold.raise_count,
            "clear_count": threshold.clear_count,
            "min_hold_seconds": int(threshold.min_hold.total_seconds()),
            "cooldown_seconds": int(threshold.cooldown.total_seconds()),
            "changed_at": at,
        }
        statement = insert(thresholds).values(row | {"threshold_id": new_id()})
        await self._connection.execute(
            statement.on_conflict_do_update(
                constraint="uq_thresholds_property_metric_level",
                set_={name: statement.excluded[name] for name in row},
            )
        )

    async def vigils(self, property_ids: Collection[UUID]) -> dict[UUID, dict[Category, Vigil]]:
        """How far each category has come at each of these properties."""
        query = sa.select(vigils).where(vigils.c.property_id.in_(property_ids))
        found: dict[UUID, dict[Category, Vigil]] = {identity: {} for identity in property_ids}
        for row in await self._connection.execute(query):
            vigil = _vigil(row)
            found[row.property_id][vigil.category] = vigil
        return found

    async def save_vigils(self, property_id: UUID, changed: Iterable[Vigil]) -> None:
        """Write how far categories have come."""
        for vigil in changed:
            row = {name: getattr(vigil, name) for name in _VIGIL} | {
                "property_id": property_id,
                "category": vigil.category.value,
                "level": vigil.level.word if vigil.level else None,
                "metric": vigil.metric.value if vigil.metric else None,
                "closed_level": vigil.closed_level.word if vigil.closed_level else None,
            }
            statement = insert(vigils).values(row)
            await self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["property_id", "category"],
                    set_={name: statement.excluded[name] for name in row},
                )
            )

    async def forget_vigils(self, property_id: UUID) -> None:
        """Begin anew at a property that lies elsewhere now."""
        await self._connection.execute(sa.delete(vigils).where(vigils.c.property_id == property_id))

    async def replace_samples(
        self, location_id: UUID, source: str, samples: Iterable[Sample], at: datetime
    ) -> None:
        """Keep what was last said of a place, and forget what was said before."""
        await self._connection.execute(
            sa.delete(observations).where(observations.c.location_id == location_id)
        )
        rows = {
            (item.starts_at, item.observed): {name: getattr(item, name) for name in _SAMPLE}
            | {"location_id": location_id, "source": source, "fetched_at": at}
            | {"code": int(item.code) if item.code is not None else None}
            for item in samples
        }
        if rows:
            await self._connection.execute(_INSERT_SAMPLES, columnar(rows.values(), _SAMPLE_COLUMNS))

    async def samples(self, location_id: UUID) -> list[tuple[str, datetime, Sample]]:
        """What was last said of a place: source, when it was fetched, and the weather."""
        query = (
            sa.select(observations)
            .where(observations.c.location_id == location_id)
            .order_by(observations.c.starts_at, observations.c.observed.desc())
        )
        return [
            (row.source, row.fetched_at, Sample(**{name: getattr(row, name) for name in _SAMPLE}))
            for row in await self._connection.execute(query)
        ]


def _threshold(row: Any) -> Threshold:
    return Threshold(
        metric=Metric(row.metric),
        level=Level.of(row.level),
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        hours=row.hours,
        raise_count=row.raise_count,
        clear_count=row.clear_count,
        min_hold=timedelta(seconds=row.min_hold_seconds),
        cooldown=timedelta(seconds=row.cooldown_seconds),
    )


def _vigil(row: Any) -> Vigil:
    vigil = Vigil(category=Category(row.category), **{name: getattr(row, name) for name in _VIGIL})
    return replace(
        vigil,
        level=Level.of(row.level) if row.level else None,
        metric=Metric(row.metric) if row.metric else None,
        closed_level=Level.of(row.closed_level) if row.closed_level else None,
    )
