"""Leases are signed, changed, renewed and ended; the unit's row lets one decision be made at a time."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import date
from typing import Any
from uuid import UUID

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import (
    Lease,
    changed,
    ended,
    refuse_end_that_is_none,
    refuse_overlap,
    without_charge,
)
from services.leasing.domain.properties import Property, Unit
from services.leasing.domain.refusals import Invalid, Unknown, Wrong
from services.leasing.domain.renewals import (
    Renewal,
    closed,
    refuse_gap,
    refuse_second_renewal,
    renewal_start,
    renewed,
)
from services.leasing.domain.terms import LeaseTerms, RentChange, checked_terms
from services.leasing.handlers import facts
from services.leasing.handlers.signing import review_signatures
from services.leasing.store import leases, locks, properties, tenants
from shared.clock import local_date
from shared.contracts.leasing import LeaseActivated, LeaseChanged, LeaseEnded
from shared.identity import new_id
from shared.messaging.transaction import Tx


async def sign_lease(tx: Tx, unit_id: UUID, tenant_ids: Sequence[UUID], terms: LeaseTerms) -> Lease:
    """Let a unit to one or several tenants. Raises `Invalid`, `Unknown` or `LeasesOverlap`."""
    await locks.share_portfolio(tx.connection)
    kept = checked_terms(terms)
    unit, place = await _unit_to_let(tx, unit_id)
    await _require_tenants(tx, tenant_ids)
    others = await leases.leases_of_units(tx.connection, [unit_id])
    refuse_overlap(kept, others.get(unit_id, []))
    stated = {item.name: getattr(kept, item.name) for item in fields(LeaseTerms)}
    lease = Lease(
        id=new_id(),
        property_id=place.id,
        unit_id=unit.id,
        unit_label=unit.label,
        tenant_ids=tuple(tenant_ids),
        time_zone=place.time_zone,
        currency=place.currency,
        **stated,
    )
    await leases.add_leases(tx.connection, [lease])
    tx.emit(facts.of_lease(LeaseActivated, lease))
    return lease


async def change_lease(
    tx: Tx,
    identity: UUID,
    *,
    scheduled: Sequence[RentChange] = (),
    taken_back: Collection[date] = (),
    **changes: Any,
) -> Lease:
    """Change a lease's terms; `scheduled` rent changes come beside those that are agreed.

    Raises `Unknown`, `Invalid`, `LeaseIsOver`, `LeaseIsRenewed` or `LeasesOverlap`.
    """
    before = await _lease_to_change(tx, identity)
    refuse_end_that_is_none(before, changes, local_date(tx.at, before.time_zone))
    return await _change(tx, before, changed(before, changes, scheduled=scheduled, taken_back=taken_back))


async def add_charge(tx: Tx, identity: UUID, charge: Charge) -> Lease:
    """Agree on another charge. Raises `Unknown`, `Invalid` or `LeaseIsOver`."""
    before = await _lease_to_change(tx, identity)
    return await _change(tx, before, changed(before, {"charges": (*before.charges, charge)}))


async def remove_charge(tx: Tx, identity: UUID, code: str, on: date) -> Lease:
    """Let a day be the last one of a charge. Raises `Unknown`, `Invalid` or `LeaseIsOver`."""
    before = await _lease_to_change(tx, identity)
    return await _change(tx, before, without_charge(before, code, on))


async def renew_lease(tx: Tx, identity: UUID, renewal: Renewal) -> Lease:
    """Let the same unit to the same tenants from the day after; the old lease gets its end.

    Raises `Unknown`, `Invalid`, `LeaseIsOver`, `LeaseIsRenewed` or `LeasesOverlap`.
    """
    old = await _lease_to_change(tx, identity)
    others = await _others(tx, old)
    refuse_second_renewal(old, others)
    starts_on = renewal_start(old, renewal.starts_on, local_date(tx.at, old.time_zone))
    lease = renewed(old, renewal, starts_on, new_id())
    refuse_overlap(lease, others)
    before = closed(old, starts_on)
    if before is not old:
        await leases.replace_lease(tx.connection, before)
        tx.emit(facts.of_lease(LeaseChanged, before))
        await review_signatures(tx, [before.id])
    await leases.add_leases(tx.connection, [lease])
    tx.emit(facts.of_lease(LeaseActivated, lease))
    return lease


async def end_lease(tx: Tx, identity: UUID, on: date) -> Lease:
    """Give a lease its last day. Raises `Unknown`, `Invalid`, `LeaseIsOver` or `LeaseIsRenewed`."""
    before = await _lease_to_change(tx, identity)
    over = ended(before, on)
    refuse_gap(over, await _others(tx, before))
    await leases.replace_lease(tx.connection, over)
    tx.emit(facts.of_lease(LeaseEnded, over))
    await review_signatures(tx, [over.id])
    return over


async def _change(tx: Tx, before: Lease, after: Lease) -> Lease:
    """Keep and announce what is different; nothing where nothing is."""
    if after is before:
        return before
    others = await _others(tx, before)
    refuse_overlap(after, others)
    refuse_gap(after, others)
    await leases.replace_lease(tx.connection, after)
    tx.emit(facts.of_lease(LeaseChanged, after))
    await review_signatures(tx, [after.id])
    return after


async def _others(tx: Tx, lease: Lease) -> list[Lease]:
    of_unit = await leases.leases_of_units(tx.connection, [lease.unit_id])
    return [other for other in of_unit[lease.unit_id] if other.id != lease.id]


async def _unit_to_let(tx: Tx, unit_id: UUID) -> tuple[Unit, Property]:
    await properties.hold_unit(tx.connection, unit_id)
    unit = await properties.unit_by_id(tx.connection, unit_id)
    place = await properties.property_by_id(tx.connection, unit.property_id) if unit else None
    if unit is None or place is None:
        raise Unknown("unit", unit_id)
    return unit, place


async def _require_tenants(tx: Tx, tenant_ids: Sequence[UUID]) -> None:
    if not tenant_ids or len(set(tenant_ids)) < len(tenant_ids):
        raise Invalid([Wrong("tenants", "must be one or several, each of them once")])
    known = await tenants.known_tenants(tx.connection, tenant_ids)
    for tenant_id in tenant_ids:
        if tenant_id not in known:
            raise Unknown("tenant", tenant_id)


async def _lease_to_change(tx: Tx, identity: UUID) -> Lease:
    await locks.share_portfolio(tx.connection)
    found = await leases.lease_by_id(tx.connection, identity)
    if found is None:
        raise Unknown("lease", identity)
    await properties.hold_unit(tx.connection, found.unit_id)
    # Read again: somebody may have changed it while we waited for the unit.
    current = await leases.lease_by_id(tx.connection, identity)
    assert current is not None  # noqa: S101 - leases are never deleted
    return current
