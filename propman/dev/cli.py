"""`propman dev`: start, stop and look at the private servers of this project."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from propman.dev.environment import read_environment, write_environment
from propman.dev.errors import ServersUnavailable
from propman.dev.home import demo_instance, environment_file, local_folder
from propman.dev.installation import will_install
from propman.dev.local_servers import LocalServers
from propman.dev.urls import GivenServers
from propman.discovery import service_names
from shared.cli import (
    JsonOption,
    Unreachable,
    print_json,
    print_table,
    say,
    service_app,
    success,
)

AllOption = Annotated[
    bool, typer.Option("--all", help="Stop test instances too, also of tests that still run.")
]

app = service_app("dev", "Private PostgreSQL, RabbitMQ and mail sink, without Docker, under .local/.")


@app.command()
def start(as_json: JsonOption = False) -> None:
    """Start the local servers and write .local/propman.env; running ones are left as they are.

    Missing Debian packages are installed when that is possible (as root, or with sudo without a password).
    Every server listens on 127.0.0.1 only, on a free port that stays the same from start to start.

    Servers that exist already are used instead of ours: set PROPMAN_POSTGRES_URL (an administrator's
    address) or PROPMAN_RABBITMQ_URL (and PROPMAN_RABBITMQ_MANAGEMENT_URL if it is not on port 15672 of the
    same host). They stay in use until .local/propman.env is deleted.

    For example:

      propman dev start

      PROPMAN_POSTGRES_URL=postgresql://admin:secret@db.example:5432/postgres propman dev start
    """
    servers, given = _demo_servers()
    path = environment_file()
    new = not path.exists()
    if will_install(given.names):
        say("Installing the packages that are missing first; it takes a minute.")
    with _one_line_errors():
        urls = servers.start()
        write_environment(urls, path, service_names(), given)
    _show(servers, as_json=as_json)
    success(f"The servers are ready; their addresses are in {path}")
    if new:
        say("Once, before `propman run`: `propman db init && propman db migrate` make the databases.")


@app.command()
def stop(every: AllOption = False) -> None:
    """Stop the local servers, and those of test runs that ended without doing so. Data stays.

    Only processes that were started from this project's .local/ are ended.

    For example:

      propman dev stop

      propman dev stop --all
    """
    servers, _ = _demo_servers()
    with _one_line_errors():
        ended = servers.stop()
        cleared = [path.name for path in _test_instances() if _clear(LocalServers(path), every=every)]
    success(f"Stopped {', '.join(ended)}." if ended else "Nothing to stop.")
    if cleared:
        say(f"Removed leftovers of tests: {', '.join(cleared)}.")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show each server's state, port and process.

    For example:

      propman dev status

      propman dev status --json
    """
    servers, _ = _demo_servers()
    with _one_line_errors():
        _show(servers, as_json=as_json)


def _demo_servers() -> tuple[LocalServers, GivenServers]:
    given = GivenServers.from_environment(os.environ, read_environment(environment_file()))
    return LocalServers(demo_instance(), given), given


def _show(servers: LocalServers, *, as_json: bool) -> None:
    statuses = servers.status()
    if as_json:
        print_json(statuses)
        return
    rows = [(entry.name, entry.state, entry.port, entry.pid) for entry in statuses]
    print_table(("server", "state", "port", "pid"), rows)


def _test_instances() -> Iterator[Path]:
    yield from sorted(path for path in local_folder().glob("test-*") if LocalServers(path).exists)


def _clear(servers: LocalServers, *, every: bool) -> bool:
    """End and delete a test's instance if nobody uses it any more."""
    if not every and not servers.abandoned:
        return False
    servers.stop(remove=True)
    return True


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except ServersUnavailable as refusal:
        raise Unreachable(str(refusal)) from refusal
