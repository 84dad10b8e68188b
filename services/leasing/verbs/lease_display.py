"""Leases as people and programs see them: the rent of today, what is to come, and what happens at the end."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.values import days_of
from services.leasing.store.leases import ListedLease
from shared.cli import print_record, print_table
from shared.clock import local_date
from shared.money import format_cents

_EVERY: Final = {"monthly": "", "weekly": " a week", "four_weekly": " every four weeks"}
_COLUMNS: Final = (
    *("Property", "Unit", "Tenants", "Rent today", "Coming"),
    *("From", "To", "Then", "Due day", "State", "Id"),
)


def print_leases(rows: Sequence[ListedLease], at: datetime, *, empty: str) -> None:
    """Leases as a person scans them, as they are at a moment."""
    print_table(_COLUMNS, [_cells(row, _today(row, at)) for row in rows], empty=empty)


def print_lease(listed: ListedLease, at: datetime) -> None:
    """One lease with all its terms."""
    print_record(_record(listed, _today(listed, at)))


def lease_document(listed: ListedLease, at: datetime) -> dict[str, Any]:
    """A lease as `--json` prints it: all terms, the tenants' names, and what they mean today."""
    lease, today = listed.lease, _today(listed, at)
    return asdict(lease) | {
        "property": listed.property,
        "tenants": list(listed.tenants),
        "tenant_ids": list(lease.tenant_ids),
        "account_id": lease.account,
        "renewed_by": listed.renewed_by,
        "today": today,
        "rent_today_cents": lease.rent_on(today),
        "coming_rent_changes": [asdict(item) for item in lease.rent_changes if item.effective_on > today],
        "last_on": lease.last_on,
        "then": _then(listed),
    }


def _today(listed: ListedLease, at: datetime) -> date:
    return local_date(at, listed.lease.time_zone)


def _then(listed: ListedLease) -> str:
    if listed.renewed_by is not None:
        return "renewed"
    return "month_to_month" if listed.lease.last_on is None else "ends"


def _cells(listed: ListedLease, today: date) -> list[object]:
    lease = listed.lease
    coming = [text for _, text in sorted(_coming(lease, today))]
    return [
        listed.property,
        lease.unit_label,
        ", ".join(listed.tenants),
        _rent(lease, lease.rent_on(today)),
        coming[0] + (f" (and {len(coming) - 1} more)" if coming[1:] else "") if coming else None,
        lease.starts_on,
        lease.ends_on,
        _then(listed).replace("_", " "),
        lease.due_day if lease.frequency == "monthly" else None,
        _state(lease, today),
        lease.id,
    ]


def _record(listed: ListedLease, today: date) -> dict[str, object]:
    lease = listed.lease
    tenants = zip(listed.tenants, lease.tenant_ids, strict=True)
    return {
        "Id": lease.id,
        "Property": f"{listed.property} ({lease.property_id})",
        "Unit": f"{lease.unit_label} ({lease.unit_id})",
        "Tenants": ", ".join(f"{name} ({identity})" for name, identity in tenants),
        "Rent today": _rent(lease, lease.rent_on(today)),
        "Rent": "; ".join(_rents(lease)),
        "Coming": "; ".join(text for _, text in sorted(_coming(lease, today))) or None,
        "Charges": "; ".join(_charge(lease, charge) for charge in lease.charges) or None,
        "Free months": ", ".join(lease.free_periods) or None,
        "From": lease.starts_on,
        "To": lease.ends_on,
        "Then": _end(listed),
        "Due day": lease.due_day if lease.frequency == "monthly" else "when its weeks begin",
        "State": _state(lease, today),
        "Renewal of": lease.renewal_of,
        "Account": lease.account,
        "Time zone": lease.time_zone,
        "Version": lease.version,
    }


def _state(lease: Lease, today: date) -> str:
    """As stored, but for a lease in force that today is before or after."""
    if lease.state == "active" and today < lease.starts_on:
        return "to come"
    if lease.state == "active" and lease.last_on is not None and lease.last_on < today:
        return "over"
    return lease.state


def _end(listed: ListedLease) -> str:
    if listed.renewed_by is not None:
        return f"renewed by lease {listed.renewed_by}"
    return "month to month, until it is ended" if listed.lease.last_on is None else "ends"


def _rents(lease: Lease) -> Iterator[str]:
    yield _rent(lease, lease.rent_cents)
    for change in lease.rent_changes:
        yield f"{_rent(lease, change.rent_cents)} from {change.effective_on}"


def _rent(lease: Lease, cents: int) -> str:
    return format_cents(cents, lease.currency) + _EVERY[lease.frequency]


def _coming(lease: Lease, today: date) -> Iterator[tuple[date, str]]:
    """What is agreed for days after today, with the day it begins."""
    for change in lease.rent_changes:
        if change.effective_on > today:
            yield (
                change.effective_on,
                f"{format_cents(change.rent_cents, lease.currency)} from {change.effective_on}",
            )
    for month in lease.free_periods:
        first, _ = days_of(month)
        if first > today:
            yield first, f"{month} is free"
    for charge in lease.charges:
        if charge.starts_on and charge.starts_on > today:
            yield charge.starts_on, f"{charge.description} from {charge.starts_on}"
        if charge.ends_on and charge.ends_on >= today:
            yield charge.ends_on, f"{charge.description} to {charge.ends_on}"


def _charge(lease: Lease, charge: Charge) -> str:
    words = [charge.description, format_cents(charge.amount_cents, lease.currency), charge.frequency]
    begins, ends = charge.starts_on, charge.ends_on
    if charge.frequency == "once":
        words.append(f"on {begins or lease.starts_on}")
    else:
        words += [f"from {begins}"] * bool(begins) + [f"to {ends}"] * bool(ends)
    return " ".join(words)
