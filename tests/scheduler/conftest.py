"""The scheduler's database, empty, with a clock that tests set."""

from collections.abc import AsyncIterator

import pytest

from tests.scheduler.driver import Scheduler, SetClock
from tests.support.databases import TestDatabases


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def scheduler(databases: TestDatabases, clock: SetClock) -> AsyncIterator[Scheduler]:
    async with databases.transactions("scheduler", clock) as transactions:
        yield Scheduler(transactions, clock)
