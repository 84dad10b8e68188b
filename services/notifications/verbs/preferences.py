"""`propman notifications preferences`: what people want to hear, by which way, and when not."""

import re
from datetime import time
from typing import Annotated, Literal
from uuid import UUID

import typer

from services.notifications.domain.contacts import ANY, Contact
from services.notifications.domain.deliveries import Channel
from services.notifications.domain.kinds import Category
from services.notifications.domain.quiet_hours import DEFAULTS, QuietWindow
from services.notifications.store import people, wishes
from services.notifications.verbs.database import database, looking, require_person
from shared.cli import JsonOption, UsageProblem, id_option, print_json, print_table, service_app, success

app = service_app("preferences", "What somebody wants to hear, by which channel, and when not.")

PersonOption = Annotated[UUID, id_option("--tenant", help="A tenant, or one of `contacts list`.")]
CategoryOption = Annotated[str, typer.Option(help=f"One of {', '.join(Category)}, or all.")]
WayOption = Annotated[str, typer.Option("--channel", help="One of email, sms, in_app, webhook, or all.")]


@app.command()
async def show(tenant: PersonOption, as_json: JsonOption = False) -> None:
    """Show what somebody wished for.

    \b
    Example:
      propman notifications preferences show --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with looking() as connection:
        await require_person(connection, tenant)
        person = (await people.known_contacts(connection, [tenant]))[tenant]
    rows = _rows(person)
    if as_json:
        print_json([dict(zip(("category", "channel", "wish"), row, strict=True)) for row in rows])
        return
    print_table(["category", "channel", "wish"], rows)


def _rows(person: Contact) -> list[tuple[str, str, str]]:
    named = {ANY: "all"}
    rows = [
        (named.get(category, category), named.get(channel, channel), "on" if wanted else "off")
        for (category, channel), wanted in sorted(person.preferences.items())
    ]
    for channel, window in {**DEFAULTS, **person.quiet}.items():
        rows.append(("all", channel, _quiet(window)))
    rows += [(item.scope, item.channel, f"closed: {item.reason}") for item in person.suppressed]
    agreed = person.sms_consent or person.preferred == "sms"
    return [*rows, ("all", person.preferred, "chosen"), ("all", "sms", "agreed" if agreed else "not agreed")]


@app.command("set")
async def set_command(
    wish: Annotated[Literal["on", "off", "default"], typer.Argument(metavar="on|off|default")],
    tenant: PersonOption,
    category: CategoryOption = "all",
    channel: WayOption = "all",
) -> None:
    """Switch a kind of message on or off, everywhere or on one channel.

    Emergencies, and by e-mail and in the app also invoices and other notices that a tenant is entitled to,
    come whatever is switched off.

    \b
    Examples:
      propman notifications preferences set off --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 \\
          --category reminder --channel sms
      propman notifications preferences set on --tenant 0198c1d2-… --category weather
    """
    chosen = _one_of(category, tuple(Category), "category")
    way = _one_of(channel, tuple(Channel), "channel")
    if (chosen, way) == (ANY, ANY):
        raise UsageProblem("Say which: --category, --channel or both.")
    async with database() as transactions, transactions.command("notifications.prefer") as tx:
        await require_person(tx.connection, tenant)
        wanted = {"on": True, "off": False, "default": None}[wish]
        await wishes.prefer(tx.connection, tenant, chosen, way, wanted, tx.at)
    success(f"{category} by {channel}: {wish}.")


@app.command()
async def quiet_hours(
    tenant: PersonOption,
    window: Annotated[str, typer.Argument(metavar="HH:MM-HH:MM|none", help="By their own clock.")],
    channel: WayOption = "sms",
) -> None:
    """Set when a channel is not to disturb somebody; over midnight where it ends earlier than it begins.

    \b
    Examples:
      propman notifications preferences quiet-hours 22:00-07:30 --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman notifications preferences quiet-hours none --channel email --tenant 0198c1d2-…
    """
    starts, ends = _window(window)
    way = _one_of(channel, tuple(Channel), "channel")
    if way == ANY:
        raise UsageProblem("Quiet hours are set for one channel at a time.")
    async with database() as transactions, transactions.command("notifications.keep_quiet") as tx:
        await require_person(tx.connection, tenant)
        await wishes.keep_quiet(tx.connection, tenant, way, starts, ends, tx.at)
    success(f"Quiet hours of {channel}: {window}.")


@app.command()
async def consent(
    tenant: PersonOption,
    source: Annotated[str | None, typer.Option(help="How they agreed: signed form of 3 May.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="They do not agree any more.")] = False,
) -> None:
    """Record that somebody agreed to text messages, and how; or that they do not any more.

    \b
    Example:
      propman notifications preferences consent --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 \\
          --source "signed form of 3 May"
    """
    if bool(source) == withdraw:
        raise UsageProblem("Say how they agreed with --source, or --withdraw.")
    async with database() as transactions, transactions.command("notifications.consent") as tx:
        await require_person(tx.connection, tenant)
        await wishes.consent(tx.connection, tenant, source, tx.at)
    success("Recorded.")


def _quiet(window: QuietWindow) -> str:
    if window.starts == window.ends:
        return "never quiet"
    return f"quiet {window.starts:%H:%M}-{window.ends:%H:%M}"


def _one_of(text: str, known: tuple[str, ...], what: str) -> str:
    if text == "all":
        return ANY
    if text not in set(known):
        raise UsageProblem(f"There is no {what} {text!r}.", remedy=f"Use one of {', '.join(known)}, or all.")
    return text


def _window(text: str) -> tuple[time, time]:
    if text == "none":
        return time(0), time(0)
    if re.fullmatch(r"\d{2}:\d{2}-\d{2}:\d{2}", text):
        try:
            starts, ends = (time.fromisoformat(part) for part in text.split("-"))
        except ValueError:
            pass
        else:
            return starts, ends
    raise UsageProblem(
        f"{text!r} is not a time of day to another.", remedy="Write it like 21:00-08:00, or none."
    )
