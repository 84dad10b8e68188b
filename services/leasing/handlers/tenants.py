"""Somebody becomes a tenant, and is reached differently."""

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from services.leasing.domain.refusals import Taken, Unknown
from services.leasing.domain.tenants import Tenant, TenantDetails, checked_tenant
from services.leasing.handlers import facts
from services.leasing.handlers.signing import follow_tenant
from services.leasing.store import locks, tenants
from shared.clock import zone
from shared.contracts.leasing import TenantContactChanged, TenantRegistered
from shared.identity import new_id
from shared.messaging.transaction import Tx


async def register_tenant(tx: Tx, details: TenantDetails) -> Tenant:
    """Take in a tenant. Raises `Invalid` or `Taken`."""
    await locks.share_portfolio(tx.connection)
    kept = checked_tenant(details, zone)
    stated = {item.name: getattr(kept, item.name) for item in fields(TenantDetails)}
    registered = Tenant(id=new_id(), **stated)
    if not await tenants.add_tenants(tx.connection, [registered]):
        raise _taken(kept.email)
    tx.emit(facts.of_tenant(TenantRegistered, registered))
    return registered


async def change_tenant(tx: Tx, identity: UUID, **changes: Any) -> Tenant:
    """Change how a tenant is reached; changing nothing says nothing.

    Raises `Unknown`, `Invalid` or `Taken`.
    """
    await locks.take_portfolio(tx.connection)
    before = await tenants.tenant_by_id(tx.connection, identity)
    if before is None:
        raise Unknown("tenant", identity)
    after = checked_tenant(replace(before, **changes), zone)
    if after == before:
        return before
    if after.email and await tenants.email_is_taken(tx.connection, after.email, by_other_than=identity):
        raise _taken(after.email)
    changed = replace(after, version=before.version + 1)
    await tenants.replace_tenant(tx.connection, changed)
    tx.emit(facts.of_tenant(TenantContactChanged, changed))
    await follow_tenant(tx, before, changed)
    return changed


def _taken(email: str | None) -> Taken:
    return Taken(f"There is a tenant with the e-mail address {email} already")
