"""A bank's statement as a file of lines: which column is which, and what each line says.

Banks agree on nothing. So a column is found by its name where the name is a usual one, and named by a person
where it is not; a date or an amount that can be read in two ways is refused and never guessed.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from shared.money import BadAmount, parse_cents

Column = str

COLUMNS: Final[dict[Column, str]] = {
    "date": "date|booking date|posting date|posted date|post date|transaction date|value date|posted",
    "amount": "amount|amount usd|transaction amount|value",
    "credit": "credit|credits|deposit|deposits|paid in|money in|credit amount",
    "debit": "debit|debits|withdrawal|withdrawals|paid out|money out|debit amount",
    "text": "description|reference|details|memo|narrative|purpose|remittance information|payee|name|text",
    "id": "id|transaction id|bank reference|bank id|entry reference|fitid|reference number",
    "lease": "lease|lease id",
    "invoice": "invoice|invoice number",
    "payment": "payment|original id|original reference|returned id",
}
"""The columns we look for, each with the names it usually has; `text` may be several columns."""

DATE_FORMATS: Final = ("iso", "mdy", "dmy")
LONGEST: Final = 10_000
"""Lines of one file; a year of a large portfolio is less."""

_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_SLASHED: Final = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", re.ASCII)
_IN_BRACKETS: Final = re.compile(r"\((.+)\)")
_BLANKS: Final = re.compile(r"\s+")


class BadStatement(ValueError):
    """A file that cannot be read as a statement at all, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on the account at the bank."""

    line: int
    """Of the file, as an editor counts."""
    on: date
    amount_cents: int
    """Negative for money that left."""
    text: str
    bank_id: str | None = None
    lease: str | None = None
    invoice: str | None = None
    payment: str | None = None
    """Of a returned item: the payment that came back."""
    ordinal: int = 1
    """Which of several lines that say exactly the same; two equal payments on one day are both real."""

    def reference(self, source: str) -> str:
        """What it is booked under: the same for the same movement, in whatever file it comes again.

        The bank's own id where there is one; else from all that the line says, and its place among its
        equals. A bank lists a day whole or not at all, so that place is the same in every file. `source`
        tells accounts at banks apart.
        """
        if self.bank_id:
            return f"{source}:{self.bank_id}"
        said = "\x1f".join(str(part) for part in (*_said(self), self.ordinal))
        return f"{source}:{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _said(entry: Entry) -> tuple[object, ...]:
    """All that tells one movement from another, where the bank gives it no id."""
    return (entry.on, entry.amount_cents, entry.text.casefold(), entry.lease, entry.invoice, entry.payment)


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read, with the reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A file, read."""

    entries: tuple[Entry, ...]
    unread: tuple[Unread, ...]


def read_statement(data: bytes, columns: Mapping[Column, str] | None = None, dates: str = "iso") -> Statement:
    """The movements in a CSV file with a header; `columns` names those that have unusual names.

    `dates` says how 03/04/2026 is read: `mdy` or `dmy`; with `iso` it is refused. Raises `BadStatement`.
    """
    rows = _rows(data)
    header = next(rows, None)
    if header is None:
        raise BadStatement("the file is empty")
    places = _places(header[1], columns or {})
    entries: list[Entry] = []
    unread: list[Unread] = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(entries) + len(unread) >= LONGEST:
            raise BadStatement(f"the file has more than {LONGEST:,} lines; import it in parts")
        try:
            entries.append(_entry(line, row, places, dates))
        except ValueError as mistake:
            unread.append(Unread(line, str(mistake)))
    return Statement(tuple(_numbered(entries)), tuple(unread))


def _rows(data: bytes) -> "_Rows":
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadStatement("the file is not UTF-8; save it as CSV UTF-8") from error
    if "\0" in text:
        raise BadStatement("the file has zero bytes; it is no CSV")
    return _Rows(text)


class _Rows:
    """The rows of a CSV text, each with the number of the line it begins on."""

    def __init__(self, text: str) -> None:
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)

    def __iter__(self) -> "_Rows":
        return self

    def __next__(self) -> tuple[int, list[str]]:
        line = self._reader.line_num + 1
        try:
            return line, next(self._reader)
        except csv.Error as error:
            raise BadStatement(f"line {line}: {error}") from error


