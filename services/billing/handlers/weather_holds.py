"""While dangerous weather lasts at a property, nobody there is charged for being late, or reminded.

Only where the property's policy says so. Facts may come in any order: of an incident the newest revision
counts.
"""

from datetime import date, datetime
from uuid import UUID

from services.billing.domain.holds import PlacedHold
from services.billing.domain.policy_book import Place
from services.billing.domain.weather_holds import ORIGIN, Incident, held_by, hold_of, over
from services.billing.handlers.settling import lock_accounts
from services.billing.store import HoldStore, PolicyStore
from shared.clock import local_date
from shared.contracts.weather import (
    WeatherAlertCleared,
    WeatherAlertFact,
    WeatherAlertRaised,
    WeatherAlertUpdated,
)
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("billing")


@router.on(WeatherAlertRaised, WeatherAlertUpdated, WeatherAlertCleared)
async def keep_weather_hold(fact: WeatherAlertFact, tx: Tx) -> None:
    """Place, change or end the hold of an incident; an older revision changes nothing."""
    store = HoldStore(tx.connection)
    if not await store.newer_incident(fact.incident_id, fact.revision):
        return
    incident = _incident(fact)
    await store.close_incidents(fact.replaces)
    await lock_accounts(tx, await store.accounts("property", fact.property_id))
    before = await store.find(hold_of(fact.incident_id), lock=True)
    changed = False
    if before is not None or await _wanted(tx, fact.property_id, incident.known_on):
        changed = await _keep(store, before, held_by(incident, before, _fresh(tx, fact, incident)))
    for replaced in fact.replaces:
        known = await store.find(hold_of(replaced), lock=True)
        changed |= await _keep(store, known, over(known, incident.known_on))
    if changed:
        await store.look_again("property", fact.property_id)


async def _wanted(tx: Tx, property_id: UUID, on: date) -> bool:
    place = Place(property_id)
    book = await PolicyStore(tx.connection).book_around(place)
    return book.policy(place, on).hold_in_weather_emergency


async def _keep(store: HoldStore, before: PlacedHold | None, after: PlacedHold | None) -> bool:
    if before == after:
        return False
    if after is not None:
        await store.put(after)
    elif before is not None:
        await store.remove(before.hold_id)
    return True


def _incident(fact: WeatherAlertFact) -> Incident:
    known_on = _day(fact, fact.occurred_at)
    return Incident(
        incident_id=fact.incident_id,
        level=fact.level,
        is_open=not isinstance(fact, WeatherAlertCleared),
        known_on=known_on,
        begins_on=_day(fact, fact.onset_at) if fact.onset_at else known_on,
        ends_on=_day(fact, fact.ends_at) if fact.ends_at else None,
        name=fact.event_name,
    )


def _day(fact: WeatherAlertFact, moment: datetime) -> date:
    return local_date(moment, fact.time_zone)


def _fresh(tx: Tx, fact: WeatherAlertFact, incident: Incident) -> PlacedHold:
    return PlacedHold(
        hold_id=hold_of(fact.incident_id),
        scope="property",
        scope_id=fact.property_id,
        kind="emergency",
        starts_on=incident.begins_on,
        ends_on=incident.ends_on,
        reason=incident.name,
        placed_by=ORIGIN,
        placed_at=tx.at,
        origin=ORIGIN,
    )
