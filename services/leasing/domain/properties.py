"""Properties and their units: what may be said of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from services.leasing.domain.checks import checked, line_of_text
from services.leasing.domain.refusals import Invalid, Wrong

KnownZone = Callable[[str], object]
"""Raises `ValueError` for a name that is not an IANA time zone."""

D = TypeVar("D", bound="PropertyDetails")

_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyDetails:
    """What somebody says about a property."""

    name: str
    address: str = ""
    time_zone: str
    latitude: float | None = None
    longitude: float | None = None
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property(PropertyDetails):
    """A property under management."""

    id: UUID
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a lease lets: one dwelling of a property."""

    id: UUID
    property_id: UUID
    label: str


def checked_property(details: D, known_zone: KnownZone) -> D:
    """The details as they are kept, or `Invalid`."""

    def time_zone(name: str) -> str:
        known_zone(line_of_text(name))
        return name.strip()

    kept = checked(
        details,
        {
            "name": line_of_text,
            "address": lambda text: line_of_text(text, longest=500, optional=True),
            "time_zone": time_zone,
            "latitude": lambda degrees: _degrees(degrees, 90),
            "longitude": lambda degrees: _degrees(degrees, 180),
            "currency": _currency,
        },
    )
    if (kept.latitude is None) != (kept.longitude is None):
        missing = "latitude" if kept.latitude is None else "longitude"
        raise Invalid([Wrong(missing, "is missing: a place needs both coordinates or none")])
    return kept


def checked_label(label: str) -> str:
    """A unit's label as it is kept, or `Invalid`."""
    try:
        return line_of_text(label, longest=50)
    except ValueError as reason:
        raise Invalid([Wrong("label", str(reason))]) from None


def _degrees(degrees: float | None, limit: int) -> float | None:
    if degrees is not None and not -limit <= degrees <= limit:  # also refuses NaN
        raise ValueError(f"{degrees} is not between -{limit} and {limit}")
    return degrees


def _currency(code: str) -> str:
    if not _CURRENCY.fullmatch(code):
        raise ValueError(f"{code!r} is not an ISO 4217 code such as USD")
    return code
