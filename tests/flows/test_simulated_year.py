"""A year that the system lived through, held against ledgers that were worked out by hand.

The year is 2024. Every amount below is in cents. What was agreed (propman/demo/agreements.py): due dates as in the
portfolio; five full days of grace, so that rent due on the 1st is late from the 7th on and rent due on the 5th from
the 11th; then a flat fee of $50, and no more than the lesser of $50 and 5 % of the rent, which is $50 for every rent
above $1,000. A late fee is posted once for an invoice.
"""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from propman.dev import ServerUrls
from propman.simulation.watching import QUEUE
from tests.flows.simulations import Simulation, a_simulation

pytestmark = pytest.mark.timeout(1800)  # the first test waits for the year

Lines = list[tuple[date, int, int]]
"""Date, charge, payment."""

MONTHS = range(1, 13)


@pytest.fixture(scope="module")
async def simulation(
    servers: ServerUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Simulation]:
    async with a_simulation(servers, tmp_path_factory.mktemp("year")) as made:
        yield made


@pytest.fixture(scope="module")
async def year(simulation: Simulation) -> Any:
    """What the command says of the year."""
    return await simulation.seeded("--months", "12", "--until", "2024-12-31")


def on(month: int, day: int) -> date:
    return date(2024, month, day)


def perfect_payer() -> Lines:
    """1,450.00 rent and 35.00 for a pet, paid on the 1st: 1,485.00 a month."""
    return [
        line
        for month in MONTHS
        for line in ((on(month, 1), 145_000, 0), (on(month, 1), 3_500, 0), (on(month, 1), 0, 148_500))
    ]


def chronic_charlie() -> Lines:
    """1,395.00 and 75.00 for parking; the fee of 50.00 on the 7th; all 1,520.00 of it on the 10th."""
    return [
        line
        for month in MONTHS
        for line in (
            (on(month, 1), 139_500, 0),
            (on(month, 1), 7_500, 0),
            (on(month, 7), 5_000, 0),
            (on(month, 10), 0, 152_000),
        )
    ]


def overdue_olivia() -> Lines:
    """1,520.00 due on the 5th and paid then, until September; then nothing, each month with its fee."""
    paid = [
        line for month in range(1, 10) for line in ((on(month, 1), 152_000, 0), (on(month, 5), 0, 152_000))
    ]
    owed = [
        line for month in (10, 11, 12) for line in ((on(month, 1), 152_000, 0), (on(month, 11), 5_000, 0))
    ]
    return paid + owed


def newbie_nick() -> Lines:
    """Moved in on November 15: 16 of 30 days, so 1,875.00 x 16/30 = 1,000.00 and 120.00 x 16/30 = 64.00.

    The lease is known before it begins: its first invoice is issued with the month, and due when it begins.
    Then December as it is.
    """
    return [
        *((on(11, 1), 100_000, 0), (on(11, 1), 6_400, 0), (on(11, 15), 0, 106_400)),
        *((on(12, 1), 187_500, 0), (on(12, 1), 12_000, 0), (on(12, 1), 0, 199_500)),
    ]


def auto_alice() -> Lines:
    """1,925.00 issued on the 1st, and charged to her card on the 3rd, when it is due."""
    return [line for month in MONTHS for line in ((on(month, 1), 192_500, 0), (on(month, 3), 0, 192_500))]


def partial_pat() -> Lines:
    """1,790.00 and 45.00 for storage: 900.00 on the 1st, so that 935.00 are late on the 7th and cost 50.00.

    450.00 on the 8th, and on the 22nd what is left: 1,835.00 + 50.00 - 900.00 - 450.00 = 535.00. Chicago allows
    10.00 and 5 % of what exceeds 500.00, that is 74.50: more than was agreed, so nothing is clamped.
    """
    return [
        line
        for month in MONTHS
        for line in (
            (on(month, 1), 179_000, 0),
            (on(month, 1), 4_500, 0),
            (on(month, 1), 0, 90_000),
            (on(month, 7), 5_000, 0),
            (on(month, 8), 0, 45_000),
            (on(month, 22), 0, 53_500),
        )
    ]


def prepay_pete() -> Lines:
    """1,280.00 a month; on the first of each quarter three of them: 3,840.00, of which 2,560.00 wait as credit."""
    rents = [(on(month, 1), 128_000, 0) for month in MONTHS]
    return rents + [(on(month, 1), 0, 384_000) for month in (1, 4, 7, 10)]


def streak_sally() -> Lines:
    """1,310.00 and 25.00 for a pet, paid on the 1st of all twelve months."""
    return [
        line
        for month in MONTHS
        for line in ((on(month, 1), 131_000, 0), (on(month, 1), 2_500, 0), (on(month, 1), 0, 133_500))
    ]


