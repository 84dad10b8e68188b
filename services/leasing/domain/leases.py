"""Leases: their terms, and what may become of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from services.leasing.domain.checks import checked, line_of_text
from services.leasing.domain.refusals import Invalid, LeaseIsOver, LeasesOverlap, Wrong
from shared.money import parse_cents

LeaseState = Literal["active", "ended"]

T = TypeVar("T", bound="LeaseTerms")

_CODE = re.compile(r"[a-z][a-z0-9_]{0,49}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# A comma groups thousands or it is refused: "35,00" is not three and a half thousand.
_PLAIN_AMOUNT = re.compile(r"[$€£]?([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,12})(\.[0-9]{1,2})?")
_EARLIEST: Final = date(1900, 1, 1)
_LATEST: Final = date(2200, 1, 1)
_LARGEST_CENTS: Final = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A monthly charge beside the rent, such as pet rent or parking."""

    code: str
    description: str
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What landlord and tenants agree on."""

    rent_cents: int
    charges: tuple[Charge, ...] = ()
    starts_on: date
    ends_on: date | None = None
    """The last day; None runs from month to month."""
    due_day: int = 1


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


def checked_terms(terms: T) -> T:
    """The terms as they are kept, or `Invalid`."""
    kept = checked(
        terms,
        {
            "rent_cents": _amount,
            "charges": _charges,
            "starts_on": _day,
            "ends_on": lambda day: None if day is None else _day(day),
            "due_day": _due_day,
        },
    )
    if kept.ends_on is not None and kept.ends_on <= kept.starts_on:
        raise Invalid([Wrong("ends_on", f"{kept.ends_on} is not after the start on {kept.starts_on}")])
    return kept


def overlap(one: LeaseTerms, other: LeaseTerms) -> bool:
    """Whether two leases share a day; both the first and the last day belong to a lease."""
    return one.starts_on <= (other.ends_on or date.max) and other.starts_on <= (one.ends_on or date.max)


def refuse_overlap(terms: LeaseTerms, others: Iterable[Lease]) -> None:
    """Raise `LeasesOverlap` where one of the unit's other leases shares a day with these terms."""
    for other in others:
        if overlap(terms, other):
            until = f"to {other.ends_on}" if other.ends_on else "on, without an end"
            message = f"Unit {other.unit_label} is let from {other.starts_on} {until} (lease {other.id})"
            raise LeasesOverlap(message)


def changed(lease: Lease, changes: dict[str, Any]) -> Lease:
    """The lease under new terms; the same one where nothing is different."""
    if lease.state == "ended":
        message = f"Lease {lease.id} has ended: its terms no longer change"
        raise LeaseIsOver(message)
    after = checked_terms(replace(lease, **changes))
    return lease if after == lease else replace(after, version=lease.version + 1)


def ended(lease: Lease, on: date) -> Lease:
    """The lease with its last day; an end is only ever brought forward."""
    if lease.state == "ended":
        message = f"Lease {lease.id} has ended already, on {lease.ends_on}"
        raise LeaseIsOver(message)
    if on < lease.starts_on:
        raise Invalid([Wrong("on", f"{on} is before the lease starts, on {lease.starts_on}")])
    if lease.ends_on is not None and on > lease.ends_on:
        raise Invalid(
            [Wrong("on", f"{on} is after the agreed end, on {lease.ends_on}: change the lease instead")]
        )
    return replace(lease, ends_on=on, state="ended", version=lease.version + 1)


def parse_day(text: str) -> date:
    """A day written as 2026-09-30, and in no other way."""
    try:
        if not _DAY.fullmatch(text.strip()):
            raise ValueError(text)
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-09-30") from None


def parse_amount(text: str) -> int:
    """Cents of an amount above zero."""
    plain = text.strip()
    if not _PLAIN_AMOUNT.fullmatch(plain):
        raise ValueError(f"{text!r} is not an amount such as 1234.50")
    return _amount(parse_cents(plain))


def parse_charge(text: str) -> Charge:
    """A charge written as `pet_rent:Pet rent:35.00`."""
    code, _, rest = text.partition(":")
    description, _, amount = rest.rpartition(":")
    if not (code.strip() and description.strip() and amount.strip()):
        raise ValueError(f"{text!r} is not a charge such as pet_rent:Pet rent:35.00")
    return Charge(
        code=code.strip(), description=description.strip(), amount_cents=parse_amount(amount.strip())
    )


def parse_charges(text: str) -> tuple[Charge, ...]:
    """Any number of charges, separated by semicolons."""
    return tuple(parse_charge(part) for part in text.split(";") if part.strip())


def _amount(cents: int) -> int:
    if not 0 < cents <= _LARGEST_CENTS:
        raise ValueError(f"{cents / 100:.2f} is not an amount above zero and below a thousand million")
    return cents


def _charges(charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    codes = [charge.code for charge in charges]
    for charge in charges:
        if not _CODE.fullmatch(charge.code):
            raise ValueError(
                f"code {charge.code!r} is not lower-case letters, digits and _, such as pet_rent"
            )
        if codes.count(charge.code) > 1:
            raise ValueError(f"code {charge.code!r} is there twice")
        line_of_text(charge.description)
        _amount(charge.amount_cents)
    return tuple(charges)


def _day(day: date) -> date:
    if not _EARLIEST <= day < _LATEST:
        raise ValueError(f"{day} is not between {_EARLIEST.year} and {_LATEST.year}")
    return day


def _due_day(day: int) -> int:
    if not 1 <= day <= 31:
        raise ValueError(f"{day} is not a day of the month, 1 to 31")
    return day
