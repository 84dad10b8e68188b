"""The same months, day and seed give the same ledgers, whatever is killed while they are made."""

from pathlib import Path
from typing import Any

import pytest

from propman.dev import ServerUrls
from tests.flows.simulations import a_simulation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

JANUARY = ("--months", "1", "--until", "2024-01-24")


def without_messages(found: Any) -> list[dict[str, Any]]:
    """What came of everybody. Time goes on while a process is missing, and two messages may become one."""
    return [home | {"messages": None} for home in found["households"]]


async def test_killing_a_service_and_the_simulation_itself_changes_no_ledger(
    servers: ServerUrls, tmp_path: Path
) -> None:
    async with a_simulation(servers, tmp_path) as simulation:
        undisturbed = await simulation.seeded(*JANUARY)
        # Billing in a process of its own, which is started again when it dies: while invoices are made, ...
        running = await simulation.start(*JANUARY, "--clear", "--no-input", "--apart", "billing")
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
    assert killed["ledger"] == undisturbed["ledger"]
    assert without_messages(killed) == without_messages(undisturbed)
