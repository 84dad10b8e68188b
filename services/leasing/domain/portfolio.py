"""Reading a portfolio from CSV: one row per lease, every mistake with its line and column."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.leasing.domain.charges import parse_charges
from services.leasing.domain.checks import natural_key
from services.leasing.domain.properties import KnownZone, PropertyDetails, checked_label, checked_property
from services.leasing.domain.refusals import Invalid, Refusal
from services.leasing.domain.tenants import TenantDetails, channel, checked_tenant
from services.leasing.domain.terms import LeaseTerms, checked_terms
from services.leasing.domain.values import parse_amount, parse_day

COLUMNS: Final = (
    *("property", "address", "time_zone", "latitude", "longitude", "currency", "unit"),
    *("tenant_name", "tenant_email", "tenant_phone", "locale", "channel"),
    *("rent", "due_day", "starts_on", "ends_on", "charges"),
)
REQUIRED: Final = ("property", "time_zone", "unit", "tenant_name", "tenant_email", "rent", "starts_on")
"""Columns a file must have; the others may be absent, and then mean what an empty cell means."""

# What a field of ours is called in the file.
PROPERTY_COLUMNS: Final = {"name": "property"}
UNIT_COLUMNS: Final = {"label": "unit"}
TENANT_COLUMNS: Final = {"name": "tenant_name", "email": "tenant_email", "phone": "tenant_phone"}
LEASE_COLUMNS: Final = {"rent_cents": "rent"}


class UnreadableFile(Refusal):
    """Not a portfolio at all; no line of it can be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioRow:
    """A lease with all it needs: what one line of the file says."""

    line: int
    property: PropertyDetails
    unit: str
    tenant: TenantDetails
    terms: LeaseTerms


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line was refused."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What a file says, and what could not be understood of it."""

    rows: tuple[PortfolioRow, ...]
    problems: tuple[Problem, ...]


def read_portfolio(data: bytes, known_zone: KnownZone) -> Portfolio:
    """The rows of a file; raises `UnreadableFile` where it has no rows at all."""
    records = _records(_decoded(data))
    header = _header(next(records, (1, []))[1])
    rows: list[PortfolioRow] = []
    problems: list[Problem] = []
    reader = _RowReader(known_zone)
    for line, cells in records:
        if len(cells) != len(header):
            reason = f"the line has {len(cells)} cells, the header has {len(header)}"
            problems.append(Problem(line, "-", reason))
            continue
        row, wrong = reader.read(line, dict(zip(header, cells, strict=True)))
        problems += wrong
        if row is not None:
            rows.append(row)
    if not rows and not problems:
        raise UnreadableFile("The file has a header and no rows")
    return Portfolio(tuple(rows), tuple(problems))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"Line {line} is not UTF-8; save the file as CSV UTF-8") from None
    if not text.strip():
        raise UnreadableFile("The file is empty")
    return text


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on: a quoted cell may hold line breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFile(f"Line {begins} is not CSV: {error}") from None


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    missing = [name for name in REQUIRED if name not in names]
    strange = [name for name in names if name not in COLUMNS]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing:
        hint = "; columns are separated by commas" if len(names) == 1 else ""
        raise UnreadableFile(f"The header lacks {_listed(missing)}{hint}")
    if strange:
        raise UnreadableFile(f"The header has {_listed(strange)}, which no portfolio has")
    if twice:
        raise UnreadableFile(f"The header has {_listed(twice)} twice")
    return names


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name or "a column without a name" for name in names)


class _RowReader:
    """Reads one line after the other; later lines may leave out what an earlier one said of the property."""

    def __init__(self, known_zone: KnownZone) -> None:
        self._known_zone = known_zone
        self._mentioned: dict[str, PropertyDetails] = {}

    def read(self, line: int, cells: Mapping[str, str]) -> tuple[PortfolioRow | None, list[Problem]]:
        found = _Cells(line, cells)
        details = found.judge(PROPERTY_COLUMNS, lambda: self._property(found))
        unit = found.judge(UNIT_COLUMNS, lambda: checked_label(found.text("unit")))
        tenant = found.judge(TENANT_COLUMNS, lambda: self._tenant(found, details))
        terms = found.judge(LEASE_COLUMNS, lambda: _terms(found))
        if found.problems or details is None or unit is None or tenant is None or terms is None:
            return None, found.problems
        self._mentioned.setdefault(natural_key(details.name), details)
        return PortfolioRow(line=line, property=details, unit=unit, tenant=tenant, terms=terms), []

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


def _terms(cells: _Cells) -> LeaseTerms | None:
    for column in ("rent", "starts_on"):
        if not cells.text(column):
            cells.refuse(column, "is missing")
    rent, starts_on = cells.parsed("rent", parse_amount), cells.parsed("starts_on", parse_day)
    ends_on, due_day = cells.parsed("ends_on", parse_day), cells.parsed("due_day", _whole_number)
    charges = cells.parsed("charges", parse_charges)
    if cells.failed("rent", "starts_on", "ends_on", "due_day", "charges"):
        return None
    return checked_terms(
        LeaseTerms(
            rent_cents=rent,
            charges=charges or (),
            starts_on=starts_on,
            ends_on=ends_on,
            due_day=1 if due_day is None else due_day,
        )
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 40.7128") from None


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)
