"""What leasing says of its aggregates: their whole state, in the words of the contracts."""

from dataclasses import asdict
from typing import TypeVar

from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Property
from services.leasing.domain.tenants import Tenant
from shared.contracts.leasing import LeaseFact, PropertyFact, TenantFact

P = TypeVar("P", bound=PropertyFact)
T = TypeVar("T", bound=TenantFact)
L = TypeVar("L", bound=LeaseFact)


def of_property(contract: type[P], item: Property) -> P:
    """A property as it is now."""
    return contract.model_validate(asdict(item) | {"property_id": item.id})


def of_tenant(contract: type[T], item: Tenant) -> T:
    """A tenant's contact as it is now."""
    return contract.model_validate(asdict(item) | {"tenant_id": item.id})


def of_lease(contract: type[L], item: Lease) -> L:
    """A lease's terms as they are now, and whose ledger it is on."""
    return contract.model_validate(asdict(item) | {"lease_id": item.id, "account_id": item.account})
