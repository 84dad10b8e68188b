"""Private servers for one run, and fresh processes in which one thing is measured at a time."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec

import aio_pika
import asyncpg
from sqlalchemy.engine import make_url

from benchmarks.report import BenchmarkFailed
from propman.administration import create_database, grant_runtime_rights
from propman.dev import LocalServers, ServerUrls
from shared.db import driver_url, migrate

P = ParamSpec("P")

ROOT = Path(__file__).parents[1]
PASSWORD = "benchmarks"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measured process works: its database, as its own role, and the broker."""

    database_url: str
    admin_url: str
    broker_url: str

    @property
    def dsn(self) -> str:
        """The database, as asyncpg wants it."""
        return driver_url(self.database_url)


@contextmanager
def private_servers() -> Iterator[tuple[ServerUrls, Path]]:
    """PostgreSQL and RabbitMQ that nobody else uses, removed at the end whatever happens."""
    directory = ROOT / ".local" / f"bench-{os.getpid()}"
    servers = LocalServers(directory)  # never given ones: queues are emptied here
    try:
        yield servers.start(), directory
    finally:
        servers.stop(remove=True)


async def make_place(urls: ServerUrls, name: str, schema: Path | Sequence[str]) -> Place:
    """A database with its role; `schema` is a service's migrations or the statements themselves."""
    admin = make_url(urls.postgres_url)
    role = f"bench_{name}"
    target = admin.set(username=role, password=PASSWORD, database=role)
    database_url = target.render_as_string(hide_password=False)
    admin_url = admin.set(database=role).render_as_string(hide_password=False)
    await create_database(urls.postgres_url, database_url)
    if isinstance(schema, Path):
        await migrate(admin_url, schema)
    else:
        # `grant_runtime_rights` takes writing to Alembic's table away, so there has to be one.
        await execute(admin_url, "create table alembic_version (version_num text)", *schema)
    await grant_runtime_rights(admin_url, role)
    return Place(database_url, admin_url, urls.rabbitmq_url)


async def execute(admin_url: str, *statements: str) -> None:
    """Run statements as the administrator."""
    connection = await asyncpg.connect(driver_url(admin_url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def start_even(admin_url: str, tables: Sequence[str]) -> None:
    """Empty tables, and write to disk now what would else be written while something is measured."""
    await execute(admin_url, f"truncate {', '.join(tables)} restart identity cascade", "checkpoint")


async def depth(broker_url: str, queue: str) -> int:
    """How many messages wait in a queue."""
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        found = await channel.declare_queue(queue, passive=True)
        return int(found.declaration_result.message_count or 0)


async def purge(broker_url: str, *queues: str) -> None:
    """Empty queues."""
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        for queue in queues:
            await (await channel.get_queue(queue)).purge()


async def in_fresh_process(function: Callable[P, float], *args: P.args, **kwargs: P.kwargs) -> float:
    """Call a function in a process that has done nothing before; cancelled, the process is ended."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    work = partial(function, *args, **kwargs)
    process = context.Process(target=_answer, args=(sender, work), daemon=True)
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        return float(await asyncio.to_thread(receiver.recv))
    except EOFError as error:
        raise BenchmarkFailed(f"{function.__name__} ended without an answer; its error is above") from error
    finally:
        process.kill()
        process.join()


def _answer(sender: "Connection[Any, Any]", work: Callable[[], float]) -> None:
    sender.send(work())
