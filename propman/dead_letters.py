"""`propman dead-letters`: messages that could not be handled, and what to do about them."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import chosen_services, service_names
from propman.databases import ask_each, transactions_of
from propman.settings import SystemSettings
from shared.cli import (
    CommandError,
    DryRunOption,
    IdArgument,
    JsonOption,
    NoInputOption,
    UsageProblem,
    YesOption,
    confirm,
    json_wanted,
    parse_id,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
    success,
    warning,
)
from shared.messaging.dead_letters import (
    DeadLetter,
    delivery_of,
    find_dead_letter,
    list_dead_letters,
    resolve,
)
from shared.messaging.envelope import Unreadable, read_envelope
from shared.messaging.publisher import Publisher
from shared.messaging.retry import RetryLadder

app = service_app("dead-letters", "Messages that could not be handled.")

ServiceOption = Annotated[str | None, typer.Option("--service", help="Only this service's.")]
IdsArgument = Annotated[list[UUID] | None, typer.Argument(parser=parse_id, metavar="[ID]…")]
AllOption = Annotated[bool, typer.Option("--all", help="Every open one (of --service).")]


@app.command("list")
async def list_letters(
    service: ServiceOption = None,
    state: Annotated[str, typer.Option("--state", help="open, replayed, discarded or all.")] = "open",
    as_json: JsonOption = False,
) -> None:
    r"""List dead letters with their reasons, newest first; exit 0 also when there are none.

    \b
    Examples:
      propman dead-letters list
      propman dead-letters list --service billing --state all --json
    """
    if state not in {"open", "replayed", "discarded", "all"}:
        raise UsageProblem(f"{state!r} is not a state.", remedy="Choose open, replayed, discarded or all.")
    wanted = None if state == "all" else state
    services = chosen_services([service] if service else None)
    found = await ask_each(services, lambda connection: list_dead_letters(connection, state=wanted))
    if as_json:
        print_json([_as_json(name, letter) for name, letters in found.items() for letter in letters])
        return
    rows = [
        [letter.id, letter.queue, letter.reason, letter.attempts, letter.died_at, _shortened(letter.error)]
        for letters in found.values()
        for letter in letters
    ]
    print_table(["id", "queue", "reason", "attempts", "died at", "error"], rows, empty="No dead letters.")


@app.command("show")
async def show_letter(identity: IdArgument, as_json: JsonOption = False) -> None:
    r"""Show one dead letter in full: payload, error, attempts, times.

    \b
    Example:
      propman dead-letters show 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    service, letter = await _find(identity)
    if as_json:
        print_json(_as_json(service, letter))
        return
    fields = _as_json(service, letter)
    headers = fields.pop("headers")
    body = fields.pop("body")
    print_record(fields)
    print_table(["header", "value"], list(headers.items()), empty="No headers.")
    say("Payload:")
    typer.echo(body)


@app.command("replay")
async def replay_letters(
    identities: IdsArgument = None,
    everything: AllOption = False,
    service: ServiceOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Put dead letters back into the queue they came from, under their own ids.

    Repair the cause first. A message that was handled after all is recognised and changes nothing.

    \b
    Examples:
      propman dead-letters replay 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman dead-letters replay --all --service notifications
    """
    chosen = await _choose(identities, service, everything=everything)
    if dry_run:
        say(f"Dry run: {len(chosen)} would be replayed.")
        return
    publisher = Publisher(SystemSettings().rabbitmq_url.get_secret_value(), name="propman-replay")
    try:
        refused = [item for item in chosen if not await _replay(item, publisher)]
    finally:
        await publisher.close()
    _report("replayed", chosen, refused)
    if any(letter.reason == "unreadable" for _, letter in chosen):
        warning(
            "Some were unreadable: the same bytes will be refused again, unless the contract has changed."
        )


@app.command("discard")
async def discard_letters(
    identities: IdsArgument = None,
    everything: AllOption = False,
    service: ServiceOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with them.")] = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Decide that dead letters need nothing more. They stay on record, with the reason.

    \b
    Example:
      propman dead-letters discard 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --reason "test message"
    """
    chosen = await _choose(identities, service, everything=everything)
    if dry_run:
        say(f"Dry run: {len(chosen)} would be discarded.")
        return
    if chosen and not identities:
        confirm(f"Discard {len(chosen)} dead letters?", yes=yes, no_input=no_input)
    refused = [item for item in chosen if not await _discard(item, reason or "no reason given")]
    _report("discarded", chosen, refused)


def _shortened(error: str) -> str:
    """A terminal has no room for a whole error; a pipe has."""
    return error[:60] if sys.stdout.isatty() else error


async def _replay(item: tuple[str, DeadLetter], publisher: Publisher) -> bool:
    """Publish, then record: a crash between the two replays it twice, which the inbox makes once."""
    service, letter = item
    try:
        envelope = read_envelope(delivery_of(letter))
    except Unreadable as error:
        warning(f"{letter.id}: {error}; it can only be discarded.")
        return False
    async with _deciding(item) as (connection, at):
        if connection is None:
            return False
        ladder = RetryLadder(publisher, source=service)
        await ladder.replay(letter.queue, letter.body, envelope, at)
        await resolve(connection, [letter.id], state="replayed", resolution="by an operator", at=at)
    return True


async def _discard(item: tuple[str, DeadLetter], reason: str) -> bool:
    _, letter = item
    async with _deciding(item) as (connection, at):
        if connection is None:
            return False
        await resolve(connection, [letter.id], state="discarded", resolution=reason, at=at)
    return True


@asynccontextmanager
async def _deciding(item: tuple[str, DeadLetter]) -> AsyncIterator[tuple[AsyncConnection | None, datetime]]:
    """A transaction in which a dead letter is ours to decide about; None where somebody has decided."""
    service, letter = item
    async with transactions_of(service) as transactions, transactions.engine.begin() as connection:
        at = transactions.clock.now()
        locked = await find_dead_letter(connection, letter.id)
        if locked is not None and locked.state == "open":
            yield connection, at
        else:
            warning(f"{letter.id} is {locked.state if locked else 'gone'} already.")
            yield None, at


async def _choose(
    identities: Sequence[UUID] | None, service: str | None, *, everything: bool
) -> list[tuple[str, DeadLetter]]:
    if bool(identities) == everything:
        raise UsageProblem("Say which: ids, or --all.", remedy="See `propman dead-letters list`.")
    if identities:
        return [await _find(identity) for identity in identities]
    services = chosen_services([service] if service else None)
    found = await ask_each(services, list_dead_letters)
    # Oldest first: what happened first is handled first.
    return [(name, letter) for name, letters in found.items() for letter in reversed(letters)]


async def _find(identity: UUID) -> tuple[str, DeadLetter]:
    found = await ask_each(service_names(), lambda connection: find_dead_letter(connection, identity))
    for service, letter in found.items():
        if letter is not None:
            return service, letter
    raise UsageProblem(f"There is no dead letter {identity}.", remedy="See `propman dead-letters list`.")


def _report(done: str, chosen: Sequence[tuple[str, DeadLetter]], refused: Sequence[object]) -> None:
    count = len(chosen) - len(refused)
    if json_wanted():
        print_json({done: count, "refused": len(refused)})
    success(f"{count} {done}." if chosen else "Nothing to do: no open dead letters.")
    if refused:
        raise CommandError(f"{len(refused)} could not be {done}.")


def _as_json(service: str, letter: DeadLetter) -> dict[str, Any]:
    return {"service": service} | asdict(letter) | {"body": letter.body.decode("utf-8", "backslashreplace")}
