"""A time to ask has come: the places to ask about are queued, and each is asked about once."""

from datetime import timedelta
from typing import Final

from services.weather.store.answers import KEPT, AnswerStore
from services.weather.store.checks import Check, CheckStore, Run
from services.weather.store.places import Location, PlaceStore
from shared.contracts.scheduler import TriggerOutcome, WeatherCheckDue
from shared.messaging.router import Router
from shared.messaging.transaction import Tx
from shared.runs import started

TOO_LATE: Final = timedelta(minutes=10)
"""A trigger that waited longer stands for weather that is over; the next one asks for what is now."""

router = Router("weather")


@router.on(WeatherCheckDue)
async def request_checks(due: WeatherCheckDue, tx: Tx) -> None:
    """Queue one question per place, however many properties are there, for whichever replica is free."""
    places = await places_to_ask(tx, due)
    scheduled = due.origin in {"schedule", "catch_up"}
    if due.dry_run or (scheduled and tx.at - due.as_of > TOO_LATE):
        places, skipped = [], len(places)
    else:
        skipped = 0
    store = CheckStore(tx.connection)
    run = Run(due.occurrence_id, due.topic, due.check, due.as_of, len(places), skipped, tx.at, None)
    if not await store.open_run(run):
        return
    if due.check == "conditions":
        await AnswerStore(tx.connection).prune(tx.at)
        await store.prune_runs(tx.at - KEPT)
    cold = not await AnswerStore(tx.connection).ever_healthy()
    queued = await store.request([_check(due, place, tx, cold=cold) for place in places])
    finished = None if queued else tx.at
    run = await store.set_expected(run.run_id, queued, skipped + len(places) - queued, finished)
    if run.finished:
        tx.emit(outcome_of(run, tx))
    else:
        tx.emit(started(run, "weather", tx.at))


async def places_to_ask(tx: Tx, due: WeatherCheckDue) -> list[Location]:
    """The places of properties; those no official source covers are not asked for alerts again."""
    found = await PlaceStore(tx.connection).watched(due.property_id)
    return [place for place in found if due.check != "alerts" or place.nws_supported is not False]


def _check(due: WeatherCheckDue, place: Location, tx: Tx, *, cold: bool) -> Check:
    return Check(
        location_id=place.location_id,
        check=due.check,
        run_id=due.occurrence_id,
        property_id=due.property_id,
        cold=cold,
        requested_at=tx.at,
        correlation_id=tx.cause.correlation_id,
    )


def outcome_of(run: Run, tx: Tx) -> TriggerOutcome:
    """What the scheduler is told when every place has been asked about."""
    state = "succeeded" if run.failed == 0 else "partial" if run.failed < run.expected else "failed"
    return TriggerOutcome(
        occurrence_id=run.run_id,
        trigger=run.trigger,
        consumer="weather",
        state=state,
        counts=run.counts,
        problems=run.problems,
        finished_at=tx.at,
    )
