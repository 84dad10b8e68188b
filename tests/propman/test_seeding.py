"""What `propman seed-dev-data` deletes, and what it refuses to; nothing is simulated here."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest

from propman.catalog import service_names
from propman.dev import ServerUrls
from propman.simulation.clearing import command_of
from shared.db import driver_url
from tests.support.commands import ROOT, Ran, run_propman
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers

SEEN = datetime(2024, 1, 1, tzinfo=UTC)
PAST = """create table simulated_past (seed integer not null, starts_on date not null, until_on date not null,
    reached_at timestamptz not null, finished_at timestamptz, timetables jsonb)"""
HOLD = """insert into holds (hold_id, scope, scope_id, kind, starts_on, reason, placed_by, placed_at)
    values (gen_random_uuid(), 'lease', gen_random_uuid(), 'dispute', '2024-01-01', 'the roof', 'Olga', now())"""
FILLED = ("billing", "notifications", "rewards")
PROCESS = """insert into instances values (gen_random_uuid(), $1, $2, $3, '0.1.0', 8102, 'running', now(), now(),
    0, 0, 0, 0, 0, 0, 0, 0)"""


@dataclass
class Databases:
    """Every service's, as their administrator has them."""

    made: TestDatabases
    environment: dict[str, str]

    async def run(self, service: str, statement: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(driver_url(self.made.admin_url(service)))
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def seed(self, *words: str, typed: str | None = None) -> Ran:
        return await run_propman("seed-dev-data", *words, environment=self.environment, typed=typed)

    async def holds(self) -> int:
        [row] = await self.run("billing", "select count(*) as found from holds")
        return int(row["found"])


@pytest.fixture(scope="module")
async def made(servers: ServerUrls) -> AsyncIterator[Databases]:
    """Databases of our own, migrated and empty."""
    databases = TestDatabases(servers.postgres_url)
    environment = {
        "PROPMAN_POSTGRES_URL": servers.postgres_url,
        "PROPMAN_RABBITMQ_URL": "amqp://nobody:nothing@127.0.0.1:9/none",
        "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:9",
    }
    for name in service_names():
        environment[f"{name.upper()}_DATABASE_URL"] = await databases.url(name)
    yield Databases(databases, environment)
    await databases.drop()


@pytest.fixture
async def system(made: Databases) -> AsyncIterator[Databases]:
    """As they are before anything is entered; what a test puts in is taken out again."""
    yield made
    for name in service_names():
        await made.run(name, "drop table if exists simulated_past")
    for name in FILLED:
        await made.made.empty(name)


async def simulated(system: Databases) -> None:
    """All databases hold a simulated past that is over, and billing a hold."""
    for name in service_names():
        await system.run(name, PAST)
        values = (1, date(2024, 1, 1), date(2024, 1, 31), SEEN)
        await system.run(name, "insert into simulated_past values ($1, $2, $3, $4, $4)", *values)
    await system.run("billing", HOLD)


async def test_clearing_names_what_goes_and_no_leaves_all(system: Databases) -> None:
    await simulated(system)

    asked = await system.seed("--clear", typed="n\n")

    assert asked.code == 1
    assert "Delete all of it?" in asked.err
    assert "Nothing is deleted." in asked.err
    assert [line.split(None, 1) for line in asked.out.splitlines() if "hold" in line] == [
        ["billing", "1 hold"]
    ]
    assert await system.holds() == 1


async def test_nobody_to_ask_is_a_usage_problem_and_leaves_all(system: Databases) -> None:
    await simulated(system)

    refused = await system.seed("--clear")

    assert (refused.code, await system.holds()) == (2, 1)
    assert "This needs a confirmation: Delete all of it?" in refused.err


@pytest.mark.parametrize("words", [["--clear", "--no-input"], ["--clear", "--yes"], []])
async def test_what_no_simulation_made_stays_unless_that_is_said_as_well(
    system: Databases, words: list[str]
) -> None:
    await system.run("billing", HOLD)

    refused = await system.seed(*words)

    assert (refused.code, await system.holds()) == (1, 1)
    assert "billing: 1 hold" in refused.err
    assert "`export PROPMAN_HOME=/another/folder`" in refused.err
    assert "--clear --yes-delete-real-data" in refused.err


async def test_real_data_is_asked_about_before_it_goes(system: Databases) -> None:
    await system.run("billing", HOLD)

    asked = await system.seed("--clear", "--yes-delete-real-data", typed="n\n")

    assert (asked.code, await system.holds()) == (1, 1)
    assert "Delete all of it?" in asked.err


@pytest.mark.parametrize(
    ("service", "statement", "named"),
    [
        (
            "rewards",
            "insert into policies values (gen_random_uuid(), 1, now(), '{}', 'r', 'o', now())",
            "1 policy",
        ),
        (
            "notifications",
            "insert into groups values (gen_random_uuid(), 'Us', now())",
            "1 group",
        ),
    ],
)
async def test_what_was_only_agreed_or_arranged_is_real_too(
    system: Databases, service: str, statement: str, named: str
) -> None:
    await system.run(service, statement)

    refused = await system.seed("--clear", "--no-input")

    assert refused.code == 1
    assert f"{service}: {named}" in refused.err


@contextmanager
def a_process(command: str) -> Iterator[int]:
    """Something that was started as a command of propman, and does nothing."""
    words = (
        sys.executable,
        "-c",
        "input()",
        str(Path(sys.executable).with_name("propman")),
        command,
        "--month",
        "x",
    )
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("command", ["run", "demo"])
async def test_nothing_is_deleted_under_services_that_run_and_the_process_is_named(
    system: Databases, command: str
) -> None:
    await simulated(system)
    with a_process(command) as pid:
        await system.run("billing", PROCESS, "billing", socket.gethostname(), pid)

        refused = await system.seed("--clear", "--no-input")

    assert (refused.code, await system.holds()) == (1, 1)
    assert f"billing is running (process {pid} on {socket.gethostname()}, `propman {command}`)" in refused.err
    assert "Stop it first" in refused.err


async def test_a_process_that_was_killed_stands_in_nobody_s_way(system: Databases) -> None:
    with a_process("run") as pid:
        await system.run("billing", PROCESS, "billing", socket.gethostname(), pid)
    await system.run("billing", HOLD)

    refused = await system.seed("--clear")

    assert "is running" not in refused.err
    assert "No simulation made what is here" in refused.err


def test_a_process_that_is_not_ours_has_no_command() -> None:
    assert command_of(os.getpid()) in {None, "propman"}
    assert command_of(2**22 + 1) is None
