"""Reading a portfolio from CSV: one row per lease and tenant, every mistake with its line and column."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.leasing.domain.portfolio_rows import (
    TERMS,
    LeaseKey,
    PortfolioRow,
    Problem,
    RowReader,
    key_of,
)
from services.leasing.domain.properties import KnownZone
from services.leasing.domain.refusals import Refusal

__all__ = ["COLUMNS", "Portfolio", "PortfolioRow", "Problem", "UnreadableFile", "left_out", "read_portfolio"]

COLUMNS: Final = (
    *("property", "address", "time_zone", "latitude", "longitude", "currency", "unit"),
    *("tenant_name", "tenant_email", "tenant_phone", "locale", "channel"),
    *TERMS,
)
REQUIRED: Final = ("property", "time_zone", "unit", "tenant_name", "tenant_email", "rent", "starts_on")
"""Columns a file must have; the others may be absent, and then mean what an empty cell means."""


class UnreadableFile(Refusal):
    """Not a portfolio at all; no line of it can be judged."""


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
    bad: dict[LeaseKey, int] = {}
    reader = RowReader(known_zone)
    for line, cells in records:
        if len(cells) != len(header):
            reason = f"the line has {len(cells)} cells, the header has {len(header)}"
            problems.append(Problem(line, "-", reason))
            continue
        named = dict(zip(header, cells, strict=True))
        row, wrong = reader.read(line, named)
        problems += wrong
        if row is not None:
            rows.append(row)
        else:
            bad.setdefault(key_of(named), line)
    if not rows and not problems:
        raise UnreadableFile("The file has a header and no rows")
    problems += [left_out(row.line, bad[row.lease_key()]) for row in rows if row.lease_key() in bad]
    return Portfolio(tuple(row for row in rows if row.lease_key() not in bad), tuple(problems))


def left_out(line: int, bad: int) -> Problem:
    """Why a good row is not kept: a lease comes in with all its tenants or not at all."""
    return Problem(line, "-", f"is left out with line {bad}, a bad row of the same lease")


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
