"""A database without a single table, for tests of migrations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from propman.administration import create_database, drop_database
from propman.dev import ServerUrls
from shared.db import create_engine
from shared.identity import new_id


@asynccontextmanager
async def a_fresh_database(servers: ServerUrls) -> AsyncIterator[AsyncConnection]:
    """A new database, as its administrator; gone when the test is over."""
    name = f"fresh_{new_id().hex}"
    admin = sa.make_url(servers.postgres_url)
    url = admin.set(username=name, password="seed", database=name).render_as_string(hide_password=False)
    await create_database(servers.postgres_url, url)
    as_admin = admin.set(database=name).render_as_string(hide_password=False)
    engine = create_engine(as_admin, application="test", pool_size=1)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
        await drop_database(servers.postgres_url, url)
