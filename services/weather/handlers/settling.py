"""An answer is worked off for every property at its place, in one transaction.

The poller and the command line both do it; a dry run does it and rolls back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog

from services.weather.asking import Asked
from services.weather.domain.incidents import Change, Kind, Ledger
from services.weather.domain.measured import Watched, reduce_conditions
from services.weather.domain.observations import (
    Conditions,
    Sample,
    is_doubtful,
    usable,
    without_doubtful_wind,
)
from services.weather.domain.official import Circumstances, Identify, Place, reduce_alerts
from services.weather.domain.polls import FRESH, Poll
from services.weather.domain.thresholds import profile
from services.weather.handlers.facts import fact_id, fact_of
from services.weather.store.answers import TELL_AFTER, AnswerStore
from services.weather.store.checks import Check, Tally
from services.weather.store.conditions import ConditionStore
from services.weather.store.incidents import IncidentStore
from services.weather.store.places import Location, PlaceStore, Property
from shared.contracts.weather import WeatherDataStale
from shared.identity import derived_id
from shared.messaging.transaction import Tx

NOT_WATCHED: Final = "no official source covers it, and WEATHER_OPEN_METEO_URL is not set"

log = structlog.get_logger()


@dataclass(slots=True)
class Settled:
    """What one answer came to: how much was said, of which properties, and what went wrong."""

    changes: list[tuple[Property, Change]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    problem: str | None = None
    at_place: Sequence[Property] = ()
    """Whom it concerns."""
    not_watched: list[Property] = field(default_factory=list)
    """Properties at a place that nobody who is configured can be asked about."""

    @property
    def tally(self) -> Tally:
        """The counts of it."""
        kinds = [change.kind for _, change in self.changes]
        return Tally(
            raised=kinds.count(Kind.RAISED),
            updated=kinds.count(Kind.UPDATED),
            cleared=kinds.count(Kind.CLEARED),
            problem=self.problem,
        )


async def settle(
    tx: Tx, check: Check, asked: Asked, *, also: Collection[str] = (), official_only: bool = False
) -> Settled:
    """Write down what came of asking, and say what it means.

    The place is locked, so that two who asked about it take turns and the second finds what the first did.
    """
    places = PlaceStore(tx.connection)
    location = await places.location(check.location_id, lock=True)
    if location is None:
        return Settled(problem=f"location {check.location_id}: unknown")
    await _keep(tx, location, asked)
    at_place = await places.properties_at(location.location_id, check.property_id)
    work = _Settling(tx, check, location, at_place, Settled(at_place=at_place))
    if asked.poll is not None:
        await work.alerts(asked.poll, by_zones=asked.by_zones, also=also)
    elif asked.conditions is not None and not official_only:
        await work.conditions(asked.conditions, covered=asked.covered is not False)
    elif asked.covered is not False:
        await work.failed(asked.problem or "no answer")
    elif check.check == "conditions" and not official_only:
        log.info("place_not_watched", location_id=str(location.location_id), reason=NOT_WATCHED)
        work.settled.not_watched += at_place
    return work.settled


async def _keep(tx: Tx, location: Location, asked: Asked) -> None:
    """What was learned of the place itself, and what was said word for word."""
    places, answers = PlaceStore(tx.connection), AnswerStore(tx.connection)
    if asked.point is not None:
        await places.resolve(
            location.location_id,
            grid=asked.point.grid,
            zones=asked.point.zones,
            stations=asked.point.stations,
            at=tx.at,
        )
    if asked.covered is False:
        await places.set_supported(location.location_id, supported=False, at=tx.at)
    if asked.station_choice is not None:
        await places.choose_station(location.location_id, asked.station_choice)
    for answer in asked.answers:
        await answers.keep(location.location_id, answer, tx.at)


@dataclass(slots=True)
class _Settling:
    """One answer about one place, being worked off."""

    tx: Tx
    check: Check
    location: Location
    at_place: Sequence[Property]
    settled: Settled = field(default_factory=Settled)

    @property
    def _ids(self) -> list[UUID]:
        return [item.property_id for item in self.at_place]

    async def alerts(self, poll: Poll, *, by_zones: bool, also: Collection[str]) -> None:
        """What an answer of official alerts means for each property."""
        now = self.tx.at
        place = Place(frozenset(self.location.zones), self.location.point) if by_zones else Place()
        fresh = poll.is_fresh(now)
        known = await IncidentStore(self.tx.connection).of_properties(self._ids, now)
        for item in self.at_place:
            at = Circumstances(now=now, identify=_identify(item.property_id), cold=self.check.cold, also=also)
            result = reduce_alerts(known[item.property_id], poll, place, at)
            await self._save(item, result.ledger, stale=not fresh)
            self.settled.ignored += [note for note in result.ignored if note not in self.settled.ignored]
            for name in result.unknown:
                log.warning("unknown_event", name=name, location_id=str(self.location.location_id))
        if fresh:
            await self._well()
        else:
            minutes = int(FRESH.total_seconds() // 60)
            await self.failed(f"the list of alerts is older than {minutes} minutes")

    async def conditions(self, conditions: Conditions, *, covered: bool) -> None:
        """What is measured and forecast means for each property."""
        samples = usable(conditions.samples, self.tx.at)
        if not samples:
            await self.failed("nothing that was said is recent")
            return
        samples, doubtful = await self._confirmed(samples)
        store = ConditionStore(self.tx.connection)
        await store.replace_samples(self.location.location_id, conditions.source, samples, self.tx.at)
        thresholds, vigils = await store.thresholds(self._ids), await store.vigils(self._ids)
        known = await IncidentStore(self.tx.connection).of_properties(self._ids, self.tx.at)
        for item in self.at_place:
            watched = Watched(
                thresholds=profile(thresholds[None], thresholds[item.property_id]),
                vigils=vigils[item.property_id],
                time_zone=item.time_zone,
                official=covered and self.location.nws_supported is not False,
            )
            result = reduce_conditions(
                known[item.property_id],
                replace(conditions, samples=tuple(samples)),
                watched,
                now=self.tx.at,
                identify=_identify(item.property_id),
            )
            await self._save(item, result.ledger, stale=False)
            await store.save_vigils(item.property_id, result.vigils.values())
        await self._well(doubtful=doubtful)

    async def _confirmed(self, samples: list[Sample]) -> tuple[list[Sample], bool]:
        """Winds beyond belief count when the answer before had them too."""
        feed = await AnswerStore(self.tx.connection).feed(self.location.location_id, "conditions")
        doubtful = is_doubtful(samples)
        if doubtful and not (feed and feed.doubtful):
            return without_doubtful_wind(samples), True
        return samples, doubtful

    async def _save(self, item: Property, ledger: Ledger, *, stale: bool) -> None:
        store = IncidentStore(self.tx.connection)
        await store.save(item.property_id, ledger.touched, ledger.changes, self.tx.at)
        for change in ledger.changes:
            self.tx.emit(fact_of(change, item, self.tx, stale=stale), message_id=fact_id(change))
            self.settled.changes.append((item, change))

    async def _well(self, *, doubtful: bool = False) -> None:
        store = AnswerStore(self.tx.connection)
        before = await store.feed(self.check.location_id, self.check.check)
        if before is not None and before.told_at is not None:
            log.info("weather_data_back", location_id=str(self.check.location_id), check=self.check.check)
        await store.healthy(self.check.location_id, self.check.check, self.tx.at, doubtful=doubtful)

    async def failed(self, problem: str) -> None:
        """Nothing is known anew: what is open stays open. After three hours the operator is told, once."""
        check, tx = self.check, self.tx
        self.settled.problem = f"location {check.location_id}: {problem}"
        store = AnswerStore(tx.connection)
        feed = await store.failed(check.location_id, check.check, tx.at, problem)
        since = feed.stale_since or tx.at
        if feed.told_at is not None or tx.at - since < TELL_AFTER:
            return
        await store.told(check.location_id, check.check, tx.at)
        log.error(
            "weather_data_stale", location_id=str(check.location_id), check=check.check, problem=problem
        )
        tx.emit(
            WeatherDataStale(
                location_id=check.location_id,
                check="conditions" if check.check == "conditions" else "alerts",
                property_ids=tuple(self._ids),
                stale_since=since,
                reason=problem,
            ),
            message_id=derived_id("weather-stale", check.location_id, check.check, since.isoformat()),
        )


def _identify(property_id: UUID) -> Identify:
    return lambda key, opened_at: derived_id("incident", property_id, key, opened_at.isoformat())
