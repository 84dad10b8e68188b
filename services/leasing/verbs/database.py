"""Opening the database for a command, and saying in one line what a rule refused."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.refusals import Invalid, Refusal, Unknown, Wrong
from services.leasing.settings import Settings
from shared.cli import CommandError, UsageProblem, say
from shared.clock import SystemClock
from shared.hosting import open_transactions
from shared.messaging.transaction import Tx

T = TypeVar("T")
MORE = 1
"""One row is asked for beyond the limit, to know whether there are more."""


_LISTS: Final = {"property": "properties", "signer": "signing-links"}
"""The verbs that list what is not called after its kind alone."""


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncConnection]:
    """A connection to look at things with."""
    async with (
        open_transactions(_settings(), "leasing") as transactions,
        transactions.engine.connect() as connection,
    ):
        yield connection


@asynccontextmanager
async def changing(verb: str, *, dry_run: bool = False) -> AsyncIterator[Tx]:
    """A transaction for one command; a dry run does the same and takes it all back."""
    with refusals():
        async with (
            open_transactions(_settings(), "leasing") as transactions,
            transactions.command(f"leasing.{verb}", dry_run=dry_run) as tx,
        ):
            yield tx
        if dry_run:
            say("Dry run: nothing was written.")


@contextmanager
def refusals() -> Iterator[None]:
    """What makes no sense or is not there is a usage problem; what a rule forbids is a problem found."""
    try:
        yield
    except Invalid as refusal:
        raise UsageProblem(f"{_sentence(refusal)}.") from refusal
    except Unknown as refusal:
        where = _LISTS.get(refusal.kind, refusal.kind.replace(" ", "-") + "s")
        raise UsageProblem(f"{refusal}.", remedy=f"See `propman leasing {where} list`.") from refusal
    except Refusal as refusal:
        raise CommandError(f"{refusal}.") from refusal


def parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    """An option's value; a mistake names the option."""
    try:
        return parse(text)
    except ValueError as reason:
        raise Invalid([Wrong(option, str(reason))]) from None


def now() -> datetime:
    """The moment that "today" is told from, at each property's place."""
    return SystemClock().now()


def given(**options: Any) -> dict[str, Any]:
    """The options somebody used."""
    return {name: value for name, value in options.items() if value is not None}


def first(rows: Sequence[T], limit: int) -> Sequence[T]:
    """At most `limit` rows, and a word about those that are left out."""
    if len(rows) > limit:
        say(f"Only the first {limit} are shown; ask for more with --limit.")
    return rows[:limit]


def _sentence(refusal: Invalid) -> str:
    """Options are spelled with dashes; whether a value came from one or not, the name is recognised."""
    return "; ".join(f"{item.field.replace('_', '-')} {item.reason}" for item in refusal.wrong)


def _settings() -> Settings:
    return Settings()  # from the environment
