"""Asking the providers about one place. Nothing is written here, and no transaction is open."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from services.weather.domain.nws_data import NotReadable, read_grid, read_observation
from services.weather.domain.observations import Conditions, Sample
from services.weather.domain.open_meteo import read_forecast
from services.weather.domain.polls import FRESH, NotAnAnswer, Poll, read_poll
from services.weather.gateways.errors import Gone, NoAnswer, NotCovered, OurFault
from services.weather.gateways.http import Got, Known
from services.weather.gateways.nws import Nws, Point
from services.weather.gateways.open_meteo import ATTRIBUTION, OpenMeteo
from services.weather.store.answers import Answer
from services.weather.store.places import Location

NWS_ATTRIBUTION: Final = "National Weather Service"
REFUSALS: Final = (NoAnswer, NotAnAnswer, NotReadable, OurFault, Gone)
"""Why a place stays without an answer this time; each says so in one line."""


@dataclass(slots=True)
class Asked:
    """What came of asking, to be written down."""

    poll: Poll | None = None
    by_zones: bool = False
    """Whether the alerts were asked for by zones, so that each has to be looked at for where it applies."""
    conditions: Conditions | None = None
    answers: list[Answer] = field(default_factory=list)
    point: Point | None = None
    covered: bool | None = None
    station_choice: int | None = None
    problem: str | None = None
    our_fault: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """The providers of one process."""

    nws: Nws
    open_meteo: OpenMeteo | None
    now: Callable[[], datetime]

    async def close(self) -> None:
        """Close what was kept open to them."""
        await self.nws.http.client.aclose()

    async def alerts(self, location: Location, known: Answer | None) -> Asked:
        """The official alerts at a place; where its point cannot be asked for, those of its zones."""
        asked = Asked()
        got: Got | None
        try:
            got = await self.nws.alerts(location.latitude, location.longitude, self._comparable(known))
            asked.covered = True
        except NotCovered as refusal:
            asked.covered, asked.problem = False, str(refusal)
            return asked
        except (NoAnswer, OurFault) as refusal:
            asked.problem, asked.our_fault = str(refusal), isinstance(refusal, OurFault)
            if not location.zones:
                return asked
            got = await self._by_zones(location, asked)
        if got is not None:
            _read_alerts(got, asked)
        return asked

    def _comparable(self, known: Answer | None) -> Known | None:
        """What "not modified" may mean: a list that stays the same has to be read anew to stay fresh."""
        if known is None:
            return None
        updated = read_poll(json.loads(known.body)).updated_at
        return _known(known) if updated and self.now() - updated < FRESH / 2 else None

    async def _by_zones(self, location: Location, asked: Asked) -> Got | None:
        try:
            got = await self.nws.alerts_of_zones(location.zones)
        except (NoAnswer, OurFault):
            return None
        asked.by_zones, asked.problem, asked.our_fault = True, None, False
        return got

    async def conditions(self, location: Location, known: Answer | None) -> Asked:
        """What is measured and forecast at a place, of the official source or else of Open-Meteo."""
        asked = Asked()
        if location.nws_supported is not False or not location.is_resolved(self.now()):
            try:
                await self._official(location, known, asked)
            except NotCovered as refusal:
                asked.covered, asked.problem = False, str(refusal)
            except REFUSALS as refusal:
                asked.problem, asked.our_fault = str(refusal), isinstance(refusal, OurFault)
        if asked.conditions is None and self.open_meteo is not None:
            await self._forecast(self.open_meteo, location, asked)
        return asked

    async def _official(self, location: Location, known: Answer | None, asked: Asked) -> None:
        grid, stations = location.grid, location.stations
        if grid is None or not location.is_resolved(self.now()):
            grid, stations = await self._resolve(location, asked)
        try:
            got = await self.nws.grid(grid, _known(known))
        except Gone:
            grid, stations = await self._resolve(location, asked)
            got = await self.nws.grid(grid)
        samples = read_grid(got.document, self.now())
        if not samples:
            raise NotReadable("the forecast grid has no values")
        asked.answers.append(_answer("nws_grid", got, _digest(got.document)))
        observed = await self._observation(location, stations, asked)
        asked.conditions = Conditions("nws", tuple(observed + samples), NWS_ATTRIBUTION)
        asked.covered, asked.problem = True, None

    async def _resolve(self, location: Location, asked: Asked) -> tuple[str, tuple[str, ...]]:
        asked.point = await self.nws.point(location.latitude, location.longitude)
        return asked.point.grid, asked.point.stations

    async def _observation(self, location: Location, stations: tuple[str, ...], asked: Asked) -> list[Sample]:
        """What the place's station says; one that says nothing is not asked again, the next one is."""
        if not stations:
            return []
        choice = location.station_choice % len(stations)
        try:
            got = await self.nws.observation(stations[choice])
            sample = read_observation(got.document)
        except REFUSALS:
            sample = None
        if sample is None:
            asked.station_choice = (choice + 1) % len(stations)
            return []
        asked.answers.append(_answer("nws_observation", got, _digest(got.document)))
        return [sample]

    async def _forecast(self, provider: OpenMeteo, location: Location, asked: Asked) -> None:
        try:
            got = await provider.forecast(location.latitude, location.longitude)
            samples = read_forecast(got.document)
        except REFUSALS as refusal:
            asked.problem, asked.our_fault = str(refusal), isinstance(refusal, OurFault)
            return
        if not samples:
            asked.problem = "the forecast has no values"
            return
        asked.answers.append(_answer("open_meteo", got, _digest(got.document)))
        asked.conditions = Conditions("open_meteo", tuple(samples), ATTRIBUTION)
        asked.problem = None


def _read_alerts(got: Got, asked: Asked) -> None:
    try:
        asked.poll = read_poll(got.document)
    except NotAnAnswer as error:
        asked.problem = str(error)
        return
    # `updated` differs in each answer; what it lists is what makes an answer another one.
    asked.answers.append(_answer("nws_alerts", got, _digest(got.document["features"])))


def _known(answer: Answer | None) -> Known | None:
    return Known(answer.body, answer.etag, answer.last_modified) if answer else None


def _answer(feed: str, got: Got, digest: str) -> Answer:
    return Answer(feed, got.body, digest, got.etag, got.last_modified)


def _digest(document: Any) -> str:
    if isinstance(document, Mapping):
        document = {key: value for key, value in document.items() if key != "generationtime_ms"}
    return sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
