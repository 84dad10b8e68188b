"""`propman run`: health, metrics, draining, and one readable line when it cannot start."""

import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from propman.dev import ServerUrls
from propman.discovery import service_names
from tests.support.commands import run_propman
from tests.support.eventually import eventually
from tests.support.system import System, a_system


@pytest.fixture
async def system(servers: ServerUrls, tmp_path: Path) -> AsyncIterator[System]:
    async with a_system(servers, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
async def untouched(servers: ServerUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for all that is refused before anything starts."""
    async with a_system(servers, tmp_path_factory.mktemp("untouched")) as made:
        yield made


async def http_port(system: System, service: str) -> int:
    """The port a service says it serves health on, once it has started."""

    def started() -> list[str]:
        return re.findall(
            rf'"http_port": (\d+), "event": "service_started", "service": "{service}"', system.logs(200)
        )

    await eventually(lambda: bool(started()), within=30)
    return int(started()[-1])


async def test_a_service_says_that_it_is_alive_and_ready_and_shows_its_numbers(system: System) -> None:
    system.start("billing")
    base = f"http://127.0.0.1:{await http_port(system, 'billing')}"

    async with httpx.AsyncClient(base_url=base) as client:
        live, ready = await client.get("/health/live"), await client.get("/health/ready")
        metrics = await client.get("/metrics")

    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json()["checks"] == dict.fromkeys(["database", "broker", "migrations", "workers"], "ok")
    for series in ("propman_outbox_pending", "propman_relay_leader 1.0", "propman_consuming_paused 0.0"):
        assert series in metrics.text


async def test_a_database_that_was_changed_behind_us_makes_the_service_unready(system: System) -> None:
    system.start("billing")
    base = f"http://127.0.0.1:{await http_port(system, 'billing')}"
    await system.administer("billing", "update alembic_version set version_num = 'older'")

    async with httpx.AsyncClient(base_url=base) as client:
        ready = await client.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json()["checks"]["migrations"] == "run propman db migrate"


async def test_sigterm_ends_every_service_with_0(system: System) -> None:
    system.start("leasing", "billing", "notifications", "scheduler")
    await http_port(system, "scheduler")

    assert system.terminate() == {"leasing+billing+notifications+scheduler#1": 0}
    assert "Stopped." in system.logs()


async def test_a_second_instance_takes_another_port_where_none_was_asked_for(system: System) -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # somebody has it already, which serves as well
            taken.bind(("127.0.0.1", 8102))
        del system.environment["BILLING_HTTP_PORT"]
        system.start("billing")

        assert await http_port(system, "billing") != 8102


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"PROPMAN_RABBITMQ_URL": "amqp://a:secret@127.0.0.1:9/"}, 3, "message broker cannot be reached"),
        ({"BILLING_DATABASE_URL": "postgresql://a:secret@127.0.0.1:9/b"}, 3, "database cannot be reached"),
        ({"BILLING_DATABASE_URL": "mysql://a:secret@host/b"}, 2, "BILLING_DATABASE_URL"),
        ({"BILLING_HTTP_PORT": "seventy"}, 2, "BILLING_HTTP_PORT"),
        ({"BILLING_POOL_SIZE": "0"}, 2, "BILLING_POOL_SIZE"),
    ],
)
async def test_what_prevents_a_start_is_one_line_with_its_exit_code(
    untouched: System, changes: dict[str, str], code: int, said: str
) -> None:
    ran = await run_propman("run", "billing", environment=untouched.environment | changes, as_process=True)

    lines = [line for line in ran.err.strip().splitlines() if not line.startswith("{")]
    assert ran.code == code
    assert len(lines) == 1
    assert said in lines[0]
    assert "secret" not in ran.err
    assert "Traceback" not in ran.err


async def test_a_port_that_was_asked_for_and_is_taken_is_an_error(untouched: System) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = untouched.environment | {"BILLING_HTTP_PORT": port}
        ran = await run_propman("run", "billing", environment=environment, as_process=True)

    assert ran.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ran.err


async def test_an_unmigrated_database_is_one_line_that_says_what_to_run(system: System) -> None:
    await system.administer("billing", "update alembic_version set version_num = '0000'")
    ran = await run_propman("run", "billing", environment=system.environment, as_process=True)

    assert ran.code == 1
    assert "propman db migrate" in ran.err


async def test_an_unknown_service_is_refused_with_the_known_ones(untouched: System) -> None:
    ran = await run_propman("run", "parking", environment=untouched.environment)

    assert ran.code == 2
    assert f"Choose from: {', '.join(service_names())}." in ran.err


async def test_what_no_queue_wants_is_shown_and_exits_with_1(system: System) -> None:
    """A trigger that reaches nobody is an error that somebody sees."""
    system.start("scheduler")
    await http_port(system, "scheduler")
    await system.delete_queue("billing.scheduler.monthly_billing_due.v1")
    await system.command("trigger", "monthly-billing")

    async def unheard() -> bool:
        return (
            await system.number("scheduler", "select count(*) from outbox where last_error is not null") == 1
        )

    await eventually(unheard, within=30)
    code, out, said = await system.command("outbox", "list", "--json", check=False)

    assert code == 1
    assert "unroutable" in json.loads(out)[0]["last error"]
    assert "propman broker init" in said
