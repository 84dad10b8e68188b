"""A process is killed while Stripe has its request: the money is taken once and booked once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from propman.dev import ServerUrls
from shared.db import create_engine
from shared.messaging.transaction import Transactions
from tests.billing.autopay_desk import Desk, MovableClock
from tests.billing.stripe_server import SECRET_KEY, Mishap, StripeServer
from tests.support.builders import a_lease
from tests.support.eventually import eventually
from tests.support.system import System, a_system

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

LONG_AGO = datetime(2024, 12, 1, 15, tzinfo=UTC)
"""Due by the clock of any machine: the processes have a real one."""


@pytest.fixture
async def stripe() -> AsyncIterator[StripeServer]:
    async with StripeServer() as server:
        yield server


@pytest.fixture
async def system(servers: ServerUrls, stripe: StripeServer, tmp_path: Path) -> AsyncIterator[System]:
    async with a_system(servers, tmp_path) as made:
        made.environment |= {"BILLING_STRIPE_SECRET_KEY": SECRET_KEY, "BILLING_STRIPE_URL": stripe.url}
        yield made


@pytest.fixture
async def desk(system: System, stripe: StripeServer) -> AsyncIterator[Desk]:
    url = system.environment["BILLING_DATABASE_URL"]
    clock = MovableClock(LONG_AGO)
    engine = create_engine(url, application="billing-test")
    yield Desk(Transactions(engine, clock), url, stripe, clock)
    await engine.dispose()


async def plan_one(desk: Desk) -> dict[str, Any]:
    invoice = await desk.bill(a_lease(starts_on=date(2024, 1, 1)), period="2024-12")
    await desk.enrol(invoice["lease_id"], from_on=date(2024, 12, 1))
    await desk.trigger()
    return invoice


async def skip_the_wait(desk: Desk, column: str) -> None:
    """What a test has no patience for: a claim of minutes, and the pause before a look-up."""
    async with desk.transactions.command("test") as tx:
        await tx.connection.exec_driver_sql(f"update autopay_charges set {column} = now() - interval '1 s'")


@pytest.mark.parametrize("mishap", ["hold", "hang"])
async def test_a_process_killed_while_it_asks_takes_and_books_the_money_once(
    desk: Desk, system: System, stripe: StripeServer, mishap: Mishap
) -> None:
    stripe.mishaps = [mishap]
    system.start("billing")
    invoice = await plan_one(desk)
    await eventually(stripe.reached.is_set, within=60)

    system.kill("billing#1")
    taken_before = len(stripe.charged)
    await skip_the_wait(desk, "claimed_until")
    system.start("billing", instance="2")
    system.start("billing", instance="3")
    await eventually(lambda: desk.all_are("unknown"), within=60)
    await skip_the_wait(desk, "next_try_at")
    await eventually(lambda: desk.all_are("succeeded"), within=60)

    await asyncio.sleep(1)
    assert taken_before == (1 if mishap == "hold" else 0)
    assert len(stripe.charged) == 1
    assert [row["reference"] for row in await desk.payments()] == ["stripe:pi_1"]
    assert (await desk.invoice(invoice))["state"] == "paid"
