"""`propman notifications send-notification`."""

from typing import Annotated

import typer

from services.notifications import announcing
from services.notifications.announcing import Announcement, Recipient
from services.notifications.domain.decisions import Planned
from services.notifications.domain.deliveries import Channel, State
from services.notifications.domain.notices import BadSubject
from services.notifications.domain.reasons import in_words
from services.notifications.handlers import tell
from services.notifications.handlers.telling import once_per_address
from services.notifications.settings import Settings
from services.notifications.verbs.database import database
from shared.cli import (
    App,
    DryRunOption,
    JsonOption,
    TenantOption,
    UsageProblem,
    print_json,
    print_table,
    say,
    success,
    warning,
)

ChannelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        help="email, sms, in_app, webhook or console; may be repeated. Default: email.",
    ),
]
GroupOption = Annotated[
    str | None,
    typer.Option(
        help='A group by its name: "All Tenants", "Tenants of <property name>", "Tenants with an overdue '
        'invoice", or one of `groups list`.'
    ),
]


async def send_notification(
    subject: Annotated[str, typer.Option(help="One line.")],
    body: Annotated[str, typer.Option(help="The text; an empty line begins a new paragraph.")],
    to: Annotated[str | None, typer.Option("--to", metavar="EMAIL", help="One e-mail address.")] = None,
    tenant: TenantOption = None,
    group: GroupOption = None,
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
    async with database() as transactions, transactions.command("notifications.send_notification") as tx:
        chosen = await announcing.recipients(tx.connection, wanted, tx.at)
        taken: set[object] = set()
        planned = [
            (who, item)
            for who in sorted(chosen, key=_as_written)
            for item in once_per_address(who.plan(wanted.channels, tx.at), wanted, taken)
        ]
        planned.sort(key=lambda pair: pair[0].name)
        if not dry_run and chosen:
            told = announcing.notices(wanted, chosen, tx.cause.message_id, tx.cause.correlation_id)
            await tell(tx, told)
    _report(wanted, planned, len(chosen), dry_run=dry_run, as_json=as_json)
    if Channel.CONSOLE in wanted.channels and not Settings().console:
        warning("The console prints nothing unless the service runs with NOTIFICATIONS_CONSOLE=true.")


def _report(
    wanted: Announcement,
    planned: list[tuple[Recipient, Planned]],
    count: int,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "recipients": count, "deliveries": [_row(*item) for item in planned]})
    elif dry_run:
        print_table(
            ["tenant", "name", "channel", "address", "state", "reason"],
            [
                [
                    who.tenant_id,
                    who.name,
                    item.channel,
                    who.address_by(item.channel),
                    item.beginning.state,
                    in_words(item.beginning.reason) or None,
                ]
                for who, item in planned
            ],
        )
    if not count:
        say("Nobody is in this group; there is nothing to do.")
        return
    not_sent = [item for _, item in planned if item.beginning.state in {State.SKIPPED, State.SUPPRESSED}]
    if not_sent:
        reasons = ", ".join(sorted({in_words(item.beginning.reason) for item in not_sent}))
        warning(f"{len(not_sent)} will not be sent: {reasons}.")
    if dry_run:
        say(f"Dry run: {_recipients(count)}, nothing was written.")
    else:
        by = ", ".join(wanted.channels)
        success(f"Written for {_recipients(count)} ({by}). The running service sends it.")


def _as_written(who: Recipient) -> str:
    """Of several with one address the first has it, in the order in which they are written."""
    return str(who.tenant_id or who.address)


def _row(who: Recipient, item: Planned) -> dict[str, object]:
    beginning = item.beginning
    return {
        "tenant_id": who.tenant_id,
        "channel": item.channel,
        "state": beginning.state,
        "reason": beginning.reason,
        "not_before": beginning.not_before,
    }


def _recipients(count: int) -> str:
    return f"{count} recipient" if count == 1 else f"{count} recipients"


def add_to(app: App) -> None:
    """Register the verb."""
    app.command()(send_notification)
