"""`propman flush` and `propman queue`: empty one queue after keeping what was in it, and put it back."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import aio_pika
import typer
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity, PublishError

from propman.catalog import all_queues
from propman.console.put_back import Note, noted, write
from propman.dev.home import local_folder
from propman.settings import SystemSettings
from shared.cleaning import HORIZON
from shared.cli import (
    CommandError,
    DryRunOption,
    JsonOption,
    NoInputOption,
    UsageProblem,
    command_app,
    counted,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    service_app,
    success,
    warning,
)
from shared.clock import SystemClock

flush_app = command_app("flush")
queue_app = service_app("queue", "Put back what was flushed.")

BATCH: Final = 500
"""How many messages are written to disk before the broker is told to forget them."""

NOTHING_COMES: Final = 2.0
"""Seconds after which a queue counts as empty: its consumers may have been quicker."""

EVERYTHING: Final = {"*", "all", "--all", "everything", "%"}

QueueArgument = Annotated[
    str, typer.Argument(metavar="QUEUE", help="Its whole name, from `propman broker queues`.")
]
FileOption = Annotated[
    Path | None, typer.Option("--export", metavar="FILE.jsonl", help="Where its messages are kept.")
]


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as a line of a file: all that is needed to publish it once more."""

    queue: str
    body: bytes
    properties: dict[str, Any]

    def line(self) -> str:
        """One line of JSON; bodies that are no text are kept as base64."""
        try:
            body: dict[str, str] = {"text": self.body.decode()}
        except UnicodeDecodeError:
            body = {"base64": base64.b64encode(self.body).decode()}
        return json.dumps(
            {"queue": self.queue, "properties": self.properties, "body": body}, ensure_ascii=False
        )


@flush_app.command()
async def flush(
    queue: QueueArgument,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="QUEUE", help="The name again: yes, this one.")
    ] = None,
    export: FileOption = None,
    dry_run: DryRunOption = False,
    no_input: NoInputOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Empty one queue. What was in it is first kept in a file, and `propman queue import` puts it back.

    Consumers go on meanwhile: what they take is theirs. There is no way to empty all queues at once.

    \b
    Examples:
      propman flush notifications.billing.invoice_created.v1 --dry-run
      propman flush notifications.billing.invoice_created.v1 --export /tmp/invoices.jsonl
      propman queue import /tmp/invoices.jsonl
    """
    _require_known(queue)
    url = SystemSettings().rabbitmq_url.get_secret_value()
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        found = await _found(channel, queue)
        waiting = found.declaration_result.message_count or 0
        say(f"{counted(waiting, 'message')} {'waits' if waiting == 1 else 'wait'} in {queue}.")
        if dry_run or not waiting:
            await _preview(found, waiting)
            return
        _require_confirmation(queue, confirm, no_input=no_input)
        file = export or _default_file(queue)
        kept = await _export(channel, found, file, waiting)
    if json_wanted():
        print_json({"queue": queue, "flushed": kept, "file": str(file)})
    success(f"Taken out of {queue} and kept in {file}: {counted(kept, 'message')}.")


def _require_known(queue: str) -> None:
    if queue in EVERYTHING or "*" in queue or "#" in queue:
        raise UsageProblem(
            "One queue at a time: emptying all of them would lose what nobody looked at.",
            remedy="See `propman broker queues`.",
        )
    if queue not in all_queues():
        raise UsageProblem(f"There is no queue {queue!r}.", remedy="See `propman broker queues`.")


async def _found(channel: AbstractChannel, queue: str) -> AbstractQueue:
    try:
        return await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity as missing:
        raise _not_there(queue) from missing


def _not_there(queue: str) -> CommandError:
    return CommandError(f"The broker has no queue {queue}.", remedy="Run `propman broker init`.")


def _require_confirmation(queue: str, confirm: str | None, *, no_input: bool) -> None:
    if confirm is None and not no_input and sys.stdin.isatty():
        confirm = typer.prompt("Type the name of the queue to empty it", err=True)
    if confirm != queue:
        raise UsageProblem(
            "Nothing was done: the name was not repeated.", remedy=f"Say --confirm {queue} if you mean it."
        )


async def _preview(queue: AbstractQueue, waiting: int) -> None:
    """Look at the first few and give them back; a quorum queue counts it as a delivery, so only a few."""
    looked = [message async for message in _taken(queue, min(waiting, 5))]
    rows = [[message.message_id, message.type, message.timestamp] for message in looked]
    for message in looked:
        await message.nack(requeue=True)
    if json_wanted():
        print_json({"queue": queue.name, "waiting": waiting, "first": [row[0] for row in rows]})
    else:
        print_table(["message", "topic", "said at"], rows, empty="Nothing to do: it is empty.")


async def _taken(queue: AbstractQueue, most: int) -> Any:
    for _ in range(most):
        message = await queue.get(fail=False, timeout=10)
        if message is None:
            return
        yield message


async def _export(channel: AbstractChannel, queue: AbstractQueue, file: Path, waiting: int) -> int:
    """Take, write, sync, and only then acknowledge: what is not on disk is still on the broker.

    A consumer takes them: a quorum queue settles what a consumer acknowledges in one step, where each
    `get` would need a step of its own, and those still under way when the channel closes are lost.
    """
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await channel.set_qos(prefetch_count=BATCH)
    kept = 0
    with _opened(file) as target, progress(waiting, "Keeping messages") as bar:
        tag = await queue.consume(arrived.put)
        while kept < waiting and (batch := await _batch(arrived, min(BATCH, waiting - kept))):
            await asyncio.to_thread(_write, target, [_kept(queue.name, message).line() for message in batch])
            await batch[-1].ack(multiple=True)
            kept += len(batch)
            bar.advance(len(batch))
        await queue.cancel(tag)
    return kept


async def _batch(arrived: asyncio.Queue[AbstractIncomingMessage], most: int) -> list[AbstractIncomingMessage]:
    """Up to so many messages; fewer where none comes any more."""
    batch: list[AbstractIncomingMessage] = []
    with suppress(TimeoutError):
        while len(batch) < most:
            batch.append(await asyncio.wait_for(arrived.get(), NOTHING_COMES))
    return batch


def _opened(file: Path) -> TextIO:
    """A new file that its owner alone can read: messages may carry names and addresses."""
    try:
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
            say(f"The folder {file.parent} was not there, and was made.")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageProblem(
            f"{file} cannot be made: {error.strerror}.", remedy="Choose another --export."
        ) from error
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _write(target: TextIO, lines: Sequence[str]) -> None:
    target.writelines(f"{line}\n" for line in lines)
    target.flush()
    os.fsync(target.fileno())


def _kept(queue: str, message: AbstractIncomingMessage) -> Kept:
    return Kept(
        queue,
        message.body,
        {
            "message_id": message.message_id,
            "type": message.type,
            "correlation_id": message.correlation_id,
            "content_type": message.content_type,
            "timestamp": message.timestamp.timestamp() if message.timestamp else None,
            "headers": {name: value for name, value in message.headers.items() if _is_plain(value)},
        },
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _default_file(queue: str) -> Path:
    return local_folder() / "flushed" / f"{queue}-{SystemClock().now():%Y%m%dT%H%M%S}.jsonl"


@queue_app.command("import")
async def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="What `propman flush` wrote.")],
    again: Annotated[
        bool, typer.Option("--again", help="Put it back though it was put back before.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Put flushed messages back into the queue they came from, under their own ids.

    What was handled meanwhile is recognised by its id and changes nothing. A note beside the file remembers
    that it was put back; the second time, that has to be meant (--again).

    \b
    Example:
      propman queue import .local/flushed/notifications.billing.invoice_created.v1-20261201T060000.jsonl
    """
    content = file.read_bytes()
    messages = list(_read(file, content))
    for queue in {message.queue for message in messages}:
        _require_known(queue)
    _warn_of_old(messages)
    _require_new(file, content, again=again, dry_run=dry_run)
    if dry_run:
        say(f"Dry run: {counted(len(messages), 'message')} would be put back.")
        return
    await _put_all_back(messages, file, Note.begin(content, SystemClock().now()))
    if json_wanted():
        print_json({"imported": len(messages), "file": str(file)})
    success(f"{counted(len(messages), 'message')} {'was' if len(messages) == 1 else 'were'} put back.")


