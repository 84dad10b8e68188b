"""Leases: who has which unit from when to when, and what may become of that."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal
from uuid import UUID

from services.leasing.domain.charges import ended_charge
from services.leasing.domain.refusals import Invalid, LeaseIsOver, LeasesOverlap, Wrong
from services.leasing.domain.terms import LeaseTerms, RentChange, checked_terms, cut_off

LeaseState = Literal["active", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(LeaseTerms):
    """A signed lease, with what it takes from its unit and property."""

    id: UUID
    version: int = 1
    state: LeaseState = "active"
    property_id: UUID
    unit_id: UUID
    unit_label: str
    tenant_ids: tuple[UUID, ...]
    time_zone: str
    currency: str
    renewal_of: UUID | None = None
    account_id: UUID | None = None
    """The tenants' ledger: the first lease in a chain of renewals; None is this one."""

    @property
    def account(self) -> UUID:
        """The ledger this lease is booked on."""
        return self.account_id or self.id


def overlap(one: LeaseTerms, other: LeaseTerms) -> bool:
    """Whether two leases share a day; both the first and the last day belong to a lease."""
    return one.starts_on <= (other.last_on or date.max) and other.starts_on <= (one.last_on or date.max)


def refuse_overlap(terms: LeaseTerms, others: Iterable[Lease]) -> None:
    """Raise `LeasesOverlap` where one of the unit's other leases shares a day with these terms."""
    for other in others:
        if overlap(terms, other):
            message = (
                f"Unit {other.unit_label} is let from {other.starts_on} {_until(other)} (lease {other.id})"
            )
            raise LeasesOverlap(message)


def _until(lease: Lease) -> str:
    if lease.rolls_over:
        return f"to {lease.ends_on} and then from month to month, until it is ended"
    return f"to {lease.ends_on}" if lease.ends_on else "on, without an end"


def changed(
    lease: Lease,
    changes: dict[str, Any],
    *,
    scheduled: Sequence[RentChange] = (),
    taken_back: Collection[date] = (),
) -> Lease:
    """The lease under new terms; the same one where nothing is different.

    `scheduled` rent changes come beside those that are agreed, those from the days `taken_back` go first.
    An earlier end takes with it what lies beyond it.
    """
    if lease.state == "ended":
        message = f"Lease {lease.id} has ended: its terms no longer change"
        raise LeaseIsOver(message)
    kept = [item for item in lease.rent_changes if item.effective_on not in taken_back]
    if missing := set(taken_back) - {item.effective_on for item in lease.rent_changes}:
        raise Invalid([Wrong("rent_changes", f"have none from {min(missing)} to take back")])
    last_on = replace(lease, **changes).last_on
    base = replace(lease, rent_changes=tuple(kept))
    base = base if last_on is None else cut_off(base, last_on)
    planned = replace(base, rent_changes=(*base.rent_changes, *scheduled))
    after = checked_terms(replace(planned, **changes))
    return lease if after == lease else replace(after, version=lease.version + 1)


def refuse_end_that_is_none(lease: Lease, changes: dict[str, Any], today: date) -> None:
    """Raise `Invalid` where "and then it ends" means no day, or one that has gone by.

    A lease that has gone on past its agreed end is ended on a day: months that were lived in stay.
    """
    if changes.get("rolls_over") is not False or "ends_on" in changes:
        return
    if lease.ends_on is None:
        raise Invalid([Wrong("then", "is end, and the lease has no agreed end")])
    if lease.rolls_over and lease.ends_on < today:
        reason = f"is too late: the lease has gone on since {lease.ends_on}; end it on a day instead"
        raise Invalid([Wrong("then", reason)])


def without_charge(lease: Lease, code: str, on: date) -> Lease:
    """The lease with this day the last of a charge. Raises `Invalid` or `LeaseIsOver`."""
    return changed(lease, {"charges": ended_charge(lease.charges, code, on, lease.starts_on)})


def ended(lease: Lease, on: date) -> Lease:
    """The lease with its last day; an agreed end is only brought forward, unless the lease rolls over."""
    if lease.state == "ended":
        message = f"Lease {lease.id} has ended already, on {lease.ends_on}"
        raise LeaseIsOver(message)
    if on < lease.starts_on:
        raise Invalid([Wrong("on", f"{on} is before the lease starts, on {lease.starts_on}")])
    if lease.last_on is not None and on > lease.last_on:
        raise Invalid(
            [Wrong("on", f"{on} is after the agreed end, on {lease.ends_on}: change the lease instead")]
        )
    return replace(cut_off(lease, on), state="ended", version=lease.version + 1)
