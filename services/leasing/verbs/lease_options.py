"""The options that say a lease's terms: the same for a new lease, a change and a renewal."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Final, Literal

import typer

from services.leasing.domain.charges import CHARGE_FORMAT, Charge, parse_charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import Invalid, Wrong
from services.leasing.domain.terms import FREQUENCIES, Frequency, frequency
from services.leasing.domain.values import parse_word
from services.leasing.verbs.database import parsed
from shared.cli import date_option, parse_month, print_json, success

Then = Literal["month_to_month", "end"]
_THEN: Final[tuple[Then, ...]] = ("month_to_month", "end")

ChargesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--charge",
        metavar=CHARGE_FORMAT,
        help='Beside the rent: "pet_rent:Pet rent:35.00", "tax:Tax:120:annual:2026-07-01". Repeatable.',
    ),
]
NoChargesOption = Annotated[bool, typer.Option("--no-charges", help="Take all charges away.")]
EndOption = Annotated[date | None, date_option("--ends-on", help="The agreed end; without, month to month.")]
ThenOption = Annotated[
    str | None,
    typer.Option("--then", metavar="month-to-month|end", help="What happens after the agreed end."),
]
FreeMonthsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--free-month", parser=parse_month, metavar="YYYY-MM", help="A month free of rent. Repeatable."
    ),
]
FrequencyOption = Annotated[
    str | None,
    typer.Option("--frequency", metavar="|".join(FREQUENCIES), help="How often the rent falls due."),
]
DueDayOption = Annotated[
    int | None, typer.Option("--due-day", help="Day of the month that monthly rent is due.")
]


def charges_given(texts: Sequence[str] | None) -> tuple[Charge, ...] | None:
    """The charges somebody typed; None where they typed none."""
    return tuple(parsed("charge", parse_charge, text) for text in texts) if texts else None


def months_given(months: Sequence[str] | None) -> tuple[str, ...] | None:
    """The free months somebody typed; None where they typed none."""
    return tuple(months) if months else None


def frequency_given(text: str | None) -> Frequency | None:
    """How often rent falls due, where somebody said it."""
    return parsed("frequency", frequency, text) if text is not None else None


def rolls_over_given(text: str | None) -> bool | None:
    """Whether a lease goes on after its agreed end, where somebody said it."""
    if text is None:
        return None
    return parsed("then", lambda word: parse_word(word, _THEN), text) == "month_to_month"


def rolls_over_agreed(text: str | None, ends_on: date | None) -> bool | None:
    """The same of a new lease, which ends only on a day that is said."""
    rolls_over = rolls_over_given(text)
    if rolls_over is False and ends_on is None:
        raise Invalid([Wrong("ends_on", "is missing: --then end says that there is one")])
    return rolls_over


def announce(found: Lease, words: str, *, dry_run: bool, as_json: bool) -> None:
    """What became of a lease: its id for programs, a sentence for people."""
    if as_json:
        print_json(asdict(found) | {"account_id": found.account})
    elif not dry_run:
        typer.echo(found.id)
        success(words)
