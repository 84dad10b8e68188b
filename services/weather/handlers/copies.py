"""Weather's copies of what leasing says: where properties are, and what time it is there."""

from uuid import UUID

from services.weather.domain.incidents import Ledger, Reason
from services.weather.handlers.facts import fact_id, fact_of
from services.weather.store.conditions import ConditionStore
from services.weather.store.incidents import IncidentStore
from services.weather.store.places import PlaceStore, Property
from shared.contracts.leasing import PropertyChanged, PropertyFact, PropertyRegistered
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("weather")


@router.on(PropertyRegistered, PropertyChanged)
async def copy_property(fact: PropertyFact, tx: Tx) -> None:
    """Keep where a property is; what was going on at the place it left ends without an all-clear."""
    places = PlaceStore(tx.connection)
    location_id = await _place_of(fact, places)
    row = fact.model_dump(include={"property_id", "version", "name", "time_zone"})
    if await places.upsert_property(row | {"location_id": location_id}) is not None:
        await leave(tx, Property(fact.property_id, fact.name, fact.time_zone, location_id))


async def _place_of(fact: PropertyFact, places: PlaceStore) -> UUID | None:
    """The place of a property, to about ten metres; None where nobody said where it is."""
    if fact.latitude is None or fact.longitude is None:
        return None
    latitude, longitude = f"{fact.latitude:.4f}", f"{fact.longitude:.4f}"
    location_id = derived_id("location", latitude, longitude)
    await places.add_location(location_id, latitude, longitude)
    return location_id


async def leave(tx: Tx, place: Property) -> None:
    """End every incident of a property that is no longer where it was."""
    store = IncidentStore(tx.connection)
    property_id = place.property_id
    ledger = Ledger((await store.of_properties([property_id], tx.at))[property_id])
    for incident in ledger.open:
        ledger.close(incident, Reason.DISABLED, tx.at)
    await store.save(property_id, ledger.touched, ledger.changes, tx.at)
    await ConditionStore(tx.connection).forget_vigils(property_id)
    for change in ledger.changes:
        tx.emit(fact_of(change, place, tx), message_id=fact_id(change))
