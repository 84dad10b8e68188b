"""Real servers for the whole session: private ones, unless the environment or Docker provides them."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from propman.dev import GivenServers, LocalServers, ServerUrls
from tests.support.brokers import TestVhost
from tests.support.containers import containers
from tests.support.databases import TestDatabases

pytest_plugins = ["tests.support.skips"]

ROOT = Path(__file__).parents[1]

# A machine that is busy with servers is slow at times; that is no property of the rule under test.
settings.register_profile("propman", deadline=None)
settings.load_profile("propman")


NEED_SERVERS = {"servers", "databases", "vhost", "instance"}


LONG = {"flows", "faults", "test_new_service.py", "test_local_servers.py", "test_many_places.py"}
"""Folders and files of which one keeps a process busy for twenty seconds to minutes."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark what needs servers, so that `make test-fast` can leave it out, and put the longest files first.

    With two processes a file of minutes that comes last leaves one of them idle. Which of the long ones
    comes first is left to chance, as all the rest.
    """
    for item in items:
        if NEED_SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
    yield
    items.sort(key=lambda item: LONG.isdisjoint((item.path.parent.name, item.path.name)))


@pytest.fixture(autouse=True)
def logging_as_it_is() -> None:
    """Nothing is left of how the commands of other tests set it up: two at once put back each other's."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def servers() -> Iterator[ServerUrls]:
    """PostgreSQL, RabbitMQ and a mail sink that no other run uses."""
    if os.environ.get("PROPMAN_TEST_SERVERS") == "docker":
        with containers() as urls:
            yield urls
        return
    given = GivenServers.from_environment(os.environ)
    instance = LocalServers(ROOT / ".local" / f"test-{os.getpid()}", given)
    try:
        yield instance.start()
    finally:
        instance.stop(remove=True)


@pytest.fixture(scope="session")
async def databases(servers: ServerUrls) -> AsyncIterator[TestDatabases]:
    """The session's own databases; `databases.transactions("billing")` gives an empty one."""
    found = TestDatabases(servers.postgres_url)
    yield found
    await found.drop()


@pytest.fixture(scope="session")
def vhost(servers: ServerUrls) -> Iterator[TestVhost]:
    """The session's own virtual host."""
    made = TestVhost(servers)
    made.create()
    yield made
    made.delete()
