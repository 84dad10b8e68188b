"""A place for probes: a database of their own, the session's virtual host, and names nobody else has."""

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from propman.dev import ServerUrls
from shared.clock import SystemClock
from shared.db import create_engine
from shared.messaging.router import Router
from shared.messaging.transaction import Transactions
from tests.support.alarms import MemoryAlarm
from tests.support.brokers import TestVhost
from tests.support.databases import TestDatabases
from tests.support.probe import Noted
from tests.support.probe_service import Ground, MakeProbe, ProbeService, note, note_all
from tests.support.proxies import Proxy


@pytest.fixture(scope="session")
async def own_databases(servers: ServerUrls) -> AsyncIterator[TestDatabases]:
    """Databases that these tests may close and break without disturbing others."""
    found = TestDatabases(servers.postgres_url)
    yield found
    await found.drop()


@pytest.fixture
async def ground(own_databases: TestDatabases, vhost: TestVhost) -> AsyncIterator[Ground]:
    """An empty database and the virtual host."""
    url, admin = await own_databases.url("billing"), own_databases.admin_url("billing")
    engine = create_engine(url, application="ground")
    found = Ground(url, admin, Transactions(engine, SystemClock()), vhost)
    await found.prepare()
    yield found
    await engine.dispose()


@pytest.fixture
def router() -> Router:
    """A router under a name that no other test's queues have."""
    return Router(f"probe-{secrets.token_hex(3)}")


@pytest.fixture
async def make_probe(ground: Ground, router: Router) -> AsyncIterator[MakeProbe]:
    """Make services that are stopped, and whose queues are deleted, when the test ends."""
    made: list[ProbeService] = []

    def make(handler: Any = note, *, batch: int = 0, prefetch: int = 10, **options: Any) -> ProbeService:
        if not router.subscriptions and batch:
            router.on_batch(Noted, batch=batch)(note_all if handler is note else handler)
        elif not router.subscriptions:
            router.on(Noted, prefetch=prefetch)(handler)
        made.append(ProbeService(ground, router, **options))
        return made[-1]

    yield make
    for probe in made:
        await probe.stop()
    for probe in made[:1]:
        await probe.remove()


@pytest.fixture
async def memory_alarm(servers: ServerUrls) -> AsyncIterator[MemoryAlarm]:
    """A node whose memory alarm can be raised; only our own can."""
    node = Path(__file__).parents[3] / ".local" / f"test-{os.getpid()}"
    if not (node / "rabbitmq").exists():
        pytest.skip("only a private RabbitMQ lets us raise its alarms")
    alarm = MemoryAlarm(node)
    yield alarm
    await alarm.clear()


@pytest.fixture
async def broker_proxy(vhost: TestVhost) -> AsyncIterator[Proxy]:
    """A network to the broker that can be cut."""
    proxy = Proxy(vhost.url)
    await proxy.mend()
    yield proxy
    await proxy.cut()


@pytest.fixture
async def database_proxy(ground: Ground) -> AsyncIterator[Proxy]:
    """A network to the database that can be cut."""
    proxy = Proxy(ground.database_url)
    await proxy.mend()
    yield proxy
    await proxy.cut()
