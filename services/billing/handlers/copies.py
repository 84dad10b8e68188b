"""Billing's copies of what leasing says: properties and the terms of leases."""

from collections.abc import Sequence

from services.billing.domain.leases import Charge, LeaseTerms, RentChange
from services.billing.store import LeaseStore
from shared.contracts.leasing import (
    LeaseActivated,
    LeaseChanged,
    LeaseEnded,
    LeaseFact,
    PropertyChanged,
    PropertyFact,
    PropertyRegistered,
    RecurringCharge,
)
from shared.messaging.envelope import Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("billing")


@router.on(PropertyRegistered, PropertyChanged)
async def copy_property(fact: PropertyFact, tx: Tx) -> None:
    """Keep what billing needs of a property; an older version changes nothing."""
    await LeaseStore(tx.connection).upsert_property(
        fact.model_dump(include={"property_id", "version", "name", "time_zone", "currency"})
    )


@router.on_batch(LeaseActivated, LeaseChanged, LeaseEnded)
async def copy_leases(facts: Sequence[Received[LeaseFact]], tx: Tx) -> None:
    """Keep the terms that invoices are issued under; an older version changes nothing."""
    await LeaseStore(tx.connection).upsert_leases((_terms(fact.body), fact.body.version) for fact in facts)


def _terms(fact: LeaseFact) -> LeaseTerms:
    return LeaseTerms(
        lease_id=fact.lease_id,
        account_id=fact.account_id or fact.lease_id,
        renewal_of=fact.renewal_of,
        property_id=fact.property_id,
        unit_id=fact.unit_id,
        unit_label=fact.unit_label,
        tenant_ids=fact.tenant_ids,
        time_zone=fact.time_zone,
        currency=fact.currency,
        frequency=fact.frequency,
        rent_cents=fact.rent_cents,
        rent_changes=tuple(RentChange(item.effective_on, item.rent_cents) for item in fact.rent_changes),
        free_periods=fact.free_periods,
        charges=tuple(_charge(item) for item in fact.charges),
        starts_on=fact.starts_on,
        ends_on=fact.ends_on,
        # Whatever an older fact said: what has ended goes on no longer.
        rolls_over=fact.rolls_over and not isinstance(fact, LeaseEnded),
        due_day=fact.due_day,
    )


def _charge(item: RecurringCharge) -> Charge:
    return Charge(
        item.code, item.description, item.amount_cents, item.frequency, item.starts_on, item.ends_on
    )
