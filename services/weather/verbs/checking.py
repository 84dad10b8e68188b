"""`propman weather check-weather-alerts`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from services.weather.asking import Asker
from services.weather.domain.incidents import Change
from services.weather.handlers.settling import NOT_WATCHED, Settled, settle
from services.weather.providers import open_asker
from services.weather.settings import Settings
from services.weather.store.answers import AnswerStore
from services.weather.store.checks import Check
from services.weather.store.places import Location, PlaceStore, Property
from services.weather.verbs.database import database, known_property, weather_settings
from shared.cli import (
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    PropertyOption,
    counted,
    print_json,
    print_table,
    progress,
    success,
    warning,
)
from shared.contracts.scheduler import WeatherCheckDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions, command_envelope

OfficialOption = Annotated[
    bool, typer.Option("--official-only", help="Ask for official alerts, not for conditions.")
]


class _RollBack(Exception):
    """A dry run has seen what it wanted to."""


async def check_weather_alerts(
    property_id: PropertyOption = None,
    official_only: OfficialOption = False,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Ask for alerts and conditions at every property, and tell whoever has to know.

    Properties at one place are asked about once. What is known already is not told again, so the command
    may be repeated, and may run beside the schedule. A dry run asks the providers, which changes nothing
    there, shows what would be said, and writes nothing.

    \b
    Examples:
      propman weather check-weather-alerts --dry-run
      propman weather check-weather-alerts --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman weather check-weather-alerts --enqueue
    """
    settings = weather_settings()
    async with database() as transactions:
        if enqueue:
            await _enqueue(transactions, property_id, official_only=official_only, dry_run=dry_run)
            return
        places, unplaced, cold = await _places(transactions, property_id)
        kinds = ["alerts"] if official_only or settings.conditions == "off" else ["alerts", "conditions"]
        async with open_asker(settings, transactions.clock) as asker:
            work = _Work(transactions, asker, settings, property_id, cold=cold, dry_run=dry_run)
            found = await work.ask_all(places, kinds)
    _report(found, places, unplaced, as_json=as_json, dry_run=dry_run)


class _Work:
    """Asking about many places, a few at once, each settled in a transaction of its own."""

    def __init__(
        self,
        transactions: Transactions,
        asker: Asker,
        settings: Settings,
        property_id: UUID | None,
        *,
        cold: bool,
        dry_run: bool,
    ) -> None:
        self._transactions = transactions
        self._asker = asker
        self._settings = settings
        self._property_id = property_id
        self._cold = cold
        self._dry_run = dry_run
        self._story = new_id()

    async def ask_all(self, places: Sequence[Location], kinds: Sequence[str]) -> list[Settled]:
        """Every kind of question about every place; alerts before conditions, which they may mute."""
        found: list[Settled] = []
        gate = asyncio.Semaphore(self._settings.concurrency)
        with progress(len(places) * len(kinds), "Asking") as bar:

            async def ask(place: Location, kind: str) -> None:
                async with gate:
                    found.append(await self._ask(place, kind))
                bar.advance()

            for kind in kinds:
                asked = [place for place in places if kind != "alerts" or place.nws_supported is not False]
                await asyncio.gather(*(ask(place, kind) for place in asked))
        return found

    async def _ask(self, place: Location, kind: str) -> Settled:
        feed = "nws_alerts" if kind == "alerts" else "nws_grid"
        async with self._transactions.engine.connect() as connection:
            known = await AnswerStore(connection).latest(place.location_id, feed)
        ask = self._asker.alerts if kind == "alerts" else self._asker.conditions
        asked = await ask(place, known)
        check = Check(
            location_id=place.location_id,
            check=kind,
            run_id=self._story,
            property_id=self._property_id,
            cold=self._cold,
            requested_at=self._transactions.clock.now(),
            correlation_id=self._story,
        )
        settled = Settled()
        try:
            async with self._transactions.begin(command_envelope("weather.check", self._story)) as tx:
                settled = await settle(tx, check, asked, also=self._settings.also_warn_of)
                if self._dry_run:
                    raise _RollBack
        except _RollBack:
            pass
        return settled


