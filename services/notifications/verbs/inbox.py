"""`propman notifications inbox, inbox-link`."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from services.notifications.links import Links
from services.notifications.rendering import Templates
from services.notifications.settings import Settings
from services.notifications.store import inbox as store
from services.notifications.texting import rendered_row
from services.notifications.verbs.database import database, require_tenant
from shared.cli import App, JsonOption, LimitOption, UsageProblem, id_option, print_json, say


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
    async with database() as transactions, transactions.engine.connect() as connection:
        await require_tenant(connection, tenant)
        found = await store.messages(connection, tenant, limit=limit)
        at = transactions.clock.now()
    messages = [(row, rendered_row(Templates(), row, at)) for row in found]
    if as_json:
        print_json(
            [
                {
                    "id": row["notification_id"],
                    "at": row["created_at"],
                    "read_at": row["read_at"],
                    "subject": text.subject,
                    "text": text.text,
                }
                for row, text in messages
            ]
        )
        return
    for row, text in messages:
        new = "" if row["read_at"] else "  (new)"
        typer.echo(f"{row['created_at']:%Y-%m-%d %H:%M %Z}  {text.subject}{new}\n\n{text.text.strip()}\n")
    if not messages:
        say("The inbox is empty.")


async def inbox_link(
    tenant: Annotated[UUID, id_option("--tenant", help="Whose inbox it opens.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it opens it.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Print a link that opens one tenant's inbox. Whoever has it can read that inbox, so keep it safe.

    \b
    Example:
      propman notifications inbox-link --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --days 7
    """
    settings = Settings()
    if settings.key is None or settings.public_url is None:
        raise UsageProblem(
            "This service has no address that the world reaches.",
            remedy="Set NOTIFICATIONS_PUBLIC_URL and NOTIFICATIONS_SIGNING_KEY.",
        )
    links = Links(settings.key, settings.public_url)
    async with database() as transactions, transactions.engine.connect() as connection:
        await require_tenant(connection, tenant)
        expires_at = transactions.clock.now() + timedelta(days=days)
    token = links.inbox_token(tenant, expires_at)
    url = f"{links.public_url}/inbox?token={token}"
    if as_json:
        print_json({"url": url, "token": token, "expires_at": expires_at})
    else:
        typer.echo(url)


def add_to(app: App) -> None:
    """Register the verbs."""
    app.command()(inbox)
    app.command()(inbox_link)
