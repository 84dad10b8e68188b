"""The one way to announce a trigger by hand: `propman trigger`, `run-now`, and other people's code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from services.scheduler.definitions import InvalidSchedule
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.manual import Archived, KeyTaken, UnderWay, UnknownName, await_outcome, run_now
from services.scheduler.reporting import report_announced
from services.scheduler.rule_texts import InvalidRule
from services.scheduler.settings import Settings
from services.scheduler.specs import InvalidSpec
from services.scheduler.timetable import InvalidCron
from services.scheduler.triggers import InvalidPayload, UnknownTrigger
from shared.cli import UsageProblem, say
from shared.clock import UnknownZone
from shared.hosting import open_transactions
from shared.messaging.transaction import Transactions

_REFUSALS = (
    Archived,
    InvalidCron,
    InvalidPayload,
    InvalidRule,
    InvalidSchedule,
    InvalidSpec,
    KeyTaken,
    UnderWay,
    UnknownName,
    UnknownTrigger,
    UnknownZone,
)

WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for the outcome; exit 1 unless it succeeded.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0, help="How many seconds to wait.")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="An idempotency key: a second run under it does nothing new.")
]


@contextmanager
def refusals() -> Iterator[None]:
    """What was asked for cannot be: one line that says why, and exit code 2."""
    try:
        yield
    except _REFUSALS as refusal:
        raise UsageProblem(f"{refusal}.") from refusal


def scheduler_settings() -> Settings:
    """The scheduler's settings, from the environment."""
    return Settings()


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for beside a name and a payload.

    A second request under the same `key` gives the run of the first; `by` says in the history who asked.
    """

    key: str | None = None
    as_of: datetime | None = None
    dry_run: bool = False
    reason: str | None = None
    force: bool = False
    by: str = "command line"


async def announce_by_hand(
    name: str,
    payload: Mapping[str, Any],
    request: Request,
    *,
    wait: bool,
    timeout: float,  # noqa: ASYNC109 - what the person gave as --timeout
) -> None:
    """Announce, print what was announced and, if asked, wait for what comes of it."""
    occurrence = await announced(name, payload, request, timeout=timeout if wait else 0)
    report_announced(occurrence, waited=timeout if wait else None)


async def announced(
    name: str,
    payload: Mapping[str, Any],
    request: Request,
    *,
    timeout: float = 0,  # noqa: ASYNC109 - running out of it is an answer here, not an error
) -> Occurrence:
    """Announce a schedule's trigger, or a trigger by its name, and wait so many seconds for what comes of it.

    Says on stderr for whom it waits. Raises `UsageProblem` for what cannot be announced, in words.
    """
    async with open_transactions(scheduler_settings(), "scheduler") as transactions:
        identity = await _announce(transactions, name, payload, request)
        return await await_outcome(transactions, identity, timeout, waiting=_say_who_is_awaited)


def _say_who_is_awaited(occurrence: Occurrence) -> None:
    say(f"Waiting for {', '.join(occurrence.unanswered)}.")


async def _announce(
    transactions: Transactions, name: str, payload: Mapping[str, Any], request: Request
) -> UUID:
    given = {field: value for field, value in payload.items() if value is not None}
    with refusals():
        async with transactions.command("scheduler.run_now") as tx:
            return await run_now(
                tx,
                name,
                payload=given,
                requested_by=request.by,
                seq=request.key,
                as_of=request.as_of,
                dry_run=request.dry_run,
                reason=request.reason,
                force=request.force,
            )
