"""`propman outbox`: what waits to be published, and what no queue wants."""

from typing import Annotated, Any

import sqlalchemy as sa
import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import chosen_services
from propman.databases import ask_each
from shared.cli import CommandError, JsonOption, print_json, print_table, service_app
from shared.messaging.tables import outbox

app = service_app("outbox", "Messages that wait to be published.")


@app.command("list")
async def list_outbox(
    service: Annotated[str | None, typer.Option("--service", help="Only this service's.")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show what each service still has to publish; exit 1 if the broker could not route some of it.

    \b
    Examples:
      propman outbox list
      propman outbox list --service billing --json
    """
    found = await ask_each(chosen_services([service] if service else None), waiting)
    rows = [{"service": name} | row for name, answers in found.items() for row in answers]
    if as_json:
        print_json(rows)
    else:
        columns = ["service", "topic", "waiting", "oldest", "attempts", "last error"]
        print_table(columns, [[row[name] for name in columns] for row in rows], empty="Nothing waits.")
    if any(row["last error"] for row in rows):
        raise CommandError("Some messages could not be routed.", remedy="Run `propman broker init`.")


async def waiting(connection: AsyncConnection) -> list[dict[str, Any]]:
    """What waits, by topic and last error."""
    query = sa.select(
        outbox.c.topic,
        sa.func.count().label("waiting"),
        sa.func.min(outbox.c.occurred_at).label("oldest"),
        sa.func.max(outbox.c.attempts).label("attempts"),
        outbox.c.last_error.label("last error"),
    ).group_by(outbox.c.topic, outbox.c.last_error)
    return [dict(row) for row in (await connection.execute(query.order_by("topic"))).mappings()]


async def depth(connection: AsyncConnection) -> int:
    """How many messages wait."""
    return int(await connection.scalar(sa.select(sa.func.count()).select_from(outbox)) or 0)
