"""Running `propman seed-dev-data` on databases and a virtual host of its own, as a process that can be killed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from propman.catalog import service_names
from propman.dev import ServerUrls
from shared.db import driver_url
from tests.support.brokers import TestVhost
from tests.support.commands import Ran
from tests.support.databases import TestDatabases
from tests.support.eventually import eventually
from tests.support.system import NOBODY, ROOT


@dataclass
class Simulation:
    """Where it runs, and what can be asked of it afterwards."""

    environment: dict[str, str]
    folder: Path

    async def seed(self, *words: str) -> Ran:
        """Run it to its end."""
        process = await self.start(*words)
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def seeded(self, *words: str) -> Any:
        """The document of a run that must succeed."""
        ran = await self.seed(*words, "--json")
        assert ran.code == 0, ran.err + self.log()
        return json.loads(ran.out)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Begin it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "propman", "seed-dev-data", *words),
            env=self.environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def ask(self, service: str, query: str) -> list[Any]:
        """What a service's database answers; nothing while it is not there."""
        try:
            connection = await asyncpg.connect(
                driver_url(self.environment[f"{service.upper()}_DATABASE_URL"])
            )
        except (asyncpg.InvalidCatalogNameError, asyncpg.CannotConnectNowError, OSError):
            return []
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        except asyncpg.UndefinedTableError:
            return []
        finally:
            await connection.close()

    async def ask_meanwhile(self, service: str, query: str) -> list[Any]:
        """The same while databases are taken away and made anew: without a role, a right, a table for moments."""
        try:
            return await self.ask(service, query)
        except asyncpg.PostgresError:
            return []

    async def reached(self, day: int) -> None:
        """Wait until the clock is at a day of the first month, of a past that is being made."""
        query = f"""select 1 from simulated_past
            where finished_at is null and extract(day from reached_at) between {day} and 30"""

        async def is_there() -> bool:
            return bool(await self.ask_meanwhile("scheduler", query))

        await eventually(is_there, within=300)

    async def kill_service(self, service: str, but: int = 0) -> int:
        """SIGKILL the process of a service that is apart, once there is one that is not `but`; says which."""
        query = "select pid from instances where state = 'running' order by started_at desc limit 1"
        pids: list[int] = []

        async def is_there() -> bool:
            pids[:] = [row[0] for row in await self.ask_meanwhile(service, query) if row[0] != but]
            return bool(pids)

        await eventually(is_there, within=300)
        with suppress(ProcessLookupError):
            os.kill(pids[0], signal.SIGKILL)
        return pids[0]

    def log(self) -> str:
        """The last of what the services had to say."""
        found = self.folder / ".local" / "seed.log"
        return "\n".join(found.read_text().splitlines()[-15:]) if found.exists() else ""


@asynccontextmanager
async def a_simulation(servers: ServerUrls, folder: Path) -> AsyncIterator[Simulation]:
    """Everything it needs but the databases themselves, which it makes."""
    databases, vhost = TestDatabases(servers.postgres_url), TestVhost(servers)
    vhost.create()
    environment = (
        {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_PORT"))}
        | {
            "PROPMAN_POSTGRES_URL": servers.postgres_url,
            "PROPMAN_RABBITMQ_URL": vhost.url,
            "PROPMAN_HOME": str(folder),
            "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:9",  # nobody listens: what is sent all the same is simulated
            "WEATHER_NWS_URL": NOBODY,
            "PYTHONPATH": str(ROOT),
        }
    )
    environment |= {f"{name.upper()}_DATABASE_URL": databases.planned_url(name) for name in service_names()}
    try:
        yield Simulation(environment, folder)
    finally:
        vhost.delete()
        await databases.drop()
