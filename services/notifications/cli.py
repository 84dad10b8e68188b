"""The operator's verbs: what was sent to whom, what became of it, and telling people something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import typer

from services.notifications import announcing
from services.notifications.domain.contacts import Contact
from services.notifications.domain.deliveries import RETRYABLE, Channel, State, begin_email
from services.notifications.domain.notices import BadSubject
from services.notifications.handlers import router, tell
from services.notifications.rendering import Rendered, Templates
from services.notifications.settings import Settings
from services.notifications.store import deliveries, people, reading
from shared.cli import (
    CommandError,
    DryRunOption,
    IdArgument,
    JsonOption,
    LimitOption,
    TenantOption,
    UsageProblem,
    id_option,
    plain,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
    success,
    warning,
)
from shared.hosting import open_transactions
from shared.messaging.commands import add_messaging_commands
from shared.messaging.transaction import Transactions

app = service_app("notifications", "E-mails and in-app messages: what was sent, and what became of it.")
add_messaging_commands(app, router)

StateOption = Annotated[
    list[State] | None, typer.Option("--state", help="Only in this state; may be repeated.")
]
ChannelOption = Annotated[
    list[str] | None,
    typer.Option("--channel", help="email, in_app (or sms, later); may be repeated. Default: email."),
]


@asynccontextmanager
async def _database() -> AsyncIterator[Transactions]:
    async with open_transactions(Settings(), "notifications") as transactions:
        yield transactions


@app.command("list")
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
      propman notifications list --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --json
    """
    async with _database() as transactions, transactions.engine.connect() as connection:
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


@app.command()
async def show(identity: IdArgument, as_json: JsonOption = False) -> None:
    """Show one notification: its text, and each delivery with its history.

    The id is a notification's or that of one of its deliveries.

    \b
    Example:
      propman notifications show 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with _database() as transactions, transactions.engine.connect() as connection:
        found = await reading.find_notification(connection, identity)
        if found is None:
            raise CommandError(
                f"There is no notification {identity}.", remedy="See `propman notifications list`."
            )
        sent = await reading.deliveries_of(connection, found["id"])
        for delivery in sent:
            delivery["history"] = await reading.history_of(connection, delivery["id"])
    text = _rendered(found)
    if as_json:
        document = {name: found[name] for name in _NOTIFICATION}
        print_json(document | {"rendered": plain(text), "deliveries": sent})
        return
    print_record({name: found[name] for name in _NOTIFICATION})
    typer.echo(f"\nSubject: {text.subject}\n\n{text.text.strip()}\n")
    for delivery in sent:
        _print_delivery(delivery)


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


def _rendered(found: dict[str, Any]) -> Rendered:
    names = {name: found[name] for name in ("tenant_name", "property_name")}
    return Templates().render(found["template"], found["locale"], found["context"] | names)


def _print_delivery(delivery: dict[str, Any]) -> None:
    print_record({"channel": delivery["channel"], **{name: delivery[name] for name in _DELIVERY}})
    for entry in delivery["history"]:
        parts = [entry["event"], entry["state"], entry["reason"] or "", entry["detail"] or ""]
        typer.echo(f"  {entry['at']:%Y-%m-%d %H:%M:%S %Z}  {'  '.join(part for part in parts if part)}")
    typer.echo("")


@app.command()
async def inbox(
    tenant: Annotated[UUID, id_option("--tenant", help="Whose inbox.")],
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the in-app messages of a tenant, newest first, as the tenant reads them.

    \b
    Example:
      propman notifications inbox --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with _database() as transactions, transactions.engine.connect() as connection:
        if not await reading.tenant_is_known(connection, tenant):
            raise CommandError(f"There is no tenant {tenant}.", remedy="See `propman leasing tenants list`.")
        found = await reading.inbox_of(connection, tenant, limit)
    messages = [{"id": row["id"], "at": row["created_at"], "text": _rendered(row)} for row in found]
    if as_json:
        print_json(
            [{**item, "subject": item["text"].subject, "text": item["text"].text} for item in messages]
        )
        return
    for item in messages:
        typer.echo(f"{item['at']:%Y-%m-%d %H:%M %Z}  {item['text'].subject}\n\n{item['text'].text.strip()}\n")
    if not messages:
        say("The inbox is empty.")


@app.command()
async def retry(identity: IdArgument) -> None:
    """Send an e-mail again that failed, was skipped, or of which nobody knows whether it arrived.

    The id is a delivery's or its notification's. The tenant's address of now is used. The message keeps
    its Message-ID, so that a receiver who has it already can tell. The running service sends it.

    \b
    Example:
      propman notifications retry 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with _database() as transactions, transactions.command("notifications.retry") as tx:
        delivery = await _email_of(tx.connection, identity)
        state = State(delivery["state"])
        if state not in RETRYABLE:
            raise CommandError(f"This e-mail is {state}; there is nothing to retry.")
        known = await people.known_contacts(
            tx.connection, [delivery["tenant_id"]] if delivery["tenant_id"] else []
        )
        fallback = Contact(identity, email=delivery["address"])
        beginning = begin_email(known.get(delivery["tenant_id"], fallback))
        if beginning.address is None:
            raise CommandError(
                f"There is no usable address: {beginning.reason}.", remedy="Change the tenant's e-mail."
            )
        if not await deliveries.requeue(tx.connection, delivery["id"], beginning.address, state, tx.at):
            raise CommandError(
                "It changed at this very moment.", remedy="Look again with `propman notifications show`."
            )
    success(f"Queued again: {delivery['id']}. The running service sends it.")