async def _places(
    transactions: Transactions, property_id: UUID | None
) -> tuple[list[Location], list[Property], bool]:
    async with transactions.engine.connect() as connection:
        store = PlaceStore(connection)
        unplaced = await store.without_place()
        if property_id is not None:
            await known_property(connection, property_id)
            unplaced = [item for item in unplaced if item.property_id == property_id]
        cold = not await AnswerStore(connection).ever_healthy()
        return await store.watched(property_id), unplaced, cold


async def _enqueue(
    transactions: Transactions, property_id: UUID | None, *, official_only: bool, dry_run: bool
) -> None:
    occurrences = []
    for kind in ("alerts",) if official_only else ("alerts", "conditions"):
        occurrence = new_id()
        async with transactions.begin(command_envelope("weather.enqueue", occurrence)) as tx:
            due = WeatherCheckDue.model_validate(
                {
                    "occurrence_id": occurrence,
                    "schedule_key": "weather-command",
                    "as_of": tx.at,
                    "origin": "manual",
                    "check": kind,
                    "property_id": property_id,
                    "dry_run": dry_run,
                }
            )
            tx.emit(due, message_id=occurrence)
        occurrences.append(occurrence)
    print_json({"occurrence_ids": occurrences, "enqueued": True})
    success("WeatherCheckDue is enqueued; the running weather service does the rest.")


def _report(
    found: Sequence[Settled],
    places: Sequence[Location],
    unplaced: Sequence[Property],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    said = [item for settled in found for item in settled.changes]
    problems = [_problem(settled) for settled in found if settled.problem]
    uncovered = [item for settled in found for item in settled.not_watched]
    ignored = dict.fromkeys(note for settled in found for note in settled.ignored)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "places": len(places),
                "events": [_event(place, change) for place, change in said],
                "ignored": [{"id": identity, "why": why} for identity, why in ignored],
                "not_watched": [item.property_id for item in (*unplaced, *uncovered)],
                "problems": problems,
            }
        )
    else:
        rows = [
            [place.name, change.kind, change.incident.level.word, change.incident.event, _until(change)]
            for place, change in said
        ]
        print_table(["property", "alert", "level", "event", "until"], rows, empty="Nothing new to tell.")
    for item in unplaced:
        warning(f"{item.name} has no coordinates and is not watched.")
    for item in uncovered:
        warning(f"{item.name} is not watched: {NOT_WATCHED}.")
    for problem in problems:
        warning(problem)
    if problems:
        raise CommandError(
            f"{counted(len(problems), 'question')} stayed without an answer;"
            " what is known there stays as it was.",
            remedy="The schedule asks again; `propman weather observations` shows since when it fails.",
        )
    prefix = "Dry run: " if dry_run else ""
    success(
        f"{prefix}{counted(len(said), 'new alert')} at {counted(len(places), 'place')};"
        f" {counted(len(ignored), 'message')} concerned nobody."
    )


def _problem(settled: Settled) -> str:
    """What went wrong, with the properties that it concerns."""
    names = ", ".join(item.name for item in settled.at_place)
    return f"{names}: {settled.problem}" if names else str(settled.problem)


def _event(place: Property, change: Change) -> dict[str, Any]:
    incident = change.incident
    return {
        "property_id": place.property_id,
        "property": place.name,
        "incident_id": incident.id,
        "type": change.kind,
        "quiet": change.quiet,
        "key": incident.key,
        "category": incident.category,
        "level": incident.level.word,
        "event": incident.event,
        "reason": incident.reason,
        "changes": change.changes,
        "ends_at": incident.ends_at,
    }


def _until(change: Change) -> object:
    return change.incident.reason or change.incident.ends_at or "further notice"
