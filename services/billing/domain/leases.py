"""What billing knows of a lease: enough to say what it owes for any period."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

Frequency = Literal["monthly", "weekly", "four_weekly"]
"""How long one billing period of a lease is."""

ChargeFrequency = Literal["monthly", "quarterly", "annual", "once"]


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount beside the rent.

    A monthly one accompanies the rent from `starts_on` to `ends_on`, and is prorated like it. The others
    are owed whole on a day: `starts_on`, and for a quarterly or an annual one every three or twelve
    months after it. Without `starts_on` they begin with the lease.
    """

    code: str
    """Names it within its lease; a second charge of a lease has another code."""
    description: str
    amount_cents: int
    frequency: ChargeFrequency = "monthly"
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class RentChange:
    """Another rent from a day on."""

    effective_on: date
    rent_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RentTerms:
    """What is agreed about money and dates."""

    rent_cents: int
    """For one whole period of `frequency`, until the first of the `rent_changes`."""
    starts_on: date
    ends_on: date | None = None
    """The last day agreed; None runs on until somebody ends it."""
    rolls_over: bool = False
    """After `ends_on` the lease goes on from month to month, until somebody ends it."""
    due_day: int = 1
    frequency: Frequency = "monthly"
    rent_changes: tuple[RentChange, ...] = ()
    free_periods: tuple[str, ...] = ()
    """Months without rent, such as "2026-09"."""
    charges: tuple[Charge, ...] = ()

    @property
    def last_on(self) -> date | None:
        """The last day on which rent is owed; None while no end is known."""
        return None if self.rolls_over else self.ends_on

    def in_force(self, starts_on: date, ends_on: date) -> tuple[date, date] | None:
        """The first and last of these days that belong to the lease, or None where none does."""
        first = max(starts_on, self.starts_on)
        last = ends_on if self.last_on is None else min(ends_on, self.last_on)
        return (first, last) if first <= last else None

    def rent_on(self, day: date) -> int:
        """The rent of a whole period, as agreed for this day."""
        made = [change for change in self.rent_changes if change.effective_on <= day]
        return max(made, key=lambda change: change.effective_on).rent_cents if made else self.rent_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms(RentTerms):
    """A lease as billing's copy has it."""

    lease_id: UUID
    account_id: UUID
    """The ledger its invoices and payments are on: the first lease of a chain of renewals."""
    renewal_of: UUID | None = None
    property_id: UUID
    unit_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: str
