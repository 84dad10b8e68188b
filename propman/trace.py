"""`propman trace`: one story through every service, by the correlation id that all its messages carry."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.catalog import app_module, service_names
from propman.databases import ask_each
from shared.cli import IdArgument, JsonOption, UsageProblem, command_app, print_json, print_table, say
from shared.messaging.tables import dead_letters, inbox, outbox

app = command_app("trace")

Found = tuple[str, int, datetime, datetime]
"""What was done, how often, and when first and last."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one service did with one kind of message."""

    service: str
    what: str
    count: int
    first_at: datetime
    last_at: datetime


@app.command()
async def trace(identity: IdArgument, as_json: JsonOption = False) -> None:
    r"""Follow a trigger, or any message that began something, through every service.

    ID is the occurrence's id (`propman scheduler history`), a correlation id from a log line, or the id of
    any message, dead letter, notification or delivery: then it is the story that this is a part of.

    \b
    Example:
      propman trace 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    steps = await steps_of(identity)
    if not steps and (story := await story_of(identity)):
        say(f"{identity} is a part of the story {story}.")
        steps = await steps_of(story)
    if not steps:
        raise UsageProblem(f"Nothing is known of {identity}.", remedy="See `propman scheduler history`.")
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    print_steps(steps)


async def steps_of(correlation_id: UUID) -> list[Step]:
    """Every step of a story, in the order in which they began."""
    names = service_names()

    async def ask(connection: AsyncConnection) -> list[Found]:
        found: list[Found] = []
        for query in _queries(correlation_id):
            found += [
                (what, count, first, last) for what, count, first, last in await connection.execute(query)
            ]
        return found

    answers = await ask_each(names, ask)
    steps = [Step(name, *row) for name, rows in answers.items() for row in rows]
    for name in names:
        steps += await _own_steps(name, correlation_id)
    return sorted(steps, key=lambda step: (step.first_at, step.last_at))


async def story_of(identity: UUID) -> UUID | None:
    """The correlation id of the story that a message, or something a service made of one, is a part of."""
    names = service_names()

    async def messages(connection: AsyncConnection) -> UUID | None:
        return await part_of_story(connection, identity)

    found = list((await ask_each(names, messages)).values())
    for name in names:
        if own := getattr(app_module(name), "story_of", None):
            found += (await ask_each([name], partial(own, identity=identity))).values()
    return next((story for story in found if story is not None), None)


async def part_of_story(connection: AsyncConnection, identity: UUID) -> UUID | None:
    """The same for what one service's messaging tables know: handled, still waiting, or given up on."""
    letters = dead_letters.c
    queries = (
        sa.select(outbox.c.correlation_id).where(outbox.c.message_id == identity),
        sa.select(sa.cast(letters.correlation_id, sa.Uuid)).where(
            sa.or_(letters.id == identity, letters.message_id == str(identity)),
            letters.correlation_id.is_not(None),
        ),
        sa.select(inbox.c.correlation_id).where(inbox.c.message_id == identity),
    )
    for query in queries:
        found: UUID | None = await connection.scalar(query.limit(1))
        if found is not None:
            return found
    return None


def _queries(correlation_id: UUID) -> list[sa.Select[str, int, datetime, datetime]]:
    """Handled, still waiting, and given up on: what every service's messaging tables know."""
    waiting = sa.literal("to be published: ") + outbox.c.topic
    dead = sa.literal("dead letter: ") + dead_letters.c.topic
    return [
        _step_query(inbox.c.consumer, inbox.c.processed_at, inbox.c.correlation_id == correlation_id),
        _step_query(waiting, outbox.c.occurred_at, outbox.c.correlation_id == correlation_id),
        _step_query(dead, dead_letters.c.died_at, dead_letters.c.correlation_id == str(correlation_id)),
    ]


def _step_query(
    what: sa.ColumnElement[str], moment: sa.ColumnElement[datetime], wanted: sa.ColumnElement[bool]
) -> sa.Select[str, int, datetime, datetime]:
    return (
        sa.select(what, sa.func.count(), sa.func.min(moment), sa.func.max(moment))
        .where(wanted)
        .group_by(what)
    )


async def _own_steps(service: str, correlation_id: UUID) -> list[Step]:
    """What a service adds of its own, such as deliveries, where its `app` has a `trace`."""
    own = getattr(app_module(service), "trace", None)
    if own is None:
        return []
    [rows] = (await ask_each([service], lambda connection: own(connection, correlation_id))).values()
    return [Step(service, *row) for row in rows]


def print_steps(steps: Sequence[Step]) -> None:
    """The story as a table, with seconds since it began."""
    start = steps[0].first_at
    rows = [
        [
            f"+{(step.first_at - start).total_seconds():.3f}s",
            f"+{(step.last_at - start).total_seconds():.3f}s",
            step.service,
            step.what,
            step.count,
        ]
        for step in steps
    ]
    print_table(["from", "to", "service", "step", "count"], rows)
