"""Properties and units come under management, and change."""

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from services.leasing.domain.properties import (
    Property,
    PropertyDetails,
    Unit,
    checked_label,
    checked_property,
)
from services.leasing.domain.refusals import Taken, Unknown
from services.leasing.handlers import facts
from services.leasing.handlers.signing import review_signatures
from services.leasing.store import leases, locks, properties, signing
from shared.clock import zone
from shared.contracts.leasing import LeaseChanged, PropertyChanged, PropertyRegistered
from shared.identity import new_id
from shared.messaging.transaction import Tx


async def register_property(tx: Tx, details: PropertyDetails) -> Property:
    """Take a property under management. Raises `Invalid` or `Taken`."""
    await locks.share_portfolio(tx.connection)
    kept = checked_property(details, zone)
    stated = {item.name: getattr(kept, item.name) for item in fields(PropertyDetails)}
    registered = Property(id=new_id(), **stated)
    if not await properties.add_properties(tx.connection, [registered]):
        raise Taken(f"There is a property named {kept.name} already")
    tx.emit(facts.of_property(PropertyRegistered, registered))
    return registered


async def change_property(tx: Tx, identity: UUID, **changes: Any) -> Property:
    """Change what is said of a property, and of its leases where they carry it.

    Raises `Unknown`, `Invalid` or `Taken`; changing nothing says nothing.
    """
    await locks.take_portfolio(tx.connection)
    before = await properties.property_by_id(tx.connection, identity)
    if before is None:
        raise Unknown("property", identity)
    after = checked_property(replace(before, **changes), zone)
    if after == before:
        return before
    if await properties.name_is_taken(tx.connection, after.name, by_other_than=identity):
        raise Taken(f"There is a property named {after.name} already")
    changed = replace(after, version=before.version + 1)
    await properties.replace_property(tx.connection, changed)
    tx.emit(facts.of_property(PropertyChanged, changed))
    if (after.time_zone, after.currency) != (before.time_zone, before.currency):
        affected = await leases.bump_leases_of_property(tx.connection, identity)
        tx.emit(*(facts.of_lease(LeaseChanged, lease) for lease in affected))
    await review_signatures(tx, await signing.open_leases_of_property(tx.connection, identity))
    return changed


async def add_unit(tx: Tx, property_id: UUID, label: str) -> Unit:
    """Add a dwelling to a property; others hear of it when it is let.

    Raises `Unknown`, `Invalid` or `Taken`.
    """
    await locks.share_portfolio(tx.connection)
    place = await properties.property_by_id(tx.connection, property_id)
    if place is None:
        raise Unknown("property", property_id)
    unit = Unit(id=new_id(), property_id=property_id, label=checked_label(label))
    if not await properties.add_units(tx.connection, [unit]):
        raise Taken(f"{place.name} has a unit {unit.label} already")
    return unit
