"""Copies of properties, and the places they lie at: properties at one place are asked about once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.weather.schema import locations, properties

RESOLVE_AGAIN: Final = timedelta(days=14)
"""Zones and grids are remapped now and then."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place, and what providers know of it."""

    location_id: UUID
    latitude: str
    longitude: str
    nws_supported: bool | None
    grid: str | None
    zones: tuple[str, ...]
    stations: tuple[str, ...]
    station_choice: int
    resolved_at: datetime | None

    @property
    def point(self) -> tuple[float, float]:
        """Latitude and longitude."""
        return float(self.latitude), float(self.longitude)

    def is_resolved(self, now: datetime) -> bool:
        """Whether its grid and zones are known and not too old."""
        return self.resolved_at is not None and now - self.resolved_at < RESOLVE_AGAIN


@dataclass(frozen=True, slots=True)
class Property:
    """What weather knows of a property."""

    property_id: UUID
    name: str
    time_zone: str
    location_id: UUID | None


class PlaceStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_location(self, location_id: UUID, latitude: str, longitude: str) -> None:
        """Make sure that a place is known."""
        row = {"location_id": location_id, "latitude": latitude, "longitude": longitude}
        await self._connection.execute(insert(locations).values(row).on_conflict_do_nothing())

    async def upsert_property(self, row: dict[str, Any]) -> UUID | None:
        """Replace the copy of a property unless a newer one is here; where it was before, if it moved."""
        query = sa.select(properties.c.location_id, properties.c.version).where(
            properties.c.property_id == row["property_id"]
        )
        before = (await self._connection.execute(query.with_for_update())).one_or_none()
        statement = insert(properties).values(row)
        replaced = await self._connection.scalar(
            statement.on_conflict_do_update(
                index_elements=["property_id"],
                set_={name: statement.excluded[name] for name in row if name != "property_id"},
                where=properties.c.version < statement.excluded.version,
            ).returning(properties.c.property_id)
        )
        if replaced is None or before is None or before.location_id == row["location_id"]:
            return None
        moved_from: UUID | None = before.location_id
        return moved_from

    async def location(self, location_id: UUID, *, lock: bool = False) -> Location | None:
        """One place; locked, whoever else works on it waits."""
        query = sa.select(locations).where(locations.c.location_id == location_id)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return _location(row) if row else None

    async def watched(self, property_id: UUID | None = None) -> list[Location]:
        """The places of all properties, or of one."""
        lived_in = sa.select(properties.c.location_id).where(properties.c.location_id.is_not(None))
        if property_id is not None:
            lived_in = lived_in.where(properties.c.property_id == property_id)
        query = sa.select(locations).where(locations.c.location_id.in_(lived_in)).order_by("location_id")
        return [_location(row) for row in await self._connection.execute(query)]

    async def properties_at(self, location_id: UUID, property_id: UUID | None = None) -> list[Property]:
        """The properties at a place, or one of them."""
        query = _PROPERTIES.where(properties.c.location_id == location_id).order_by("property_id")
        if property_id is not None:
            query = query.where(properties.c.property_id == property_id)
        return [Property(*row) for row in await self._connection.execute(query)]

    async def property(self, property_id: UUID) -> Property | None:
        """One property."""
        query = _PROPERTIES.where(properties.c.property_id == property_id)
        row = (await self._connection.execute(query)).one_or_none()
        return Property(*row) if row else None

    async def names(self) -> dict[UUID, str]:
        """The names of all properties."""
        rows = await self._connection.execute(sa.select(properties.c.property_id, properties.c.name))
        return {row.property_id: row.name for row in rows}

    async def names_by_location(self) -> dict[UUID, list[str]]:
        """The names of the properties at each place."""
        query = sa.select(properties.c.location_id, properties.c.name).order_by(properties.c.name)
        found: dict[UUID, list[str]] = {}
        for row in await self._connection.execute(query.where(properties.c.location_id.is_not(None))):
            found.setdefault(row.location_id, []).append(row.name)
        return found

    async def without_place(self) -> list[Property]:
        """The properties nobody watches over, because where they are is not known."""
        query = _PROPERTIES.where(properties.c.location_id.is_(None)).order_by("name")
        return [Property(*row) for row in await self._connection.execute(query)]

    async def resolve(
        self, location_id: UUID, *, grid: str, zones: Sequence[str], stations: Sequence[str], at: datetime
    ) -> None:
        """Keep what the provider knows of a place."""
        await self._change(
            location_id,
            {
                "nws_supported": True,
                "grid": grid,
                "zones": list(zones),
                "stations": list(stations),
                "station_choice": 0,
                "resolved_at": at,
            },
        )

    async def set_supported(self, location_id: UUID, supported: bool, at: datetime) -> None:
        """Keep whether the official provider covers a place."""
        await self._change(location_id, {"nws_supported": supported, "resolved_at": at})

    async def choose_station(self, location_id: UUID, choice: int) -> None:
        """Ask another of its stations from now on."""
        await self._change(location_id, {"station_choice": choice})

    async def _change(self, location_id: UUID, values: dict[str, Any]) -> None:
        statement = sa.update(locations).where(locations.c.location_id == location_id).values(values)
        await self._connection.execute(statement)


_PROPERTIES: Final = sa.select(
    properties.c.property_id, properties.c.name, properties.c.time_zone, properties.c.location_id
)


def _location(row: Any) -> Location:
    return Location(
        location_id=row.location_id,
        latitude=_short(row.latitude),
        longitude=_short(row.longitude),
        nws_supported=row.nws_supported,
        grid=row.grid,
        zones=tuple(row.zones),
        stations=tuple(row.stations),
        station_choice=row.station_choice,
        resolved_at=row.resolved_at,
    )


def _short(value: Any) -> str:
    """At most four decimals and no zeros at the end: what api.weather.gov takes without a redirect."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
