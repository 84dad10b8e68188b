"""A landlord's orders with defaults, given straight to the handlers: a test states only what matters to it."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from services.leasing import handlers
from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Property, PropertyDetails, Unit
from services.leasing.domain.tenants import Tenant, TenantDetails
from services.leasing.domain.terms import LeaseTerms
from shared.messaging.transaction import Transactions

PET = Charge(code="pet_rent", description="Pet rent", amount_cents=3_500)
PET_SAID = {
    "code": "pet_rent",
    "description": "Pet rent",
    "amount_cents": 3_500,
    "frequency": "monthly",
    "starts_on": None,
    "ends_on": None,
}


async def do(
    transactions: Transactions, command: Callable[..., Awaitable[Any]], *args: Any, **options: Any
) -> Any:
    async with transactions.command("test") as tx:
        return await command(tx, *args, **options)


async def a_property(transactions: Transactions, name: str = "Maple Court") -> Property:
    details = PropertyDetails(name=name, time_zone="America/New_York", latitude=42.5, longitude=-73.5)
    found = await do(transactions, handlers.register_property, details)
    assert isinstance(found, Property)
    return found


async def a_tenant(transactions: Transactions, name: str = "ann") -> Tenant:
    found = await do(
        transactions, handlers.register_tenant, TenantDetails(name=name, email=f"{name}@example.com")
    )
    assert isinstance(found, Tenant)
    return found


async def a_unit(transactions: Transactions) -> Unit:
    place = await a_property(transactions)
    found = await do(transactions, handlers.add_unit, place.id, "1A")
    assert isinstance(found, Unit)
    return found


def terms(start: str = "2026-01-01", end: str | None = None, **values: Any) -> LeaseTerms:
    ends_on = date.fromisoformat(end) if end else None
    defaults: dict[str, Any] = {
        "rent_cents": 125_000,
        "starts_on": date.fromisoformat(start),
        "ends_on": ends_on,
    }
    return LeaseTerms(**defaults | values)


async def a_lease(transactions: Transactions, signed: LeaseTerms | None = None) -> Lease:
    unit, tenant = await a_unit(transactions), await a_tenant(transactions)
    found = await do(transactions, handlers.sign_lease, unit.id, [tenant.id], signed or terms())
    assert isinstance(found, Lease)
    return found
