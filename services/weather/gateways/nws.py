"""api.weather.gov: official alerts, forecasts and observations of the United States, free for any use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.weather.gateways.errors import Gone, NotCovered, OurFault
from services.weather.gateways.http import Got, Http, Known

MOST_STATIONS: Final = 5
"""How many of a place's stations are worth remembering, the nearest first."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the service knows of a place: its grid cell, its zones, and the stations near it."""

    grid: str
    zones: tuple[str, ...]
    stations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nws:
    """The service, asked as one that can be reached."""

    http: Http
    base_url: str
    contact: str

    @property
    def _headers(self) -> Mapping[str, str]:
        # Without a User-Agent it refuses; without Accept a stale copy was served (bitclock #15).
        return {"User-Agent": f"Propman/0.1 ({self.contact})", "Accept": "application/geo+json"}

    async def point(self, latitude: str, longitude: str) -> Point:
        """Resolve a place, in two requests; raises `NotCovered`."""
        got = await self._get(f"/points/{latitude},{longitude}")
        if got.status == 404:
            raise NotCovered("/points knows no such place")
        found = _properties(got)
        grid = f"{found.get('gridId')}/{found.get('gridX')},{found.get('gridY')}"
        names = (found.get(name) for name in ("county", "forecastZone", "fireWeatherZone"))
        zones = tuple(str(name).rsplit("/", maxsplit=1)[-1] for name in names if name)
        return Point(grid, zones, await self._stations(grid))

    async def _stations(self, grid: str) -> tuple[str, ...]:
        got = await self._get(f"/gridpoints/{grid}/stations")
        features = got.document.get("features") if got.status == 200 else None
        found = features if isinstance(features, Sequence) else ()
        names = (str(item["properties"]["stationIdentifier"]) for item in found[:MOST_STATIONS])
        return tuple(names)

    async def alerts(self, latitude: str, longitude: str, known: Known | None = None) -> Got:
        """The alerts in force at a point; raises `NotCovered` where it lies outside."""
        got = await self._get(f"/alerts/active?point={latitude},{longitude}", known)
        if got.status in {400, 404} and "out of bounds" in str(got.document):
            raise NotCovered("alerts are out of bounds here")
        return _good(got)

    async def alerts_of_zones(self, zones: Sequence[str]) -> Got:
        """The alerts in force in some zones; asks once, because it is itself a second try."""
        got = await self._get(f"/alerts/active?zone={','.join(zones)}", tries=1)
        return _good(got)

    async def grid(self, grid: str, known: Known | None = None) -> Got:
        """The raw forecast of a cell; raises `Gone` where the cell was remapped."""
        got = await self._get(f"/gridpoints/{grid}", known)
        if got.status == 404:
            raise Gone("the grid cell is gone")
        return _good(got)

    async def observation(self, station: str) -> Got:
        """The latest observation of a station; raises `Gone` where it has none."""
        got = await self._get(f"/stations/{station}/observations/latest", tries=2)
        if got.status == 404:
            raise Gone("the station says nothing")
        return _good(got)

    async def _get(self, path: str, known: Known | None = None, *, tries: int | None = None) -> Got:
        return await self.http.get(f"{self.base_url}{path}", headers=self._headers, known=known, tries=tries)


def _good(got: Got) -> Got:
    if got.status >= 400:
        raise OurFault(f"{got.status} {_said(got)}".strip())
    return got


def _properties(got: Got) -> Mapping[str, Any]:
    found = _good(got).document.get("properties")
    if not isinstance(found, Mapping) or not found.get("gridId"):
        raise OurFault("/points answered without a grid")
    return found


def _said(got: Got) -> str:
    return str(got.document.get("detail", "")) if isinstance(got.document, Mapping) else ""