EIGHT = {
    "Perfect Payer": (perfect_payer, 1_782_000, 0, 1_782_000),
    "Chronic Charlie": (chronic_charlie, 1_764_000, 60_000, 1_824_000),
    "Overdue Olivia": (overdue_olivia, 1_824_000, 15_000, 1_368_000),
    "Newbie Nick": (newbie_nick, 305_900, 0, 305_900),
    "Auto Alice": (auto_alice, 2_310_000, 0, 2_310_000),
    "Partial Pat": (partial_pat, 2_202_000, 60_000, 2_262_000),
    "Prepay Pete": (prepay_pete, 1_536_000, 0, 1_536_000),
    "Streak Sally": (streak_sally, 1_602_000, 0, 1_602_000),
}
"""The ledger, and what was billed, charged as fees and paid in the year."""


def household(year: Any, name: str) -> dict[str, Any]:
    [found] = [item for item in year["households"] if name in item["tenants"].split(", ")]
    return dict(found)


def ledger(year: Any, name: str) -> Lines:
    home = household(year, name)
    rows = csv.DictReader(io.StringIO(year["ledger"]))
    return [
        (date.fromisoformat(row["date"]), int(row["charge"]), int(row["payment"]))
        for row in rows
        if (row["property"], row["unit"]) == (home["property"], home["unit"])
    ]


@pytest.mark.parametrize("name", EIGHT)
def test_the_ledger_of_each_tenant_is_what_was_worked_out_by_hand(year: Any, name: str) -> None:
    worked_out, billed, fees, paid = EIGHT[name]

    found = household(year, name)

    assert ledger(year, name) == sorted(worked_out(), key=lambda line: (line[0], -line[1], line[2]))
    assert (found["billed_cents"], found["fee_cents"], found["paid_cents"]) == (billed, fees, paid)
    assert found["balance_cents"] == billed + fees - paid


def test_what_was_paid_ahead_waited_as_credit(year: Any) -> None:
    """Pete, each quarter: 3,840.00 - 1,280.00 = 2,560.00. Nobody else of the eight paid more than was owed."""
    credited = {name: household(year, name)["credit_cents"] for name in EIGHT}

    assert credited == dict.fromkeys(EIGHT, 0) | {"Prepay Pete": 4 * 256_000}


def test_what_happens_once_in_the_year_has_happened_to_the_others(year: Any) -> None:
    assert [line for line in ledger(year, "Luis Ortega") if line[0].month == 6] == [
        (on(6, 1), 126_500, 0),
        (on(6, 10), 0, 126_500),
        (on(6, 14), 0, -126_500),  # it came back, and the grace was over on the 15th
        (on(6, 16), 5_000, 0),
        (on(6, 22), 0, 131_500),
    ]
    assert [line for line in ledger(year, "Mina Park") if line[0].month == 3][-3:] == [
        (on(3, 7), 5_000, 0),
        (on(3, 11), -5_000, 0),  # let go: it was the first time
        (on(3, 13), 0, 250_000),
    ]
    rents = {line for line in ledger(year, "Dana Reyes") if line[1] > 100_000}
    assert {line[1] for line in rents if line[0].month < 7} == {141_000}
    assert {line[1] for line in rents if line[0].month >= 7} == {145_000}  # renewed


def test_who_pays_on_time_has_a_streak_and_what_was_promised_for_it(year: Any) -> None:
    """25.00 for every third month on time and 100.00 for twelve: 4 x 25.00 + 100.00.

    Pete has the same, and 10.00 for every 2,000.00 paid ahead, each cent of which counts once: four times
    3,840.00 - 1,280.00 = 2,560.00 is 10,240.00, in which 2,000.00 is five times, the fifth in October.
    Bayview Terrace pays out in rent by itself: Mina, who was late in March, has three good months with June,
    and 25.00 less to pay in July.
    """
    streaks = {name: household(year, name)["streak"] for name in EIGHT}
    rewards = {name: household(year, name)["reward_cents"] for name in EIGHT}

    assert [streaks[name] for name in ("Perfect Payer", "Streak Sally", "Auto Alice", "Prepay Pete")] == [
        12
    ] * 4
    assert [streaks[name] for name in ("Chronic Charlie", "Partial Pat", "Overdue Olivia")] == [0] * 3
    assert rewards["Perfect Payer"] == rewards["Streak Sally"] == rewards["Auto Alice"] == 20_000
    assert rewards["Prepay Pete"] == 20_000 + 5 * 1_000
    assert sorted(line[2] for line in ledger(year, "Mina Park") if line[0].month == 7 and line[2]) == [
        2_500,
        247_500,
    ]


def test_the_reward_ledger_of_who_pays_ahead_is_what_was_worked_out_by_hand(year: Any) -> None:
    """2,560.00 ahead each quarter: 2,000.00 is passed with the first, second and third, and twice with the fourth."""
    rows = csv.DictReader(io.StringIO(year["rewards_ledger"]))
    found = [
        (row["period"], row["rule"], int(row["amount_cents"]), int(row["balance_cents"]))
        for row in rows
        if (row["tenant"], row["kind"]) == ("Prepay Pete", "granted")
    ]

    assert found == [
        ("2024-01", "prepaid:200000#1", 1_000, 1_000),
        ("2024-03", "streak:3", 2_500, 3_500),
        ("2024-04", "prepaid:200000#2", 1_000, 4_500),
        ("2024-06", "streak:3", 2_500, 7_000),
        ("2024-07", "prepaid:200000#3", 1_000, 8_000),
        ("2024-09", "streak:3", 2_500, 10_500),
        ("2024-10", "prepaid:200000#4", 1_000, 11_500),
        ("2024-10", "prepaid:200000#5", 1_000, 12_500),
        ("2024-12", "streak:12", 10_000, 22_500),
        ("2024-12", "streak:3", 2_500, 25_000),
    ]


