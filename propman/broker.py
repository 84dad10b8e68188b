"""`propman broker`: the exchanges and queues of the whole system."""

from collections import Counter
from typing import Any

import aio_pika
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from propman.catalog import all_queues, all_subscriptions
from propman.settings import SystemSettings
from shared.cli import CommandError, JsonOption, print_json, print_table, service_app, success
from shared.messaging import topology

app = service_app("broker", "Exchanges and queues of the whole system.")


async def declare_topology(url: str) -> int:
    """Declare everything that any service listens to; safe to repeat, at any time, from anywhere.

    Returns the number of queues.
    """
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        try:
            await topology.declare(channel, all_subscriptions())
        except ChannelPreconditionFailed as refusal:
            remedy = "Let it run empty, delete it on the broker, then run `propman broker init`."
            raise CommandError(
                f"A queue was made with other settings: {refusal}.", remedy=remedy
            ) from refusal
    return len(all_queues())


def queues_in_words() -> str:
    """How many queues the system has, and of which kinds: the same in every command that counts them."""
    kinds = Counter(all_queues().values())
    parts = ", ".join(f"{count} for {kind}" for kind, count in kinds.items())
    return f"{kinds.total()} queues ({parts})"


@app.command()
async def init() -> None:
    """Declare exchanges, queues, retry ladder and dead-letter queues. Safe to repeat.

    `propman db migrate`, `propman run` and docker compose include it.
    """
    await declare_topology(SystemSettings().rabbitmq_url.get_secret_value())
    success(f"{queues_in_words()} are declared and bound.")


@app.command("queues")
async def queues(as_json: JsonOption = False) -> None:
    r"""List every queue with the messages waiting in it and its consumers.

    \b
    Examples:
      propman broker queues
      propman broker queues --json
    """
    rows = await queue_depths(SystemSettings().rabbitmq_url.get_secret_value())
    if as_json:
        print_json(rows)
        return
    print_table(
        ["queue", "for", "ready", "consumers"],
        [[row["queue"], row["kind"], row["ready"], row["consumers"]] for row in rows],
    )


async def queue_depths(url: str) -> list[dict[str, Any]]:
    """How many messages wait in each queue that is there, and by how many consumers they are taken."""
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        rows: list[dict[str, Any]] = []
        for name, kind in all_queues().items():
            try:
                found = await channel.declare_queue(name, passive=True)
            except ChannelNotFoundEntity:  # the broker closes the channel with that
                channel = await connection.channel()
                continue
            counts = found.declaration_result
            rows.append(
                {
                    "queue": name,
                    "kind": kind,
                    "ready": counts.message_count,
                    "consumers": counts.consumer_count,
                }
            )
        return rows