async def _email_of(connection: Any, identity: UUID) -> dict[str, Any]:
    found = await reading.find_notification(connection, identity)
    sent = await reading.deliveries_of(connection, found["id"]) if found else []
    emails = [
        row
        for row in sent
        if row["channel"] == Channel.EMAIL and identity in {row["id"], row["notification_id"]}
    ]
    if not emails:
        raise CommandError(f"There is no e-mail {identity}.", remedy="See `propman notifications list`.")
    return emails[0]


@app.command()
async def counts(as_json: JsonOption = False) -> None:
    """Count deliveries by channel and state.

    \b
    Example:
      propman notifications counts --json
    """
    async with _database() as transactions, transactions.engine.connect() as connection:
        found = await reading.count_states(connection)
    if as_json:
        print_json(found)
        return
    columns = ["channel", "state", "count"]
    print_table(columns, [[row[name] for name in columns] for row in found], empty="Nothing was sent yet.")


@app.command()
async def send_notification(
    subject: Annotated[str, typer.Option(help="One line.")],
    body: Annotated[str, typer.Option(help="The text; an empty line begins a new paragraph.")],
    to: Annotated[str | None, typer.Option("--to", metavar="EMAIL", help="One e-mail address.")] = None,
    tenant: TenantOption = None,
    group: Annotated[str | None, typer.Option(help='"All Tenants" or "Tenants of <property name>".')] = None,
    channel: ChannelOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell one person or a group something. It is written down here and sent by the running service.

    \b
    Examples:
      propman notifications send-notification --to tenant@example.com --subject Test --body "Test message"
      propman notifications send-notification --group "All Tenants" --subject Announcement \\
          --body "The water is off on Monday from 9 to 11." --channel email --channel in_app --dry-run
    """
    try:
        wanted = announcing.announcement(
            subject=subject, body=body, channels=channel or ["email"], to=to, tenant_id=tenant, group=group
        )
    except BadSubject as error:
        raise UsageProblem(str(error)) from error
    async with _database() as transactions, transactions.command("notifications.send_notification") as tx:
        chosen = await announcing.recipients(tx.connection, wanted, tx.at)
        if not dry_run:
            identity = tx.cause.message_id
            for start in range(0, len(chosen), 1000):
                part = chosen[start : start + 1000]
                await tell(tx, announcing.notices(wanted, part, identity, tx.cause.correlation_id))
    _report(wanted, chosen, dry_run=dry_run, as_json=as_json)


def _report(
    wanted: announcing.Announcement, chosen: list[announcing.Recipient], *, dry_run: bool, as_json: bool
) -> None:
    planned = [(recipient, name, *recipient.plan(name)) for recipient in chosen for name in wanted.channels]
    if as_json:
        rows = [
            {"tenant_id": who.tenant_id, "channel": name, "state": state, "reason": reason}
            for who, name, state, reason in planned
        ]
        print_json({"dry_run": dry_run, "recipients": len(chosen), "deliveries": rows})
    elif dry_run:
        print_table(
            ["tenant", "name", "channel", "address", "state", "reason"],
            [
                [who.tenant_id, who.name, name, who.address, state, reason]
                for who, name, state, reason in planned
            ],
        )
    if not chosen:
        say("Nobody is in this group; there is nothing to do.")
        return
    skipped = sum(state is State.SKIPPED for _, _, state, _ in planned)
    if skipped:
        warning(f"{skipped} will be skipped for want of a usable address.")
    if dry_run:
        say(f"Dry run: {_recipients(len(chosen))}, nothing was written.")
    else:
        success(f"Written for {_recipients(len(chosen))}. The running service sends the e-mails.")


def _recipients(count: int) -> str:
    return f"{count} recipient" if count == 1 else f"{count} recipients"
