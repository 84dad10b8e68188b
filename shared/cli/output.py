"""Where output goes and how it looks: data to stdout, prose to stderr, colour only for people."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import typer

_json_wanted: ContextVar[bool] = ContextVar("json_wanted", default=False)


@contextmanager
def audience(*, machine: bool) -> Iterator[None]:
    """Set who reads, for as long as one command runs."""
    token = _json_wanted.set(machine or _json_wanted.get())
    try:
        yield
    finally:
        _json_wanted.reset(token)


def json_wanted() -> bool:
    """Whether this command was asked for `--json`."""
    return _json_wanted.get()


def colour_allowed() -> bool:
    """NO_COLOR (https://no-color.org) counts when it is set to anything but nothing."""
    return not os.environ.get("NO_COLOR")


def say(text: str) -> None:
    """Prose for the person: never part of the data."""
    _to_stderr(text, None)


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s in the plural: `1 place`, `2 places`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def success(text: str) -> None:
    """Something was done as asked."""
    _to_stderr(text, typer.colors.GREEN)


def warning(text: str) -> None:
    """Something deserves a look, and the command went on."""
    _to_stderr(text, typer.colors.YELLOW)


def error(text: str, *, remedy: str | None = None) -> None:
    """Something failed; the remedy stays on the same line so that logs keep both together."""
    _to_stderr(f"Error: {text}" + (f" {remedy}" if remedy else ""), typer.colors.RED)


def _to_stderr(text: str, colour: str | None) -> None:
    # None lets Typer decide by the stream: colour on a terminal, none into a file.
    typer.secho(text, err=True, fg=colour, color=None if colour_allowed() else False)


def print_json(document: object) -> None:
    """One JSON document to stdout, for `--json`."""
    typer.echo(json.dumps(plain(document), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """Anything a command shows, as what JSON knows; money and instants keep every digit."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not hasattr(value, "model_dump"):
        return [plain(item) for item in value]
    return plain(_fields(value))


def _fields(value: Any) -> dict[str, Any]:
    if hasattr(value, "model_dump"):
        dumped: dict[str, Any] = value.model_dump(mode="json")
        return dumped
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    message = f"a {type(value).__name__} cannot be shown as JSON"
    raise TypeError(message)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    empty: str = "Nothing to show.",
) -> None:
    """A table for people; plain aligned columns when stdout is a file or a pipe, so that nothing is cut."""
    from shared.cli import tables  # noqa: PLC0415 - rich is only paid for by commands that draw

    columns = [_words(column) for column in columns]
    cells = [[text(cell) for cell in row] for row in rows]
    if not cells:
        say(empty)
    elif sys.stdout.isatty():
        tables.draw(columns, cells, title=title, colour=colour_allowed())
    else:
        typer.echo(tables.aligned(columns, cells))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows for a spreadsheet, to stdout, as RFC 4180 has it; nothing is left out or shortened.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    typer.echo(out.getvalue(), nl=False)


def _cell(value: object) -> str:
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else str(plain(value))


def print_record(fields: Mapping[str, object]) -> None:
    """One thing in detail: a name and its value on each line."""
    named = {_words(name): value for name, value in fields.items()}
    width = max((len(name) for name in named), default=0)
    for name, value in named.items():
        typer.echo(f"{name:<{width}}  {text(value)}".rstrip())


def _words(name: str) -> str:
    """A column's or field's name as people write it, the same in every table."""
    return name.replace("_", " ").lower()


def text(value: object) -> str:
    """How a person reads a value in a cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    return str(value)
