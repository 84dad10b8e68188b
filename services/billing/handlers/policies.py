"""Setting a policy: planned, compared with what holds, kept as a new version. The dry run is the plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.lawful_policies import refuse_unlawful_policy
from services.billing.domain.leases import LeaseTerms
from services.billing.domain.policies import BillingPolicy, read_layer
from services.billing.domain.policy_book import Place, PolicyVersion
from services.billing.domain.policy_changes import Change, plan_change
from services.billing.jurisdictions import profiles
from services.billing.store import LeaseStore, PolicyStore, ReminderStore
from services.billing.store.policies import OpenInvoices
from shared.messaging.transaction import Tx


class PlaceUnknown(LookupError):
    """Billing has no copy of that property or lease."""


class PolicyChangedMeanwhile(Exception):
    """Somebody else has set the same policy since it was looked at."""

    code = "policy_changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Located:
    """A place that a policy is set for, as billing knows it."""

    place: Place
    name: str
    time_zone: str
    lease: LeaseTerms | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A change before it is made, and the invoices that it does not touch."""

    change: Change
    keeping: OpenInvoices


async def locate(connection: AsyncConnection, property_id: UUID | None, lease_id: UUID | None) -> Located:
    """The place that is meant by a lease, a property or neither. Raises `PlaceUnknown`."""
    store = LeaseStore(connection)
    if lease_id is not None:
        lease = (await store.terms([lease_id])).get(lease_id)
        if lease is None or property_id not in {None, lease.property_id}:
            message = f"no lease {lease_id}" + ("" if lease is None else f" at property {property_id}")
            raise PlaceUnknown(message)
        place = Place(lease.property_id, lease_id)
        return Located(place, f"lease {lease_id} ({lease.unit_label})", lease.time_zone, lease)
    if property_id is None:
        return Located(Place(), "everything", "UTC")
    known = (await store.time_zones_of([property_id])).get(property_id)
    if known is None:
        message = f"no property {property_id}"
        raise PlaceUnknown(message)
    return Located(Place(property_id), await store.property_named(property_id) or str(property_id), known)


async def plan_policy(
    connection: AsyncConnection,
    place: Place,
    on: date,
    given: Mapping[str, Any],
    *,
    taken_back: Iterable[str] = (),
) -> Planned:
    """What setting these fields at a place from a day on comes to.

    Raises `BadDocument` for fields that are wrong, and `UnlawfulPolicy` where the profile of a property
    does not allow what would then hold there.
    """
    store = PolicyStore(connection)
    change = plan_change(await store.book_around(place), place, on, read_layer(given), taken_back=taken_back)
    await _refuse_unlawful(connection, change)
    return Planned(change, await store.open_invoices(place))


async def _refuse_unlawful(connection: AsyncConnection, change: Change) -> None:
    """Judge what would hold for each lease that the change reaches, and for the place itself."""
    on = change.effective_on
    rents: dict[BillingPolicy, set[int]] = {change.policy: set()}
    for lease in await PolicyStore(connection).rents(change.place):
        place = Place(lease.property_id, lease.lease_id)
        rents.setdefault(change.book.policy(place, on), set()).add(lease.rent_cents)
    for policy, of_leases in rents.items():
        refuse_unlawful_policy(policy, profiles(), on=on, rents=of_leases)


async def keep_policy(tx: Tx, change: Change, *, reason: str, by: str) -> None:
    """Keep a planned change as the layer's next version. Raises `PolicyChangedMeanwhile`."""
    scope, scope_id = change.layer
    version = PolicyVersion(
        scope=scope,
        scope_id=scope_id,
        version=change.version,
        effective_on=change.effective_on,
        terms=change.terms,
        reason=reason,
        set_by=by,
        set_at=tx.at,
    )
    if not await PolicyStore(tx.connection).add(version):
        message = f"the {scope}'s policy has a version {change.version} since a moment ago"
        raise PolicyChangedMeanwhile(message)
    if any(item.name == "reminder_stages" for item in change.differences):
        await ReminderStore(tx.connection).look_again(change.place, change.effective_on)
