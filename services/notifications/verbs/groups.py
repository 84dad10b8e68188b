"""`propman notifications groups`: who belongs together, and what they hear of."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.deliveries import Channel
from services.notifications.domain.notices import group_names
from services.notifications.handlers import events
from services.notifications.store import groups as store
from services.notifications.store import people
from services.notifications.verbs.database import database, looking, require_person
from shared.cli import (
    CommandError,
    JsonOption,
    UsageProblem,
    id_option,
    print_json,
    print_table,
    service_app,
    success,
)

app = service_app("groups", "Groups of people, by name or by rule, and the events they subscribed to.")

GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]
PersonOption = Annotated[UUID, id_option("--person", help="A tenant, or one of `contacts list`.")]


@app.command("list")
async def list_command(as_json: JsonOption = False) -> None:
    """List every group: those with named members, and those that follow a rule.

    \b
    Example:
      propman notifications groups list
    """
    async with looking() as connection:
        named = await store.list_groups(connection)
        rules = group_names(await people.every_property(connection))
    rows = [(row["name"], "named", row["members"], ", ".join(row["events"] or [])) for row in named]
    rows += [(name, "rule", None, "") for name in rules]
    if as_json:
        print_json([dict(zip(("name", "kind", "members", "events"), row, strict=True)) for row in rows])
        return
    print_table(["name", "kind", "members", "events"], rows)


@app.command()
async def add(name: GroupArgument) -> None:
    """Make an empty group.

    \b
    Example:
      propman notifications groups add Staff
    """
    async with database() as transactions, transactions.command("notifications.add_group") as tx:
        rules = {rule.casefold() for rule in group_names(await people.every_property(tx.connection))}
        if name.strip().casefold() in rules:
            raise UsageProblem(f"{name!r} is the name of a group that follows a rule.")
        if not name.strip() or await store.add_group(tx.connection, name.strip(), tx.at) is None:
            raise CommandError(f"There is a group {name!r} already.", remedy="Choose another name.")
    success(f"There is a group {name.strip()!r} now. Fill it with `groups add-member`.")


@app.command()
async def remove(name: GroupArgument) -> None:
    """Forget a group and its subscriptions; its members stay contacts.

    \b
    Example:
      propman notifications groups remove Staff
    """
    async with database() as transactions, transactions.command("notifications.remove_group") as tx:
        await store.remove_group(tx.connection, await _find(tx.connection, name))
    success(f"The group {name!r} is gone.")


@app.command()
async def members(name: GroupArgument, as_json: JsonOption = False) -> None:
    """List who belongs to a group.

    \b
    Example:
      propman notifications groups members Staff
    """
    async with looking() as connection:
        found = await store.members(connection, await _find(connection, name))
    rows = [(who.tenant_id, who.kind, who.name) for who in found]
    if as_json:
        print_json([dict(zip(("id", "kind", "name"), row, strict=True)) for row in rows])
        return
    print_table(["id", "kind", "name"], rows, empty="Nobody is in this group.")


@app.command()
async def add_member(name: GroupArgument, person: PersonOption) -> None:
    """Put a person into a group.

    \b
    Example:
      propman notifications groups add-member Staff --person 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with database() as transactions, transactions.command("notifications.add_member") as tx:
        await require_person(tx.connection, person)
        added = await store.add_member(tx.connection, await _find(tx.connection, name), person)
    success("Added." if added else "They were in it already.")


@app.command()
async def remove_member(name: GroupArgument, person: PersonOption) -> None:
    """Take a person out of a group.

    \b
    Example:
      propman notifications groups remove-member Staff --person 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with database() as transactions, transactions.command("notifications.remove_member") as tx:
        gone = await store.remove_member(tx.connection, await _find(tx.connection, name), person)
    success("Removed." if gone else "They were not in it.")


@app.command()
async def subscribe(
    name: GroupArgument,
    event: Annotated[str, typer.Option(help="Such as invoice_overdue; `groups events` lists all.")],
    channel: Annotated[
        list[Channel] | None, typer.Option(help="By this channel; may be repeated. Default: each member's.")
    ] = None,
) -> None:
    """Let a group hear of an event from now on.

    \b
    Example:
      propman notifications groups subscribe Staff --event invoice_overdue --channel email
    """
    if event not in events():
        raise UsageProblem(f"There is no event {event!r}.", remedy=f"Use one of {', '.join(events())}.")
    async with database() as transactions, transactions.command("notifications.subscribe") as tx:
        group = await _find(tx.connection, name)
        await store.subscribe(tx.connection, group, event, [str(item) for item in channel or []])
    success(f"{name} hears of {event} from now on.")


@app.command()
async def unsubscribe(name: GroupArgument, event: Annotated[str, typer.Option(help="The event.")]) -> None:
    """Let a group hear of an event no more.

    \b
    Example:
      propman notifications groups unsubscribe Staff --event invoice_overdue
    """
    async with database() as transactions, transactions.command("notifications.end_subscription") as tx:
        ended = await store.end_subscription(tx.connection, await _find(tx.connection, name), event)
    success(f"{name} hears of {event} no more." if ended else f"{name} did not hear of {event}.")


@app.command("events")
def list_events(as_json: JsonOption = False) -> None:
    """List the events a group can subscribe to.

    \b
    Example:
      propman notifications groups events
    """
    if as_json:
        print_json(events())
    else:
        print_table(["event"], [[event] for event in events()])


async def _find(connection: AsyncConnection, name: str) -> UUID:
    found = await store.find_group(connection, name)
    if found is None:
        raise UsageProblem(
            f"There is no group {name!r} with named members.",
            remedy="See `propman notifications groups list`.",
        )
    return found
