"""Connections die in the middle of payments and reversals; every cent stays somewhere, and is said once."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import count

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shared.db import driver_url
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.support.databases import TestDatabases

PAYMENTS = 24

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    async with databases.transactions("billing") as found:
        yield found


async def insist(do: Callable[[], Awaitable[object]]) -> int:
    """As a person would: under the same reference, until it is there; how often it failed."""
    for failures in count():
        try:
            await do()
        except (DBAPIError, OSError):
            await asyncio.sleep(0.01)
        else:
            return failures
    raise AssertionError


async def kill_connections(admin_url: str, chance: random.Random) -> None:
    """End a backend of the test's several times a second, whatever it is doing."""
    admin = await asyncpg.connect(driver_url(admin_url))
    try:
        while True:
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await admin.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'propman-billing-test' and datname = current_database()"
                " order by random() limit 1"
            )
    finally:
        await admin.close()


async def pay_and_take_back(desk: Desk, number: int) -> int:
    """A payment; every fourth of them is charged back in part."""
    reference = f"CHK-{number}"
    failures = await insist(lambda: desk.pay(10_000 + number, reference))
    if number % 4 == 0:
        failures += await insist(
            lambda: desk.take_back(reference, f"CB-{number}", 5_000, kind="charged_back")
        )
    return failures


@pytest.mark.parametrize("seed", [20261124])
async def test_connections_killed_at_random_lose_and_double_no_cent(
    transactions: Transactions, databases: TestDatabases, seed: int
) -> None:
    desk = await a_desk(transactions)
    await desk.bill("2026-11", "2026-12")
    killer = asyncio.create_task(kill_connections(databases.admin_url("billing"), random.Random(seed)))

    failures = await asyncio.gather(*(pay_and_take_back(desk, number) for number in range(PAYMENTS)))
    killer.cancel()
    with suppress(asyncio.CancelledError):
        await killer
    await transactions.engine.dispose()

    assert sum(failures) > 0, "nothing was killed in the middle of anything"
    received = sum(10_000 + number for number in range(PAYMENTS)) - 5_000 * (PAYMENTS // 4)
    paid = [(await desk.invoice(f"INV-2026-{serial:06d}"))["paid_cents"] for serial in (1, 2)]
    assert sum(paid) + await desk.credit() == received
    assert len(await desk.said("payment_recorded")) == PAYMENTS
    assert len(await desk.said("payment_reversed")) == PAYMENTS // 4
    assert await desk.drifts() == []
