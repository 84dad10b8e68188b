"""The options that mean the same in every command, declared once: `month: MonthOption = None`."""

import re
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def parse_month(text: str) -> str:
    """A period as messages and tables spell it: `2026-09`."""
    if not MONTH.fullmatch(text) or text.startswith("0000"):
        message = f"{text!r} is not a month. Write it as YYYY-MM, for example 2026-09."
        raise typer.BadParameter(message)
    return text


def parse_date(text: str) -> date:
    """A day, as ISO 8601 writes it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date. Write it as YYYY-MM-DD, for example 2026-09-30."
        raise typer.BadParameter(message) from None


def parse_instant(text: str) -> datetime:
    """A moment with its zone: without one it would mean something else on each machine."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        message = f"{text!r} is not a moment with a zone. Write it like 2026-09-01T06:00:00Z."
        raise typer.BadParameter(message)
    return instant


def parse_id(text: str) -> UUID:
    """An id as our tables print it."""
    try:
        return UUID(text)
    except ValueError:
        message = f"{text!r} is not an id. Ids look like 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80."
        raise typer.BadParameter(message) from None


def id_option(*names: str, help: str) -> Any:  # noqa: A002 - Typer's own word
    """For an id that only one command takes: the second part of an Annotated[UUID, …]."""
    return typer.Option(*names, parser=parse_id, metavar="ID", help=help)


def date_option(*names: str, help: str) -> Any:  # noqa: A002 - Typer's own word
    """For a day: the second part of an Annotated[date, …]."""
    return typer.Option(*names, parser=parse_date, metavar="YYYY-MM-DD", help=help)


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; write nothing.")]
EnqueueOption = Annotated[
    bool, typer.Option("--enqueue", help="Publish the trigger instead of doing it here.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoInputOption = Annotated[bool, typer.Option("--no-input", help="Never ask anything; go ahead.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")]
MonthOption = Annotated[
    str | None,
    typer.Option("--month", parser=parse_month, metavar="YYYY-MM", help="The month, e.g. 2026-09."),
]
MonthArgument = Annotated[str, typer.Argument(parser=parse_month, metavar="YYYY-MM")]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", parser=parse_instant, metavar="INSTANT", help="As if it were this moment (with zone)."
    ),
]
IdArgument = Annotated[UUID, typer.Argument(parser=parse_id, metavar="ID")]
PropertyOption = Annotated[UUID | None, id_option("--property", help="Only this property.")]
TenantOption = Annotated[UUID | None, id_option("--tenant", help="Only this tenant.")]
LeaseOption = Annotated[UUID | None, id_option("--lease", help="Only this lease.")]
