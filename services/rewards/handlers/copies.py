"""Rewards' copies of what leasing says: properties, what tenants are called, and whose leases there are."""

from collections.abc import Sequence

from services.rewards.store import CopyStore
from shared.contracts.leasing import (
    LeaseActivated,
    LeaseChanged,
    LeaseEnded,
    LeaseFact,
    PropertyChanged,
    PropertyFact,
    PropertyRegistered,
    TenantContactChanged,
    TenantFact,
    TenantRegistered,
)
from shared.messaging.envelope import Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("rewards")


@router.on_batch(PropertyRegistered, PropertyChanged)
async def copy_properties(facts: Sequence[Received[PropertyFact]], tx: Tx) -> None:
    """Keep what rewards needs of properties; an older version changes nothing."""
    names = {"property_id", "version", "name", "time_zone"}
    await CopyStore(tx.connection).upsert_properties(fact.body.model_dump(include=names) for fact in facts)


@router.on_batch(TenantRegistered, TenantContactChanged)
async def copy_names(facts: Sequence[Received[TenantFact]], tx: Tx) -> None:
    """Keep what tenants are called, and nothing of how to reach them; an older version changes nothing."""
    kept = {"tenant_id", "version", "name"}
    await CopyStore(tx.connection).upsert_names(fact.body.model_dump(include=kept) for fact in facts)


@router.on_batch(LeaseActivated, LeaseChanged, LeaseEnded)
async def copy_leases(facts: Sequence[Received[LeaseFact]], tx: Tx) -> None:
    """Keep whose leases there are and how their rent is paid; an older version changes nothing."""
    names = {"lease_id", "version", "property_id", "tenant_ids", "frequency"}
    await CopyStore(tx.connection).upsert_leases(
        fact.body.model_dump(include=names) | {"account_id": fact.body.account_id or fact.body.lease_id}
        for fact in facts
    )
