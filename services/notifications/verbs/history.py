"""`propman notifications list, show, explain, counts, retry`: what was sent, and what became of it."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from services.notifications.domain.contacts import Contact
from services.notifications.domain.deliveries import RETRYABLE, Channel, State, begin_at
from services.notifications.domain.reasons import in_words
from services.notifications.handlers import hooks
from services.notifications.rendering import Rendered, Templates
from services.notifications.store import deliveries, people, reading
from services.notifications.texting import rendered_row
from services.notifications.verbs.database import database
from shared.cli import (
    App,
    ByOption,
    CommandError,
    IdArgument,
    JsonOption,
    LimitOption,
    TenantOption,
    UsageProblem,
    plain,
    print_json,
    print_record,
    print_table,
    signed,
    success,
)

StateOption = Annotated[
    list[State] | None, typer.Option("--state", help="Only in this state; may be repeated.")
]

_NOTIFICATION = (
    "id",
    "category",
    "template",
    "tenant_id",
    "created_at",
    "correlation_id",
    "source_message_id",
)
_DELIVERY = (
    "id",
    "state",
    "reason",
    "address",
    "attempt_count",
    "next_attempt_at",
    "sent_at",
    "provider_message_id",
)


async def list_command(
    tenant: TenantOption = None,
    state: StateOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, newest first: one line per notification and channel.

    \b
    Examples:
      propman notifications list
      propman notifications list --state unknown --state failed_permanent
      propman notifications history --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with database() as transactions, transactions.engine.connect() as connection:
        found = await reading.list_deliveries(
            connection, tenant_id=tenant, states=[str(item) for item in state or []], limit=limit
        )
    if as_json:
        print_json(found)
        return
    columns = [
        "created_at",
        "template",
        "channel",
        "state",
        "reason",
        "attempts",
        "tenant_id",
        "notification_id",
    ]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="Nothing was sent yet.")


async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one notification: its text, and each delivery with its history.

    The id is a notification's or that of one of its deliveries.

    \b
    Example:
      propman notifications show 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    found, sent, text = await _load(identity)
    if as_json:
        document = {name: found[name] for name in _NOTIFICATION}
        print_json(document | {"rendered": plain(text), "deliveries": sent})
        return
    print_record({name: found[name] for name in _NOTIFICATION})
    typer.echo(f"\nSubject: {text.subject}\n\n{text.text.strip()}\n")
    for delivery in sent:
        _print_delivery(delivery)


async def explain(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Say for each channel of a notification why it was sent, waits, or was not sent.

    The id is a notification's or that of one of its deliveries.

    \b
    Example:
      propman notifications explain 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    found, sent, text = await _load(identity)
    rows = [
        {
            "channel": row["channel"],
            "state": row["state"],
            "reason": row["reason"],
            "because": in_words(row["reason"]),
            "next_attempt_at": row["next_attempt_at"],
            "expires_at": row["expires_at"],
            "history": row["history"],
        }
        for row in sent
    ]
    if as_json:
        print_json({"id": found["id"], "subject": text.subject, "channels": rows})
        return
    typer.echo(f"{found['template']}: {text.subject}\n")
    for row in rows:
        typer.echo(_sentence(row))
        for entry in row["history"]:
            typer.echo(f"    {entry['at']:%Y-%m-%d %H:%M:%S %Z}  {_entry(entry)}")


def _entry(entry: dict[str, Any]) -> str:
    """What happened, why, and what the other side said; each said once."""
    parts = dict.fromkeys([entry["event"], in_words(entry["reason"]), entry["detail"]])
    return ": ".join(part for part in parts if part)


def _sentence(row: dict[str, Any]) -> str:
    sentence = f"{row['channel']}: {row['state'].replace('_', ' ')}"
    if row["because"]:
        sentence += f", because {row['because']}"
    if row["next_attempt_at"] is not None and row["state"] in {State.QUEUED, State.RETRY_WAIT}:
        sentence += f"; next at {row['next_attempt_at']:%Y-%m-%d %H:%M %Z}"
    return f"{sentence}."


async def _load(identity: UUID) -> tuple[dict[str, Any], list[dict[str, Any]], Rendered]:
    async with database() as transactions, transactions.engine.connect() as connection:
        found = await reading.find_notification(connection, identity)
        if found is None:
            raise UsageProblem(
                f"There is no notification {identity}.", remedy="See `propman notifications list`."
            )
        sent = await reading.deliveries_of(connection, found["id"])
        for delivery in sent:
            delivery["history"] = await reading.history_of(connection, delivery["id"])
        return found, sent, rendered_row(Templates(), found, transactions.clock.now())


def _print_delivery(delivery: dict[str, Any]) -> None:
    print_record({"channel": delivery["channel"], **{name: delivery[name] for name in _DELIVERY}})
    for entry in delivery["history"]:
        parts = [entry["event"], entry["state"], entry["reason"] or "", entry["detail"] or ""]
        typer.echo(f"  {entry['at']:%Y-%m-%d %H:%M:%S %Z}  {'  '.join(part for part in parts if part)}")
    if delivery["rendered"]:
        typer.echo(f"  as sent, version {delivery['rendered'].get('version')}")
    typer.echo("")


async def retry(identity: IdArgument) -> None:
    """Send a message again that failed, was skipped, or of which nobody knows whether it arrived.

    The id is a delivery's; a notification's means its e-mail. The address of now is used. An e-mail keeps
    its Message-ID, so that a receiver who has it already can tell. The running service sends it.

    \b
    Example:
      propman notifications retry 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with database() as transactions, transactions.command("notifications.retry") as tx:
        delivery = await _delivery_of(tx.connection, identity)
        state, channel = State(delivery["state"]), Channel(delivery["channel"])
        if state not in RETRYABLE:
            what = "e-mail" if channel is Channel.EMAIL else f"{channel} message"
            raise CommandError(f"This {what} is {state}; there is nothing to retry.")
        known = await people.known_contacts(
            tx.connection, [delivery["tenant_id"]] if delivery["tenant_id"] else []
        )
        contact = known.get(delivery["tenant_id"], Contact(identity, email=delivery["address"]))
        beginning = begin_at(channel, contact.address(channel))
        if beginning.address is None:
            raise CommandError(
                f"There is no usable address: {beginning.reason}.", remedy="Change the tenant's contact."
            )
        if not await deliveries.requeue(tx.connection, delivery["id"], beginning.address, state, tx.at):
            raise CommandError(
                "It changed at this very moment.", remedy="Look again with `propman notifications show`."
            )
    success(f"Queued again: {delivery['id']}. The running service sends it.")