def _require_new(file: Path, content: bytes, *, again: bool, dry_run: bool) -> None:
    """Refuse what was put back before; one import that was cut off may be tried anew."""
    earlier = noted(file, content)
    if earlier is None or again:
        return
    if not earlier.finished:
        warning(
            f"An import of it was begun on {earlier.begun_at} and cut off: what came back then comes twice,"
            " and is recognised by its id."
        )
    elif dry_run:
        warning(f"It was put back on {earlier.begun_at}; without --again it is refused.")
    else:
        raise CommandError(
            f"Nothing was done: {file} was put back on {earlier.begun_at}; its messages would come twice.",
            remedy="Say --again if you mean it.",
        )


def keep(file: Path, note: Note) -> None:
    """Keep a note beside a file; where that is not possible, say so and go on."""
    try:
        write(file, note)
    except OSError as error:
        warning(f"That it is put back could not be noted beside {file}: {error.strerror}.")


async def _put_all_back(messages: Sequence[Kept], file: Path, note: Note) -> None:
    connection = await aio_pika.connect(SystemSettings().rabbitmq_url.get_secret_value(), timeout=5)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        keep(file, note)
        with progress(len(messages), "Putting messages back") as bar:
            for message in messages:
                await _put_back(channel, message)
                bar.advance()
    keep(file, replace(note, finished=True))


async def _put_back(channel: AbstractChannel, message: Kept) -> None:
    try:
        await channel.default_exchange.publish(_outgoing(message), routing_key=message.queue, timeout=10)
    except PublishError as returned:
        raise _not_there(message.queue) from returned


def _warn_of_old(messages: Sequence[Kept]) -> None:
    """Say which messages their consumers may not know any more, if they have handled them."""
    now = SystemClock().now().timestamp()
    old = sum(now - (item.properties.get("timestamp") or now) > HORIZON.total_seconds() for item in messages)
    if old:
        warning(
            f"{old} of them are older than {HORIZON.days} days: if they were handled once, their consumers"
            " may not know it any more."
        )


def _read(file: Path, content: bytes) -> Iterator[Kept]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{file} is not UTF-8 text, which a flushed queue is.") from error
    # Not `splitlines`: a message may contain what Unicode calls the end of a line.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            found = json.loads(line)
            body = found["body"]
            content = base64.b64decode(body["base64"]) if "base64" in body else body["text"].encode()
            yield Kept(found["queue"], content, found["properties"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageProblem(
                f"{file}, line {number} is not a flushed message.", remedy="See `propman flush --help`."
            ) from error


def _outgoing(message: Kept) -> aio_pika.Message:
    given = message.properties
    said = given.get("timestamp")
    return aio_pika.Message(
        message.body,
        message_id=given.get("message_id"),
        type=given.get("type"),
        correlation_id=given.get("correlation_id"),
        content_type=given.get("content_type"),
        timestamp=datetime.fromtimestamp(said, UTC) if said is not None else None,
        headers=given.get("headers") or {},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
