"""Processes and servers die at random moments of a run over 1,000 leases; the end state is the same."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from propman.dev import LocalServers
from tests.support.system import ROOT, System, a_system, billed_cents, load, mails_in

LEASES = 1_000
MONTH = "2026-12"
SERVICES = ("leasing", "billing", "notifications", "scheduler")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[LocalServers]:
    """Servers of this test's own, because it kills them."""
    made = LocalServers(ROOT / ".local" / f"test-faults-{tmp_path.name[-24:]}")
    try:
        made.start()
        yield made
    finally:
        made.stop(remove=True)


@pytest.fixture
async def system(instance: LocalServers, tmp_path: Path) -> AsyncIterator[System]:
    """One process per service, and 1,000 leases that all of them have heard of."""
    async with a_system(instance.urls, tmp_path) as made:
        for service in SERVICES:
            made.start(service)
        await load(made, tmp_path, LEASES)
        yield made


async def trigger(system: System) -> str:
    """Publish the month's trigger without waiting for it; its occurrence's id."""
    _, out, _ = await system.command("trigger", "monthly-billing", "--month", MONTH, "--json")
    return str(json.loads(out)["id"])


async def is_under_way(system: System) -> bool:
    """Whether somebody has still to be told of an invoice."""
    query = "select count(*) from deliveries where channel = 'email' and state = 'sent'"
    return await system.number("notifications", query) < LEASES


async def assert_billed_once(system: System, occurrence: str, mail_dir: Path) -> None:
    """What a run without any fault leaves behind: neither more nor less."""
    await system.quiet(seconds=600)  # only a failure takes that long
    assert await system.number("billing", "select count(*) from invoices") == LEASES
    assert await system.number("billing", "select count(distinct lease_id) from invoices") == LEASES
    assert await system.number("billing", "select count(distinct number) from invoices") == LEASES
    assert await system.number("billing", "select last from invoice_numbers") == LEASES
    total = await system.number("billing", "select sum(total_cents) from invoices")
    assert total == billed_cents(range(LEASES))
    lines = await system.number("billing", "select sum(amount_cents) from invoice_lines")
    assert lines == total

    assert await system.number("notifications", "select count(*) from notifications") == LEASES
    states = await system.ask(
        "notifications", "select channel, state, count(*) from deliveries group by 1, 2"
    )
    assert {(row[0], row[1]): row[2] for row in states} == {
        ("email", "sent"): LEASES,
        ("in_app", "delivered"): LEASES,
    }
    await system.command("billing", "audit")
    mails = await asyncio.to_thread(lambda: mails_in(mail_dir.glob("*.eml")))
    assert len(mails) == LEASES
    assert all(len(set(ids)) == 1 for ids in mails.values()), (
        "one e-mail each, sent again under its own id at most"
    )

    [state] = await system.ask(
        "scheduler", "select state from occurrences where id = $1::text::uuid", occurrence
    )
    assert state["state"] == "succeeded"
    for service in SERVICES:
        assert await system.number(service, "select count(*) from dead_letters") == 0
        assert await system.number(service, "select count(*) from outbox") == 0


@pytest.mark.parametrize("seed", [20261123])
async def test_killing_services_at_random_moments_changes_nothing(
    system: System, instance: LocalServers, seed: int
) -> None:
    chance = random.Random(seed)
    occurrence = await trigger(system)

    in_the_middle = 0
    for _ in range(14):
        await asyncio.sleep(chance.uniform(0.05, 1.2))
        in_the_middle += await is_under_way(system)
        victim = chance.choice(system.names)
        system.kill(victim)
        await asyncio.sleep(chance.uniform(0, 0.3))
        system.restart(victim)

    assert in_the_middle >= 5
    await assert_billed_once(system, occurrence, instance.urls.mail_dir)


async def test_restarting_rabbitmq_and_postgresql_mid_run_changes_nothing(
    system: System, instance: LocalServers
) -> None:
    # A quorum queue that was declared less than a few seconds before its node is killed may come back
    # without a leader on RabbitMQ 3.10; the queues here are older than that.
    occurrence = await trigger(system)
    await asyncio.sleep(0.7)
    assert await is_under_way(system)

    await asyncio.to_thread(instance.kill_rabbitmq)
    await asyncio.sleep(1)
    await asyncio.to_thread(instance.start_rabbitmq)
    await asyncio.sleep(1.5)
    await asyncio.to_thread(instance.kill_postgres)
    await asyncio.sleep(1)
    await asyncio.to_thread(instance.start_postgres)

    await assert_billed_once(system, occurrence, instance.urls.mail_dir)
    assert set(system.terminate().values()) == {0}, "every service survived both and drained"


async def test_sigterm_during_a_run_drains_and_the_next_process_goes_on(
    system: System, instance: LocalServers
) -> None:
    occurrence = await trigger(system)
    await asyncio.sleep(0.8)
    assert await is_under_way(system)

    assert set(system.terminate().values()) == {0}
    for service in SERVICES:
        system.start(service, instance="2")

    await assert_billed_once(system, occurrence, instance.urls.mail_dir)