class Word(StrEnum):
    """What can be read in the post of the office."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"


async def record(
    identity: IdArgument,
    word: Annotated[Word, typer.Argument(help="It came back as undeliverable, or its reader complained.")],
    by: ByOption = None,
) -> None:
    """Record that a message came back, or that its reader complained of it.

    The address is closed, and what came back goes by another channel where one is open. The id is a
    delivery's; a notification's means its e-mail.

    \b
    Example:
      propman notifications record 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 bounced --by Kim
    """
    async with database() as transactions, transactions.command("notifications.record") as tx:
        delivery = await _delivery_of(tx.connection, identity)
        forbids = await hooks.take_word(tx, delivery["id"], State(word), signed(by))
    if forbids is not None:
        raise CommandError(
            f"This message is {forbids}, so that it cannot have {word}.",
            remedy="To close an address whatever was sent, use `propman notifications suppressions add`.",
        )
    success(f"Recorded: {word}. The address is closed; `propman notifications suppressions lift` opens it.")


async def _delivery_of(connection: Any, identity: UUID) -> dict[str, Any]:
    found = await reading.find_notification(connection, identity)
    sent = await reading.deliveries_of(connection, found["id"]) if found else []
    outside = [row for row in sent if row["channel"] != Channel.IN_APP]
    named = [row for row in outside if row["id"] == identity]
    emails = [row for row in outside if row["channel"] == Channel.EMAIL]
    for choice in (named, emails, outside):
        if choice:
            return choice[0]
    raise UsageProblem(f"There is no e-mail {identity}.", remedy="See `propman notifications list`.")


async def counts(as_json: JsonOption = False) -> None:
    """Count deliveries by channel and state.

    \b
    Example:
      propman notifications counts --json
    """
    async with database() as transactions, transactions.engine.connect() as connection:
        found = await reading.count_states(connection)
    if as_json:
        print_json(found)
        return
    columns = ["channel", "state", "count"]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="Nothing was sent yet.")


def add_to(app: App) -> None:
    """Register the verbs; `history` is the name that the old system's documents use."""
    app.command("list")(list_command)
    app.command("history")(list_command)
    app.command()(show)
    app.command()(explain)
    app.command()(counts)
    app.command()(retry)
    app.command()(record)
