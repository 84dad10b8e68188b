"""`propman leasing work-orders`: what is to be mended, by whom, and when."""

import re
from datetime import date, time
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing import handlers
from services.leasing.domain.refusals import Unknown
from services.leasing.domain.values import parse_word
from services.leasing.domain.work_orders import (
    CATEGORIES,
    PRIORITIES,
    STATES,
    UNFINISHED,
    Assignee,
    Decision,
    WorkOrderDetails,
)
from services.leasing.store import work_orders as store
from services.leasing.store.work_orders import ListedWorkOrder, Wanted
from services.leasing.verbs.database import MORE, changing, first, given, now, parsed, reading, refusals
from services.leasing.verbs.work_order_display import (
    announce,
    document,
    print_work_order,
    print_work_orders,
)
from shared.cli import (
    ByOption,
    DryRunOption,
    JsonOption,
    LimitOption,
    PropertyOption,
    date_option,
    id_option,
    print_json,
    service_app,
    signed,
    success,
)

app = service_app("work-orders", "What is to be mended, by whom, and when. Tenants are told.")

Which = Annotated[str, typer.Argument(metavar="NUMBER", help="WO-2026-000123, or its id.")]
Title = Annotated[str | None, typer.Option("--title", help="In one line; tenants read it.")]
Description = Annotated[
    str | None, typer.Option("--description", help="The details; tenants do not read it.")
]
CategoryOption = Annotated[
    str | None, typer.Option("--category", metavar="|".join(CATEGORIES), help="What kind of work it is.")
]
PriorityOption = Annotated[
    str | None, typer.Option("--priority", metavar="|".join(PRIORITIES), help="How urgent it is.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; tenants read it.")]
Remark = Annotated[str | None, typer.Option("--reason", help="A remark for the history.")]
TenantsReadIt = Annotated[str | None, typer.Option("--reason", help="A remark; tenants read it.")]
UnitOption = Annotated[UUID | None, id_option("--unit", help="The unit it is in.")]


