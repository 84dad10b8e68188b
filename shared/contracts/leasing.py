"""The facts of leasing: properties, tenants and leases as they are, with a version per aggregate."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Cents, Currency, Fact, Part


class PropertyFact(Fact):
    """A property as it is now. A copy is replaced only by a newer `version`."""

    property_id: UUID
    version: int
    name: str
    address: str
    time_zone: str
    latitude: float | None = None
    longitude: float | None = None
    currency: Currency = "USD"


class PropertyRegistered(PropertyFact, subject="property_id"):
    """A property came under management."""


class PropertyChanged(PropertyFact, subject="property_id"):
    """Something about a property is different; carries its whole state."""


class TenantFact(Fact):
    """A tenant and how to reach them; one of the few messages that exist to carry personal data."""

    tenant_id: UUID
    version: int
    name: str
    email: str | None = None
    phone: str | None = None
    locale: str = "en"
    channel: Literal["email", "sms", "in_app"] = "email"
    time_zone: str | None = None


class TenantRegistered(TenantFact, subject="tenant_id"):
    """Somebody became a tenant."""


class TenantContactChanged(TenantFact, subject="tenant_id"):
    """A tenant is reached differently from now on; carries the whole contact."""


class RecurringCharge(Part):
    """A monthly charge beside the rent, such as pet rent or parking."""

    code: str
    description: str
    amount_cents: Cents


class LeaseFact(Fact):
    """A lease's terms as they are now: what billing needs to issue its invoices."""

    lease_id: UUID
    version: int
    property_id: UUID
    unit_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: Currency = "USD"
    rent_cents: Cents
    charges: tuple[RecurringCharge, ...] = ()
    starts_on: date
    ends_on: date | None = None
    due_day: int = Field(default=1, ge=1, le=31)


class LeaseActivated(LeaseFact, subject="lease_id"):
    """A lease is in force from its start."""


class LeaseChanged(LeaseFact, subject="lease_id"):
    """A lease's terms are different; carries all of them."""


class LeaseEnded(LeaseFact, subject="lease_id"):
    """A lease is over: `ends_on` says its last day."""
