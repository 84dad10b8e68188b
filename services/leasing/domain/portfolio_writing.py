"""Writing a portfolio as CSV, so that an import reads the same leases again."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Property
from services.leasing.domain.tenants import Tenant

_SEPARATOR: Final = ";"


def rows_of(lease: Lease, place: Property, tenants: Sequence[Tenant]) -> Iterator[dict[str, str]]:
    """A lease's rows: one with all terms for the first tenant, one without for each further one."""
    terms = _terms(lease)
    for tenant in tenants:
        yield {
            "property": place.name,
            "address": place.address,
            "time_zone": place.time_zone,
            "latitude": _number(place.latitude),
            "longitude": _number(place.longitude),
            "currency": place.currency,
            "unit": lease.unit_label,
            "tenant_name": tenant.name,
            "tenant_email": tenant.email or "",
            "tenant_phone": tenant.phone or "",
            "locale": tenant.locale,
            "channel": tenant.channel,
            "starts_on": lease.starts_on.isoformat(),
        } | terms
        terms = {}


def _terms(lease: Lease) -> dict[str, str]:
    return {
        "rent": _amount(lease.rent_cents),
        "due_day": str(lease.due_day),
        "ends_on": _day(lease.ends_on),
        "charges": _SEPARATOR.join(map(_charge, lease.charges)),
        "frequency": lease.frequency,
        "rent_changes": _SEPARATOR.join(
            f"{item.effective_on}:{_amount(item.rent_cents)}" for item in lease.rent_changes
        ),
        "free_months": _SEPARATOR.join(lease.free_periods),
        "rolls_over": "yes" if lease.rolls_over else "",
    }


def _charge(charge: Charge) -> str:
    """As `parse_charge` reads it; a separator in the text would begin another charge."""
    text = charge.description.replace(_SEPARATOR, ",")
    parts = [charge.code, text, _amount(charge.amount_cents), charge.frequency]
    if charge.starts_on or charge.ends_on:
        parts.append(_day(charge.starts_on))
    if charge.ends_on:
        parts.append(_day(charge.ends_on))
    return ":".join(parts)


def _amount(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest:02d}"


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _number(number: float | None) -> str:
    return "" if number is None else str(number)
