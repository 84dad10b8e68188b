"""Real servers, started for real: each test is a promise that a demo or another test relies on."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from propman.dev import LocalServers, ServersUnavailable
from propman.dev.mail import Mail
from propman.dev.postgres import Postgres
from propman.dev.processes import Mark, mark_of
from propman.dev.state import State

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A clone made by `mktemp -d`: nobody but its owner may look inside."""
    path = Path(tempfile.mkdtemp(prefix="propman-"))
    assert path.stat().st_mode & 0o777 == 0o700
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[LocalServers]:
    servers = LocalServers(folder / "shared")
    servers.start()
    yield servers
    servers.stop(remove=True)


@pytest.fixture
def postgres_only(folder: Path) -> Iterator[State]:
    """An instance with no broker, which takes the longest; ended by its own code."""
    state = State(folder / "postgres-only")
    state.directory.mkdir()
    yield state
    for server in (Postgres(state), Mail(state)):
        server.kill()
        server.remove()
    shutil.rmtree(state.directory)


async def query(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def pids(servers: LocalServers) -> dict[str, int | None]:
    return {status.name: status.pid for status in servers.status()}


def states(servers: LocalServers) -> dict[str, str]:
    return {status.name: status.state for status in servers.status()}


async def test_servers_below_a_private_folder_are_reachable(servers: LocalServers) -> None:
    assert states(servers) == {"postgres": "running", "rabbitmq": "running", "mail": "running"}
    assert await query(servers.urls.postgres_url, "SHOW server_encoding") == "UTF8"
    assert await query(servers.urls.postgres_url, "SHOW fsync") == "on"


def test_starting_again_changes_nothing_and_is_quick(servers: LocalServers) -> None:
    urls, before = servers.urls, pids(servers)

    began = time.monotonic()
    again = LocalServers(servers.directory).start()

    assert time.monotonic() - began < 2
    assert (again, pids(servers)) == (urls, before)


def test_only_the_loopback_interface_is_listened_on(servers: LocalServers) -> None:
    ports = State.load(servers.directory).ports

    addresses = listening_addresses()

    assert {addresses.get(port) for port in ports.values()} == {"0100007F"}


def listening_addresses() -> dict[int, str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {int(port, 16): address for address, port in places}


def test_the_record_with_its_passwords_is_readable_by_its_owner_only(servers: LocalServers) -> None:
    assert (servers.directory / "state.json").stat().st_mode & 0o777 == 0o600
    assert (servers.directory / "rabbitmq" / "rabbitmq.conf").stat().st_mode & 0o077 == 0


async def test_killed_postgres_comes_back_on_its_port_with_every_committed_row(servers: LocalServers) -> None:
    urls = servers.urls
    await query(urls.postgres_url, "CREATE TABLE promised AS SELECT 42 AS answer")

    servers.kill_postgres()
    assert states(servers)["postgres"] == "stopped"
    servers.start_postgres()

    assert servers.urls == urls
    assert await query(urls.postgres_url, "SELECT answer FROM promised") == 42


async def test_postgres_killed_behind_our_back_is_started_again(servers: LocalServers) -> None:
    urls, pid = servers.urls, pids(servers)["postgres"]
    assert pid is not None

    os.kill(pid, signal.SIGKILL)  # the postmaster alone: its backends linger for a moment

    assert servers.start() == urls
    assert await query(urls.postgres_url, "SELECT 1") == 1


async def test_killed_rabbitmq_comes_back_on_its_ports_with_every_confirmed_message(
    servers: LocalServers,
) -> None:
    urls, before = servers.urls, pids(servers)
    async with await aio_pika.connect(urls.rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("promised", durable=True)
        await asyncio.sleep(
            2.5
        )  # it is promised to the message; that there is a queue is on disk within two seconds
        message = aio_pika.Message(b"rent", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "promised")

    servers.kill_rabbitmq()
    assert states(servers)["rabbitmq"] == "stopped"
    servers.start_rabbitmq()

    assert servers.urls == urls
    assert states(servers)["rabbitmq"] == "running"
    assert pids(servers)["postgres"] == before["postgres"]
    async with await aio_pika.connect(urls.rabbitmq_url) as connection:
        queue = await (await connection.channel()).get_queue("promised")
        assert (await queue.get(no_ack=True)).body == b"rent"


def test_a_recorded_pid_that_is_somebody_elses_by_now_is_left_alone(postgres_only: State) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    recycled = Mark(bystander.pid, "started at another time")
    for name in ("postgres", "mail"):
        postgres_only.record(name, recycled)

    LocalServers(postgres_only.directory).stop()

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


async def test_a_stale_pid_file_that_names_a_strangers_process_is_no_obstacle(postgres_only: State) -> None:
    postgres = Postgres(postgres_only)
    start(postgres)
    postgres.kill()
    pid_file = postgres_only.directory / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))

    start(postgres)

    assert await query(postgres.url, "SELECT 1") == 1


def test_a_server_that_the_record_lost_is_recognised_and_not_doubled(postgres_only: State) -> None:
    postgres = Postgres(postgres_only)
    start(postgres)
    first = postgres_only.processes["postgres"]
    postgres_only.forget("postgres")
    del postgres_only.ports["postgres"]

    start(postgres)

    assert postgres_only.processes["postgres"] == first


def test_a_broker_that_the_record_lost_is_recognised_and_not_doubled(servers: LocalServers) -> None:
    before = pids(servers)
    State.load(servers.directory).forget("rabbitmq")

    servers.start()

    assert pids(servers) == before


def test_data_whose_password_is_lost_is_refused_instead_of_replaced(postgres_only: State) -> None:
    start(Postgres(postgres_only))
    Postgres(postgres_only).kill()
    postgres_only.passwords.clear()

    with pytest.raises(ServersUnavailable, match="delete that folder"):
        Postgres(postgres_only).launch()


def start(postgres: Postgres) -> None:
    postgres.launch()
    postgres.await_answer()


def test_two_instances_side_by_side_share_nothing_and_stop_ends_one(
    servers: LocalServers, postgres_only: State
) -> None:
    other = Postgres(postgres_only)
    start(other)
    mine, before = State.load(servers.directory).ports, pids(servers)
    assert not set(mine.values()) & set(postgres_only.ports.values())

    ended = LocalServers(postgres_only.directory).stop()

    assert ended == ["postgres"]
    assert pids(servers) == before
    assert set(states(servers).values()) == {"running"}


def test_simultaneous_starts_agree_on_one_set_of_servers(servers: LocalServers) -> None:
    servers.kill_postgres()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(LocalServers(servers.directory).start())) for _ in "ab"
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [servers.urls, servers.urls]
    assert len(postmasters(servers.directory)) == 1


