"""The facts of leasing: properties, tenants, leases and work orders as they are, each with a version."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Cents, Currency, Fact, Instant, Part, Period
from shared.contracts.cleaning import CleaningStep


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
    """A charge beside the rent, such as pet rent, parking or an annual inspection.

    `starts_on` and `ends_on` are its first and last day, both inclusive; without them it begins and ends
    with the lease. Quarterly and annual ones, and monthly ones beside weekly rent, count from the first day,
    and one that is charged once is charged on it. The same code may be there again for other days.
    """

    code: str
    description: str
    amount_cents: Cents
    frequency: Literal["monthly", "quarterly", "annual", "once"] = "monthly"
    starts_on: date | None = None
    ends_on: date | None = None


class RentChange(Part):
    """From this day on the rent is another."""

    effective_on: date
    rent_cents: Cents


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
    """The rent from the start, for one month, one week or four weeks, as `frequency` says."""
    charges: tuple[RecurringCharge, ...] = ()
    starts_on: date
    ends_on: date | None = None
    """The agreed end. It is the last day, inclusive, unless the lease rolls over."""
    due_day: int = Field(default=1, ge=1, le=31)
    """Day of the month; says nothing where rent is weekly or four-weekly."""
    frequency: Literal["monthly", "weekly", "four_weekly"] = "monthly"
    """Weeks, and stretches of four weeks, count from `starts_on`."""
    rent_changes: tuple[RentChange, ...] = ()
    """In the order of their days, one a day; each replaces the rent from its day on."""
    free_periods: tuple[Period, ...] = ()
    """Months free of rent, in order; charges beside the rent stay due."""
    rolls_over: bool = False
    """After `ends_on` the lease goes on from month to month until it is ended; an ended one never does."""
    renewal_of: UUID | None = None
    """The lease that this one directly follows, with the same unit and tenants."""
    account_id: UUID | None = None
    """The tenants' ledger: the id of the first lease in a chain of renewals; None is the lease itself."""


class LeaseActivated(LeaseFact, subject="lease_id"):
    """A lease is in force from its start."""


class LeaseChanged(LeaseFact, subject="lease_id"):
    """A lease's terms are different; carries all of them."""


class LeaseEnded(LeaseFact, subject="lease_id"):
    """A lease is over: `ends_on` says its last day."""


class WorkOrderFact(Fact):
    """A work order as it is now. A copy is replaced only by a newer `version`.

    It says whom the work concerns and when somebody comes; not who comes, nor who asked for it, and no notes.
    """

    work_order_id: UUID
    version: int
    number: str
    """How people call it, WO-2026-000123; whoever comes to the door can be asked for it."""
    property_id: UUID
    unit_id: UUID | None = None
    """None: the work is on the property, outside the units."""
    unit_label: str | None = None
    tenant_ids: tuple[UUID, ...] = ()
    """Who is to be told: the unit's tenants of that day, and the one who reported it while they live here."""
    time_zone: str
    title: str
    """In the office's words, for tenants to read."""
    category: str
    priority: Literal["emergency", "high", "normal", "low"]
    state: Literal["open", "assigned", "scheduled", "done", "cancelled"]
    change: Literal[
        "opened",
        "amended",
        "assigned",
        "unassigned",
        "scheduled",
        "rescheduled",
        "called_off",
        "completed",
        "cancelled",
        "reopened",
        "republished",
    ]
    """What this fact is about. `called_off`: the appointment is off, and the work in nobody's hands again.
    `republished` is no news to anybody who knew it."""
    occurred_at: Instant
    scheduled_from: Instant | None = None
    scheduled_until: Instant | None = None
    reason: str | None = None
    """What the office says to it, for tenants to read: always where it was cancelled or opened again."""


class WorkOrderOpened(WorkOrderFact, subject="work_order_id"):
    """Something is to be mended or looked after."""


class WorkOrderChanged(WorkOrderFact, subject="work_order_id"):
    """Something about a work order is different; carries its whole state."""


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""


class SigningFact(Fact):
    """Something about one signer's link to a lease. No fact holds the token that opens it."""

    link_id: UUID
    signer_id: UUID
    request_id: UUID
    """The lease as it was sent for signature, once; a lease that changed is sent anew."""
    lease_id: UUID
    property_id: UUID
    unit_label: str
    time_zone: str
    role: Literal["tenant", "landlord"]
    tenant_id: UUID | None = None
    """None for a signer who is no tenant."""


class SignerFact(SigningFact):
    """The same for the signer's own ears; one of the few messages that exist to carry personal data."""

    name: str
    email: str
    """Where this link was sent, whatever address its signer has by now."""
    locale: str = "en"
    expires_at: Instant


class SigningLinkIssued(SignerFact, subject="link_id"):
    """A signer got a link, their first one or another in place of it."""

    number: int
    """1 for the first link of a signer, one more for each time it was sent again."""
    replaces: UUID | None = None
    """The link that is dead from now on."""
    url: str
    """Where links begin; `/` and the token complete it."""
    ticket: str
    """What the token is made from under a key that is in no message; opens nothing by itself."""
    check: str
    """By which whoever makes the token knows that they have the right key."""
    issued_at: Instant


class SigningReminderDue(SignerFact, subject="link_id"):
    """A signer has not signed and their link runs out soon. Reminders that were missed are one."""

    reminder: int
    """1 for the first of this link."""
    url: str
    ticket: str
    check: str
    issued_at: Instant


class SigningLinkExpired(SignerFact, subject="link_id"):
    """A link ran out without a signature; said once per link. The other signers' links go on."""

    expired_at: Instant


class SigningLinkRevoked(SigningFact, subject="link_id"):
    """A link opens nothing any more, before its time."""

    reason: Literal["lease_changed", "lease_ended", "signed_on_paper", "address_changed", "office"]
    revoked_at: Instant


class SigningLinkUsed(SigningFact, subject="link_id"):
    """A signer has signed; the others may still have to."""

    signed_at: Instant


class SigningLinkWanted(SigningFact, subject="link_id"):
    """A signer whose link opens nothing any more asks the office for another; at most once a day."""

    state: Literal["expired", "replaced", "revoked"]
    wanted_at: Instant


class LeaseSigner(Part):
    """Somebody who signed; the name and address only of who is no tenant, because nobody else knows them."""

    signer_id: UUID
    role: Literal["tenant", "landlord"]
    tenant_id: UUID | None = None
    name: str | None = None
    email: str | None = None
    locale: str = "en"
    signed_at: Instant


class LeaseSigned(Fact, subject="lease_id"):
    """All signers have signed, or it was recorded that they did on paper. Said once per request."""

    lease_id: UUID
    request_id: UUID
    property_id: UUID
    unit_label: str
    time_zone: str
    tenant_ids: tuple[UUID, ...]
    method: Literal["electronic", "paper"]
    content_hash: str
    """SHA-256, in hexadecimal, of the terms as they were read and signed."""
    signers: tuple[LeaseSigner, ...] = ()
    signed_at: Instant
    signed_on: date
    """The date at the property; the one on the paper where it was signed on paper."""
