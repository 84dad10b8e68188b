"""Reading one row of a portfolio: every mistake with its line and column.

A row is a lease with one tenant. A further tenant of the same lease is a further row of the same property,
unit and start, which says the same terms or none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from services.leasing.domain.charges import parse_charges
from services.leasing.domain.checks import natural_key
from services.leasing.domain.properties import KnownZone, PropertyDetails, checked_label, checked_property
from services.leasing.domain.refusals import Invalid
from services.leasing.domain.tenants import TenantDetails, channel, checked_tenant
from services.leasing.domain.terms import (
    LeaseTerms,
    checked_terms,
    frequency,
    parse_months,
    parse_rent_changes,
)
from services.leasing.domain.values import parse_amount, parse_day, parse_word

LeaseKey = tuple[str, str, str]
"""What the rows of one lease have in common: property, unit and start."""

TERMS: Final = (
    *("rent", "due_day", "starts_on", "ends_on", "charges"),
    *("frequency", "rent_changes", "free_months", "rolls_over"),
)
"""The columns that say a lease's terms."""

# What a field of ours is called in the file.
PROPERTY_COLUMNS: Final = {"name": "property"}
UNIT_COLUMNS: Final = {"label": "unit"}
TENANT_COLUMNS: Final = {"name": "tenant_name", "email": "tenant_email", "phone": "tenant_phone"}
LEASE_COLUMNS: Final = {"rent_cents": "rent", "free_periods": "free_months"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioRow:
    """A lease with one of its tenants: what one line of the file says."""

    line: int
    property: PropertyDetails
    unit: str
    tenant: TenantDetails
    terms: LeaseTerms

    def lease_key(self) -> LeaseKey:
        """What the rows of one lease have in common."""
        return (
            natural_key(self.property.name),
            natural_key(self.unit),
            self.terms.starts_on.isoformat(),
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line was refused."""

    line: int
    column: str
    reason: str


class RowReader:
    """Reads one line after the other; later lines may leave out what an earlier one said.

    That goes for the property, and where the rent is left out for all terms of the lease.
    """

    def __init__(self, known_zone: KnownZone) -> None:
        self._known_zone = known_zone
        self._mentioned: dict[str, PropertyDetails] = {}
        self._terms: dict[LeaseKey, Mapping[str, str]] = {}

    def read(self, line: int, cells: Mapping[str, str]) -> tuple[PortfolioRow | None, list[Problem]]:
        """What a line says, or what is wrong with it."""
        found = _Cells(line, self._with_terms(cells))
        details = found.judge(PROPERTY_COLUMNS, lambda: self._property(found))
        unit = found.judge(UNIT_COLUMNS, lambda: checked_label(found.text("unit")))
        tenant = found.judge(TENANT_COLUMNS, lambda: self._tenant(found, details))
        terms = found.judge(LEASE_COLUMNS, lambda: _terms(found))
        if found.problems or details is None or unit is None or tenant is None or terms is None:
            return None, found.problems
        self._mentioned.setdefault(natural_key(details.name), details)
        self._terms.setdefault(key_of(cells), {name: found.text(name) for name in TERMS})
        return PortfolioRow(line=line, property=details, unit=unit, tenant=tenant, terms=terms), []

    def _with_terms(self, cells: Mapping[str, str]) -> Mapping[str, str]:
        """The cells of a further tenant's row, with the terms that an earlier row said."""
        said = self._terms.get(key_of(cells), {})
        if cells.get("rent", "").strip() or not said:
            return cells
        return dict(cells) | {name: cells.get(name, "").strip() or text for name, text in said.items()}

    def _property(self, cells: "_Cells") -> PropertyDetails | None:
        latitude = cells.parsed("latitude", _number)
        longitude = cells.parsed("longitude", _number)
        if cells.failed("latitude", "longitude"):
            return None
        earlier = self._mentioned.get(natural_key(cells.text("property")))
        details = PropertyDetails(
            name=cells.text("property"),
            address=cells.text("address"),
            time_zone=cells.text("time_zone"),
            latitude=latitude,
            longitude=longitude,
            currency=cells.text("currency").upper() or "USD",
        )
        if earlier is not None:
            given = ("time_zone", "currency")
            details = replace(earlier, **{name: getattr(details, name) for name in given if cells.text(name)})
        return checked_property(details, self._known_zone)

    def _tenant(self, cells: "_Cells", home: PropertyDetails | None) -> TenantDetails | None:
        if not cells.text("tenant_email"):
            cells.refuse("tenant_email", "is missing: it is what a tenant is recognised by")
            return None
        way = cells.parsed("channel", channel)
        if cells.failed("channel"):
            return None
        details = TenantDetails(
            name=cells.text("tenant_name"),
            email=cells.text("tenant_email"),
            phone=cells.text("tenant_phone") or None,
            locale=cells.text("locale") or "en",
            channel=way or "email",
            time_zone=home.time_zone if home else None,
        )
        return checked_tenant(details, self._known_zone)


class _Cells:
    """One line's cells, and what is wrong with them."""

    def __init__(self, line: int, cells: Mapping[str, str]) -> None:
        self._line = line
        self._cells = cells
        self.problems: list[Problem] = []

    def text(self, column: str) -> str:
        """Blanks around a value mean nothing; line breaks are left for the checks to refuse."""
        return self._cells.get(column, "").strip(" \t")

    def parsed(self, column: str, parse: Callable[[str], Any]) -> Any:
        """The value of a cell, or None where it is empty or was refused."""
        try:
            return parse(self.text(column)) if self.text(column) else None
        except ValueError as reason:
            self.refuse(column, str(reason))
            return None

    def judge(self, columns: Mapping[str, str], make: Callable[[], Any]) -> Any:
        """What `make` makes, or None with its refusals under the names of the columns."""
        try:
            return make()
        except Invalid as refusal:
            for wrong in refusal.wrong:
                self.refuse(columns.get(wrong.field, wrong.field), wrong.reason)
            return None

    def refuse(self, column: str, reason: str) -> None:
        self.problems.append(Problem(self._line, column, reason))

    def failed(self, *columns: str) -> bool:
        return any(problem.column in columns for problem in self.problems)


def key_of(cells: Mapping[str, str]) -> LeaseKey:
    """The same key as a good row has, also of a row that is not."""
    return (
        natural_key(cells.get("property", "")),
        natural_key(cells.get("unit", "")),
        cells.get("starts_on", "").strip(),
    )


def _terms(cells: _Cells) -> LeaseTerms | None:
    for column in ("rent", "starts_on"):
        if not cells.text(column):
            cells.refuse(column, "is missing")
    found = {column: cells.parsed(column, parse) for column, parse in _TERMS_READ_BY.items()}
    if cells.failed(*TERMS):
        return None
    due_day = found["due_day"]
    return checked_terms(
        LeaseTerms(
            rent_cents=found["rent"],
            frequency=found["frequency"] or "monthly",
            rent_changes=found["rent_changes"] or (),
            free_periods=found["free_months"] or (),
            charges=found["charges"] or (),
            starts_on=found["starts_on"],
            ends_on=found["ends_on"],
            rolls_over=found["rolls_over"] or False,
            due_day=1 if due_day is None else due_day,
        )
    )


def _yes_or_no(text: str) -> bool:
    return parse_word(text, ("yes", "no")) == "yes"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 40.7128") from None


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


_TERMS_READ_BY: Final[Mapping[str, Callable[[str], Any]]] = {
    "rent": parse_amount,
    "starts_on": parse_day,
    "ends_on": parse_day,
    "due_day": _whole_number,
    "charges": parse_charges,
    "frequency": frequency,
    "rent_changes": parse_rent_changes,
    "free_months": parse_months,
    "rolls_over": _yes_or_no,
}