@app.command("open")
async def open_(
    *,
    title: Annotated[str, typer.Option("--title", help="In one line; tenants read it.")],
    unit_id: UnitOption = None,
    property_id: Annotated[
        UUID | None, id_option("--property", help="Instead of --unit: the property, outside its units.")
    ] = None,
    description: Description = None,
    category: CategoryOption = None,
    priority: PriorityOption = None,
    tenant_id: Annotated[
        UUID | None, id_option("--tenant", help="The tenant who reported it; without, the office.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Your name for it; the same again opens nothing.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Open a work order; prints its number.

    The tenants of the unit, and the one who reported it, are told.

    \b
    Examples:
      propman leasing work-orders open --unit ID --title "Kitchen tap drips" --category plumbing --tenant ID
      propman leasing work-orders open --property ID --title "Gate does not close" --priority high
    """
    with refusals():
        details = WorkOrderDetails(title=title, **_details(None, description, category, priority))
    report = handlers.Report(
        details=details,
        property_id=property_id,
        unit_id=unit_id,
        reported_by=tenant_id,
        reference=reference,
    )
    async with changing("open_work_order", dry_run=dry_run) as tx:
        found = await handlers.open_work_order(tx, report, Decision(signed(by)))
    words = "was there already, under this reference" if found.repeated else "is open"
    announce(found.order, words, dry_run=dry_run, as_json=as_json)


@app.command()
async def change(
    *,
    which: Which,
    title: Title = None,
    description: Description = None,
    category: CategoryOption = None,
    priority: PriorityOption = None,
    reason: Remark = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say it better, or that it is more urgent; what is not given stays. Tenants are not told."""
    with refusals():
        changes = _details(title, description, category, priority)
    async with changing("change_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.change_work_order(tx, identity, Decision(signed(by), reason), **changes)
    announce(order, f"is at version {order.version}", dry_run=dry_run, as_json=as_json)


@app.command()
async def assign(
    *,
    which: Which,
    name: Annotated[
        str, typer.Option("--to", metavar="NAME", help="Who does it: a contractor, or one of you.")
    ],
    email: Annotated[str | None, typer.Option("--email", help="How they are reached.")] = None,
    reason: Remark = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Give a work order to somebody, or to somebody else; an appointment that was made stays.

    \b
    Example:
      propman leasing work-orders assign WO-2026-000123 --to "Rapid Plumbing" --email jobs@rapid.example
    """
    async with changing("assign_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        decision = Decision(signed(by), reason)
        order = await handlers.assign_work_order(tx, identity, Assignee(name, email), decision)
    announce(order, f"is assigned to {order.assignee_name}", dry_run=dry_run, as_json=as_json)


@app.command()
async def unassign(
    which: Which,
    reason: TenantsReadIt = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a work order from whoever had it; an appointment is off, and tenants are told so."""
    async with changing("unassign_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.unassign_work_order(tx, identity, Decision(signed(by), reason))
    announce(order, "is open, and nobody's", dry_run=dry_run, as_json=as_json)


@app.command()
async def schedule(
    *,
    which: Which,
    on: Annotated[date, date_option("--on", help="The day.")],
    begins: Annotated[str, typer.Option("--from", metavar="HH:MM", help="Not before; the property's time.")],
    ends: Annotated[str, typer.Option("--to", metavar="HH:MM", help="Not after; the property's time.")],
    reason: TenantsReadIt = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Make an appointment, or move it. Tenants are told when somebody comes.

    \b
    Example:
      propman leasing work-orders schedule WO-2026-000123 --on 2026-09-03 --from 09:00 --to 12:00
    """
    with refusals():
        hours = parsed("from", _time, begins), parsed("to", _time, ends)
    async with changing("schedule_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.schedule_work_order(tx, identity, on, hours, Decision(signed(by), reason))
    announce(order, f"is scheduled for {on}, {begins} to {ends}", dry_run=dry_run, as_json=as_json)


@app.command()
async def complete(
    which: Which,
    reason: TenantsReadIt = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say that a work order is done. Tenants are told."""
    async with changing("complete_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.complete_work_order(tx, identity, Decision(signed(by), reason))
    announce(order, "is done", dry_run=dry_run, as_json=as_json)


@app.command()
async def cancel(
    which: Which, reason: Why, by: ByOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Give a work order up. Tenants are told why."""
    async with changing("cancel_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.cancel_work_order(tx, identity, Decision(signed(by), reason))
    announce(order, "is cancelled", dry_run=dry_run, as_json=as_json)


@app.command()
async def reopen(
    which: Which, reason: Why, by: ByOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Open a finished work order again, with nobody on it. Tenants are told why."""
    async with changing("reopen_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.reopen_work_order(tx, identity, Decision(signed(by), reason))
    announce(order, "is open again", dry_run=dry_run, as_json=as_json)


@app.command()
async def note(
    which: Which,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="In one line; nobody but the office reads it.")],
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a note to a work order's history, in whatever state it is."""
    async with changing("note_on_work_order", dry_run=dry_run) as tx:
        identity = await _identity(tx.connection, which)
        order = await handlers.note_on_work_order(tx, identity, Decision(signed(by), text))
    if as_json:
        print_json(order)
    elif not dry_run:
        success(f"Noted on work order {order.number}.")


@app.command("list")
async def list_(
    *,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="|".join(STATES), help="Repeatable; without, what is not finished."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Finished ones too.")] = False,
    priority: PriorityOption = None,
    property_id: PropertyOption = None,
    unit_id: UnitOption = None,
    tenant_id: Annotated[UUID | None, id_option("--tenant", help="Only what this tenant reported.")] = None,
    assignee: Annotated[
        str | None, typer.Option("--assignee", help="Only this person's, by name or e-mail address.")
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List what is to be done, the most urgent and the oldest first."""
    with refusals():
        chosen = [parsed("state", lambda text: parse_word(text, STATES), text) for text in state or ()]
        wanted = Wanted(
            states=chosen or (() if everything else UNFINISHED),
            priority=parsed("priority", lambda text: parse_word(text, PRIORITIES), priority)
            if priority
            else None,
            property_id=property_id,
            unit_id=unit_id,
            tenant_id=tenant_id,
            assignee=assignee,
        )
    async with reading() as connection:
        rows = first(await store.list_work_orders(connection, limit + MORE, wanted), limit)
    if as_json:
        print_json([document(row, now()) for row in rows])
    else:
        print_work_orders(rows, now())


@app.command()
async def show(which: Which, as_json: JsonOption = False) -> None:
    """Show one work order with everything that was ever done with it, and what may be done now."""
    async with reading() as connection:
        with refusals():
            found = await _listed(connection, which)
        history = await store.history_of(connection, found.order.id)
    if as_json:
        print_json(document(found, now(), history))
    else:
        print_work_order(found, now(), history)


async def _identity(connection: AsyncConnection, which: str) -> UUID:
    return (await _listed(connection, which)).order.id


async def _listed(connection: AsyncConnection, which: str) -> ListedWorkOrder:
    rows = await store.list_work_orders(connection, 1, Wanted(), named=_named(which))
    if not rows:
        raise Unknown("work order", which)
    return rows[0]


def _named(text: str) -> str | UUID:
    try:
        return UUID(text)
    except ValueError:
        return text.strip().upper()


def _details(
    title: str | None, description: str | None, category: str | None, priority: str | None
) -> dict[str, Any]:
    """The details somebody gave; a word that is none of those known is named with its option."""
    return given(
        title=title,
        description=description,
        category=parsed("category", lambda text: parse_word(text, CATEGORIES), category)
        if category
        else None,
        priority=parsed("priority", lambda text: parse_word(text, PRIORITIES), priority)
        if priority
        else None,
    )


def _time(text: str) -> time:
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text.strip(), re.ASCII):
        raise ValueError(f"{text!r} is not a time such as 09:30")
    hour, _, minute = text.strip().partition(":")
    return time(int(hour), int(minute))
