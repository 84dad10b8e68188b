"""The same months, day and seed give the same ledgers, whatever is killed while they are made."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from propman.dev import ServerUrls
from tests.flows.simulations import Simulation, a_simulation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

JANUARY = ("--months", "1", "--until", "2024-01-12")  # rent falls due, is paid or not, and fees follow
AGAIN = ("--clear", "--no-input")


@pytest.fixture(scope="module")
async def simulation(
    servers: ServerUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Simulation]:
    async with a_simulation(servers, tmp_path_factory.mktemp("january")) as made:
        yield made


@pytest.fixture(scope="module")
async def undisturbed(simulation: Simulation) -> Any:
    """What a run comes to in which nothing goes wrong."""
    return await simulation.seeded(*JANUARY, *AGAIN)


def ledgers(found: Any) -> list[str]:
    """The lines of billing's, with the numbers of the invoices, and of the rewards'."""
    return [*found["ledger"].splitlines(keepends=True), *found["rewards_ledger"].splitlines(keepends=True)]


def without_messages(found: Any) -> list[dict[str, Any]]:
    """What came of everybody. Time goes on while a process is missing, and two messages may become one."""
    return [home | {"messages": None} for home in found["households"]]


async def test_the_same_again_gives_the_same_ledgers_byte_for_byte(
    simulation: Simulation, undisturbed: Any
) -> None:
    again = await simulation.seeded(*JANUARY, *AGAIN)

    assert ledgers(again) == ledgers(undisturbed)
    assert without_messages(again) == without_messages(undisturbed)
    assert "INV-2024-000014" in again["ledger"]
    assert {home["streak"] for home in again["households"]} == {0, 1}


async def test_killing_a_service_and_the_simulation_itself_changes_no_ledger(
    simulation: Simulation, undisturbed: Any
) -> None:
    # Billing in a process of its own, which is started again when it dies: while invoices are made, ...
    running = await simulation.start(*JANUARY, *AGAIN, "--apart", "billing")
    await simulation.reached(1)
    first = await simulation.kill_service("billing")
    await simulation.reached(7)  # ... and when fees come due.
    await simulation.kill_service("billing", but=first)
    await simulation.reached(10)
    running.kill()
    await running.wait()
    cut_off = await simulation.ask("scheduler", "select finished_at from simulated_past")
    other = await simulation.seed(*JANUARY, "--seed", "2")
    killed = await simulation.seeded(*JANUARY)

    assert cut_off == [(None,)]
    assert (other.code, "An unfinished past is here" in other.err) == (1, True)
    assert ledgers(killed) == ledgers(undisturbed)
    assert without_messages(killed) == without_messages(undisturbed)
