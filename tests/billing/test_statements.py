"""The running ledger, and the reasons of a payment, as a landlord reads them."""

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from propman.dev import ServerUrls
from services.billing.domain.statements import Entry, Kind, running
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.runs import know
from tests.support.builders import a_lease
from tests.support.commands import Ran, run_propman
from tests.support.databases import TestDatabases


@dataclass
class Counter:
    """A desk with the commands of billing."""

    desk: Desk
    environment: dict[str, str]

    async def run(self, *words: str) -> Ran:
        return await run_propman("billing", *words, environment=self.environment)

    async def ledger(self) -> list[tuple[str, str, str, int, int, int]]:
        """The rows of the lease's ledger."""
        ran = await self.run("ledger", "--lease", str(self.desk.lease.lease_id), "--json")
        [document] = ran.json
        names = ("on", "what", "reference", "charge_cents", "payment_cents", "balance_cents")
        return [tuple(row[name] for name in names) for row in document["entries"]]


@pytest.fixture
async def counter(transactions: Transactions, databases: TestDatabases, servers: ServerUrls) -> Counter:
    """December, paid too much on the third, of which a part was charged back on the ninth."""
    desk = await a_desk(transactions, "2026-12-03")
    await desk.bill("2026-12")
    await desk.pay(160_000, "CHK-1")
    desk.clock.today = date(2026, 12, 9)
    await desk.take_back("CHK-1", "CB-1", 10_000, kind="charged_back")
    environment = {
        "BILLING_DATABASE_URL": await databases.url("billing"),
        "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url,
    }
    return Counter(desk, environment)


def test_on_one_day_charges_come_before_payments_and_payments_before_reversals() -> None:
    day = date(2026, 12, 1)
    entries = [
        Entry(day, Kind.REVERSAL, "R", "back", payment_cents=-300),
        Entry(day, Kind.PAYMENT, "R", "payment", payment_cents=1_000),
        Entry(day, Kind.CHARGE, "INV", "rent", charge_cents=900),
    ]

    assert [row.balance_cents for row in running(entries)] == [900, -100, 200]


async def test_a_ledger_shows_every_charge_and_payment_with_what_is_owed_after_it(counter: Counter) -> None:
    rows = await counter.ledger()

    assert [(row[0], row[2], *row[3:]) for row in rows] == [
        ("2026-12-01", "INV-2026-000001", 150_000, 0, 150_000),
        ("2026-12-01", "INV-2026-000001", 7_500, 0, 157_500),
        ("2026-12-03", "CHK-1", 0, 160_000, -2_500),
        ("2026-12-09", "CHK-1", 0, -10_000, 7_500),
    ]
    assert (await counter.desk.invoice())["paid_cents"] == 157_500 - 7_500


async def test_a_voided_invoice_stays_in_the_ledger_and_owes_nothing(counter: Counter) -> None:
    counter.desk.clock.today = date(2026, 12, 10)
    await counter.desk.void("INV-2026-000001")

    rows = await counter.ledger()
    assert rows[-1][1:] == ("Voided: Wrong rent", "INV-2026-000001", -157_500, 0, -150_000)
    assert await counter.desk.credit() == 150_000


async def test_a_tenant_with_two_leases_has_two_ledgers(counter: Counter) -> None:
    [tenant] = counter.desk.lease.tenant_ids
    other = a_lease(tenant_ids=(tenant,), unit_label="2B")
    await know(counter.desk.transactions, other)

    ran = await counter.run("ledger", "--tenant", str(tenant), "--json")

    assert {(item["unit_label"], item["balance_cents"]) for item in ran.json} == {("1A", 7_500), ("2B", 0)}


async def test_a_spreadsheet_gets_plain_numbers(counter: Counter) -> None:
    ran = await counter.run("ledger", "--lease", str(counter.desk.lease.lease_id), "--csv")

    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [(row["charge"], row["payment"], row["balance"]) for row in rows][1:] == [
        ("75.00", "0.00", "1575.00"),
        ("0.00", "1600.00", "-25.00"),
        ("0.00", "-100.00", "75.00"),
    ]


async def test_a_payment_is_explained_to_the_cent(counter: Counter) -> None:
    ran = await counter.run("explain", "payment", "CHK-1", "--json")

    moved: list[dict[str, Any]] = ran.json["moved"]
    assert [(item["on"], item["where"], item["amount_cents"]) for item in moved] == [
        ("2026-12-03", "rent of INV-2026-000001", 150_000),
        ("2026-12-03", "charges of INV-2026-000001", 7_500),
        ("2026-12-09", "charges of INV-2026-000001", -7_500),
        ("2026-12-09", "paid back", 2_500),
    ]
    assert "oldest_first" in moved[0]["why"]


async def test_credit_is_explained_by_what_it_waits_for(counter: Counter) -> None:
    await counter.desk.pay(20_000, "CHK-2")

    ran = await counter.run("explain", "payment", "CHK-2")

    assert "nothing is open; it pays the next invoice" in ran.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ledger",), 2, "Give either --lease or --tenant"),
        (("ledger", "--lease", str(new_id())), 2, "Billing knows no lease"),
        (("ledger", "--tenant", str(new_id())), 2, "Billing knows no lease of tenant"),
        (("explain", "payment", "CHK-9"), 2, "There is no payment"),
    ],
)
async def test_a_ledger_of_nobody_is_one_readable_line(
    counter: Counter, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = await counter.run(*words)

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
