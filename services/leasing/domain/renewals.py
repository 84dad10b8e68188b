"""A lease is renewed: another one of the same unit and tenants follows it directly, on the same ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from services.leasing.domain.charges import Charge, carried_over
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import Invalid, LeaseIsOver, LeaseIsRenewed, Wrong
from services.leasing.domain.terms import Frequency, LeaseTerms, checked_terms, cut_off
from services.leasing.domain.values import days_of

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What is agreed anew. What is not said goes on as it was, but for the end: without one there is none."""

    starts_on: date | None = None
    ends_on: date | None = None
    rent_cents: int | None = None
    frequency: Frequency | None = None
    charges: tuple[Charge, ...] | None = None
    free_periods: tuple[str, ...] | None = None
    rolls_over: bool | None = None
    due_day: int | None = None


def refuse_second_renewal(lease: Lease, others: Iterable[Lease]) -> None:
    """Raise `LeaseIsRenewed` where one of the unit's other leases renews this one."""
    for other in others:
        if other.renewal_of == lease.id:
            message = f"Lease {lease.id} is renewed already, from {other.starts_on} by lease {other.id}"
            raise LeaseIsRenewed(message)


def refuse_gap(lease: Lease, others: Iterable[Lease]) -> None:
    """Raise `LeaseIsRenewed` where a lease would end before the day its renewal follows."""
    for other in others:
        if other.renewal_of == lease.id and lease.last_on != other.starts_on - _DAY:
            renewal = f"is renewed from {other.starts_on} by lease {other.id}"
            message = f"Lease {lease.id} {renewal}, and ends the day before"
            raise LeaseIsRenewed(message)


def renewal_start(lease: Lease, asked: date | None, today: date) -> date:
    """The first day of a renewal: the one asked for, or the day after the agreed end.

    A lease with an agreed end is not prolonged on the way; one that goes on from month to month may be
    renewed from any later day. Raises `Invalid` or `LeaseIsOver`.
    """
    agreed = lease.ends_on + _DAY if lease.ends_on else None
    starts_on = asked or agreed
    if starts_on is None:
        raise Invalid([Wrong("starts_on", "is missing: the lease has no agreed end to follow")])
    if asked is None and lease.rolls_over and starts_on <= today:
        reason = f"is missing: the lease has gone on from month to month since {lease.ends_on}"
        raise Invalid([Wrong("starts_on", reason)])
    if lease.state == "ended" and starts_on != agreed:
        message = f"Lease {lease.id} has ended, on {lease.ends_on}: a renewal begins the day after"
        raise LeaseIsOver(message)
    if lease.last_on is not None and starts_on > lease.last_on + _DAY:
        reason = f"{starts_on} does not follow directly: the lease ends on {lease.last_on}"
        raise Invalid([Wrong("starts_on", reason)])
    if starts_on - _DAY <= lease.starts_on:
        raise Invalid(
            [Wrong("starts_on", f"{starts_on} leaves nothing of the lease, from {lease.starts_on}")]
        )
    return starts_on


def closed(lease: Lease, starts_on: date) -> Lease:
    """The old lease with the day before its renewal as its last; the same one where it ends then anyway."""
    after = cut_off(lease, starts_on - _DAY)
    return lease if after == lease else replace(after, version=lease.version + 1)


def renewed(lease: Lease, renewal: Renewal, starts_on: date, identity: UUID) -> Lease:
    """The new lease. Raises `Invalid`."""
    stated = {
        item.name: value
        for item in fields(Renewal)
        if (value := getattr(renewal, item.name)) is not None and item.name != "starts_on"
    }
    terms = checked_terms(replace(_as_it_was(lease, renewal, starts_on), **stated))
    return replace(
        lease,
        **{item.name: getattr(terms, item.name) for item in fields(LeaseTerms)},
        id=identity,
        version=1,
        state="active",
        renewal_of=lease.id,
        account_id=lease.account,
    )


def _as_it_was(lease: Lease, renewal: Renewal, starts_on: date) -> LeaseTerms:
    """The old terms from the new start on, within the new dates."""
    frequency = renewal.frequency or lease.frequency
    by_month = frequency == "monthly"
    if frequency != lease.frequency and renewal.rent_cents is None:
        raise Invalid([Wrong("rent", f"is missing: so far it was {lease.frequency}")])
    changes = [item for item in lease.rent_changes if item.effective_on > starts_on]
    free = [month for month in lease.free_periods if days_of(month)[1] >= starts_on]
    rolls_over = lease.rolls_over if renewal.rolls_over is None else renewal.rolls_over
    terms = LeaseTerms(
        rent_cents=lease.rent_on(starts_on),
        frequency=frequency,
        rent_changes=tuple(changes) if renewal.rent_cents is None else (),
        free_periods=tuple(free) if by_month else (),
        charges=carried_over(
            lease.charges, lease.starts_on, starts_on, by_the_month=lease.frequency == "monthly"
        ),
        starts_on=starts_on,
        rolls_over=rolls_over,
        due_day=lease.due_day if by_month else 1,
    )
    if renewal.ends_on is None or rolls_over:
        return terms
    return cut_off(terms, renewal.ends_on)