def test_everybody_heard_of_what_concerned_them_and_of_nothing_else(year: Any) -> None:
    told = {
        name: {
            key.partition(": ")[2]: count
            for key, count in year["messages"].items()
            if key.startswith(f"{name}:")
            and not key.partition(": ")[2].startswith(("lease_", "work_", "signing_", "reward"))
        }
        for name in EIGHT
    }

    assert told["Perfect Payer"] == told["Streak Sally"] == {"invoice": 12, "receipt": 12}
    assert told["Prepay Pete"] == {"invoice": 12, "receipt": 4}
    assert (told["Chronic Charlie"]["late_fee"], told["Chronic Charlie"]["receipt"]) == (12, 12)
    assert (told["Overdue Olivia"]["late_fee"], told["Overdue Olivia"]["receipt"]) == (3, 9)
    assert told["Auto Alice"]["receipt"] == 12


async def test_nothing_left_the_house_and_everything_is_marked(simulation: Simulation, year: Any) -> None:
    sent = await simulation.ask(
        "notifications",
        "select provider_message_id, count(*) from deliveries where state = 'sent' and channel <> 'in_app' group by 1",
    )

    assert sent == [("simulated", sum(year["messages"].values()))]


async def test_what_is_kept_is_dated_in_the_year(simulation: Simulation, year: Any) -> None:
    assert year["until"] == "2024-12-31"
    for service, table, column in (
        ("billing", "invoices", "created_at"),
        ("billing", "payments", "recorded_at"),
        ("billing", "inbox", "processed_at"),
        ("notifications", "deliveries", "sent_at"),
        ("notifications", "notifications", "created_at"),
        ("scheduler", "occurrences", "created_at"),
        ("scheduler", "occurrences", "finished_at"),
    ):
        [(oldest, newest)] = await simulation.ask(
            service, f"select min({column}), max({column}) from {table}"
        )
        # What was set up was set up on the eve.
        assert date(2023, 12, 31) <= oldest.date() <= newest.date() <= on(12, 31), (service, table, column)


async def test_leases_are_signed_and_work_orders_are_in_every_state(
    simulation: Simulation, year: Any
) -> None:
    requests = await simulation.ask("leasing", "select state, count(*) from signature_requests group by 1")
    links = await simulation.ask("leasing", "select state, count(*) from signing_links group by 1")
    orders = await simulation.ask("leasing", "select state from work_orders order by number")

    assert dict(requests) == {"paper": 13, "signed": 2}  # Nick's lease and Dana's renewal
    assert dict(links) == {"signed": 2, "expired": 1}  # Nick let the first one run out
    assert [state for (state,) in orders] == ["done", "done", "cancelled", "scheduled", "assigned", "open"]
    assert year["messages"]["Newbie Nick: signing_expired"] == 1


async def test_the_schedules_are_what_they_were_and_nothing_waits(simulation: Simulation, year: Any) -> None:
    schedules = await simulation.ask("scheduler", "select key, spec->>'timezone', state from schedules")
    waiting = await simulation.ask("scheduler", "select id from occurrences where state = 'waiting'")
    dead = [await simulation.ask(name, "select 1 from dead_letters") for name in ("billing", "notifications")]

    assert {zone for key, zone, _ in schedules if key in {"daily-billing", "late-fees", "autopay"}} == {
        "@property"
    }
    assert {state for _, _, state in schedules} == {"active"}
    assert (waiting, dead, len(year["households"])) == ([], [[], []], 14)


async def test_no_queue_of_the_simulation_hears_everything_for_ever(
    simulation: Simulation, year: Any
) -> None:
    async with await aio_pika.connect(simulation.environment["PROPMAN_RABBITMQ_URL"]) as connection:
        channel = await connection.channel()

        with pytest.raises(ChannelNotFoundEntity):
            await channel.declare_queue(QUEUE, passive=True)
    assert year["seed"] == 1


async def test_what_is_there_is_deleted_only_where_that_was_said(simulation: Simulation, year: Any) -> None:
    again = await simulation.seed("--months", "12", "--until", "2024-12-31")
    asked = await simulation.seed("--clear", "--until", "2024-12-31")

    assert again.code == 1
    assert "There is a simulated past already, 2024-01-01 to 2024-12-31 with seed 1. Say --clear" in again.err
    assert asked.code == 2  # nobody is there to answer
    assert "16 invoices" not in asked.out
    assert "This needs a confirmation: Delete all of it?" in asked.err
    assert await simulation.ask("billing", "select count(*) from payments where recorded_at < '2025-01-01'")
    assert year["seed"] == 1