def postmasters(directory: Path) -> list[int]:
    data = str((directory / "postgres").resolve() / "data").encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if data in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def test_a_mail_is_kept_once_for_each_recipient(servers: LocalServers) -> None:
    port = State.load(servers.directory).ports["mail"]

    with smtplib.SMTP("127.0.0.1", port) as client:
        recipients = ["ana@example.org", "../../b@example.org"]
        client.sendmail("office@example.org", recipients, "Subject: Rent\r\n\r\nThank you.\r\n")

    kept = sorted(path.read_text() for path in servers.urls.mail_dir.glob("*.eml"))
    assert kept == [f"X-Envelope-To: {who}\nSubject: Rent\n\nThank you.\n" for who in sorted(recipients)]
    assert not list(servers.urls.mail_dir.glob(".draft*"))


def test_a_port_taken_by_somebody_else_is_replaced(postgres_only: State) -> None:
    postgres = Postgres(postgres_only)
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        postgres_only.ports["postgres"] = squatter.getsockname()[1]
        start(postgres)

        assert postgres_only.ports["postgres"] != squatter.getsockname()[1]


async def test_stop_ends_everything_and_a_later_start_finds_the_same_data(folder: Path) -> None:
    servers = LocalServers(folder / "stopped")
    urls = servers.start()
    await query(urls.postgres_url, "CREATE TABLE kept AS SELECT 7 AS answer")
    everyone = State.load(servers.directory).processes.values()

    ended = servers.stop()

    assert sorted(ended) == ["epmd", "mail", "postgres", "rabbitmq"]
    assert not any(mark.is_alive() for mark in everyone)
    assert servers.start() == urls
    assert await query(urls.postgres_url, "SELECT answer FROM kept") == 7
    home = (servers.directory / "postgres").resolve()
    servers.stop(remove=True)
    assert not servers.directory.exists()
    assert not home.exists()


def test_an_instance_is_abandoned_once_the_process_that_started_it_is_gone(servers: LocalServers) -> None:
    assert not servers.abandoned
    record = servers.directory / "state.json"
    former = json.loads(record.read_text())

    gone = {"pid": os.getpid(), "started": "before"}
    record.write_text(json.dumps(former | {"owner": gone}))

    assert servers.abandoned
    record.write_text(json.dumps(former))
    assert mark_of(os.getpid()) == State.load(servers.directory).owner