def _places(header: Sequence[str], given: Mapping[Column, str]) -> dict[Column, list[int]]:
    """Where each column is; what a person named comes before what we guess."""
    names = [_BLANKS.sub(" ", name.strip().casefold().replace("_", " ")) for name in header]
    if unknown := set(given) - set(COLUMNS):
        raise BadStatement(f"{', '.join(sorted(unknown))}: no such column; there are {', '.join(COLUMNS)}")
    places: dict[Column, list[int]] = {}
    for column, usual in COLUMNS.items():
        wanted = [given[column].strip().casefold()] if column in given else usual.split("|")
        found = [place for place, name in enumerate(names) if name in wanted]
        if column in given and not found:
            raise BadStatement(f"there is no column {given[column]!r}; there are {', '.join(header)}")
        places[column] = found
    _require(places, header)
    return places


def _require(places: Mapping[Column, list[int]], header: Sequence[str]) -> None:
    is_there = ", ".join(header)
    if not places["date"]:
        raise BadStatement(f"no column is the date; name it with --columns date=…; there are {is_there}")
    if not (places["amount"] or places["credit"]):
        raise BadStatement(f"no column is the amount; name it with --columns amount=…; there are {is_there}")
    for column in set(COLUMNS) - {"text"}:
        if len(places[column]) > 1:
            raise BadStatement(f"several columns may be the {column}; name one with --columns {column}=…")


def _entry(line: int, row: Sequence[str], places: Mapping[Column, list[int]], dates: str) -> Entry:
    def cell(column: Column) -> str:
        return " ".join(row[place].strip() for place in places[column] if place < len(row)).strip()

    amount_cents = _amount(cell("amount"), cell("credit"), cell("debit"))
    if amount_cents == 0:
        raise ValueError("an amount of nothing")
    return Entry(
        line=line,
        on=read_date(cell("date"), dates),
        amount_cents=amount_cents,
        text=_BLANKS.sub(" ", cell("text")),
        bank_id=cell("id") or None,
        lease=cell("lease") or None,
        invoice=cell("invoice") or None,
        payment=cell("payment") or None,
    )


def _amount(amount: str, credit: str, debit: str) -> int:
    if amount:
        return _cents(amount)
    came, left = (_cents(text) if text else 0 for text in (credit, debit))
    if came and left:
        raise ValueError("a credit and a debit in one line")
    return abs(came) - abs(left)


def _cents(text: str) -> int:
    """An amount; in brackets, or with a minus behind it, it is negative, as bookkeepers write it."""
    plain = text.replace("\u2212", "-").replace(" ", "").removeprefix("+")
    bracketed = _IN_BRACKETS.fullmatch(plain)
    if bracketed:
        plain = f"-{bracketed[1]}"
    elif plain.endswith("-"):
        plain = f"-{plain[:-1]}"
    try:
        return parse_cents(plain)
    except BadAmount as error:
        raise ValueError(str(error)) from error


def read_date(text: str, dates: str) -> date:
    """A date; raises `ValueError` in words for what is none, or what could be two."""
    iso, slashed = _ISO.fullmatch(text), _SLASHED.fullmatch(text)
    if iso:
        year, month, day = (int(part) for part in iso.groups())
    elif slashed and dates == "iso":
        raise ValueError(f"{text!r} could be two dates; say --dates mdy or --dates dmy")
    elif slashed:
        first, second, year = (int(part) for part in slashed.groups())
        month, day = (first, second) if dates == "mdy" else (second, first)
    else:
        raise ValueError(f"{text!r} is not a date such as 2026-12-01")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date of the calendar") from error


def _numbered(entries: Sequence[Entry]) -> list[Entry]:
    """Each with its place among those that say the same."""
    seen: Counter[tuple[object, ...]] = Counter()
    numbered = []
    for entry in entries:
        seen[_said(entry)] += 1
        numbered.append(replace(entry, ordinal=seen[_said(entry)]))
    return numbered
