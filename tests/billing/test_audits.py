"""The audit: every balance worked out anew, every drift named, and repaired by settling."""

from typing import Any

import pytest
import sqlalchemy as sa

from propman.dev import ServerUrls
from services.billing.handlers.auditing import repair_accounts
from services.billing.schema import accounts, allocations, invoice_lines, invoices, payments
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases
from tests.support.messages import emitted


@pytest.fixture
async def desk(transactions: Transactions) -> Desk:
    """An account with a bit of everything: paid, over-paid, returned in part, paid again."""
    found = await a_desk(transactions)
    await found.bill("2026-11", "2026-12")
    await found.pay(157_500, "CHK-1")
    await found.pay(200_000, "CHK-2")
    found.clock.today = found.clock.today.replace(day=9)
    await found.take_back("CHK-2", "CB-1", 60_000, kind="charged_back")
    await found.pay(50_000, "CHK-3")
    return found


async def spoil(desk: Desk, statement: sa.Update | sa.Delete) -> None:
    async with desk.transactions.engine.begin() as connection:
        await connection.execute(statement)


async def test_an_account_that_was_only_ever_settled_has_no_drift(desk: Desk) -> None:
    assert await desk.drifts() == []


SPOILED: list[tuple[Any, str, str]] = [
    (sa.update(accounts).values(credit_cents=1), "account", "credit_cents"),
    (
        sa.update(invoices).where(invoices.c.period == "2026-11").values(state="open"),
        "INV-2026-000001",
        "state",
    ),
    (
        sa.update(invoices).where(invoices.c.period == "2026-12").values(paid_cents=1),
        "INV-2026-000002",
        "allocated",
    ),
    (
        sa.update(payments).where(payments.c.reference == "CHK-3").values(applied_cents=1),
        "CHK-3",
        "applied_cents",
    ),
    (
        sa.delete(allocations).where(allocations.c.amount_cents < 0),
        "account",
        "received - applied - reversed",
    ),
]


@pytest.mark.parametrize(("statement", "subject", "what"), SPOILED, ids=[case[2] for case in SPOILED])
async def test_what_is_kept_wrongly_is_named_and_repaired(
    desk: Desk, statement: Any, subject: str, what: str
) -> None:
    before = await desk.allocations(), await desk.invoice(), await desk.credit()
    await spoil(desk, statement)

    assert (subject, what) in {(drift.subject, drift.what) for drift in await desk.drifts()}
    async with desk.transactions.command("test") as tx:
        await repair_accounts(tx, [desk.account_id])
    assert await desk.drifts() == []
    after = await desk.allocations(), await desk.invoice(), await desk.credit()
    assert (after[0], after[1]["paid_cents"], after[2]) == (before[0], before[1]["paid_cents"], before[2])


async def test_an_invoice_that_is_not_its_lines_is_named_and_left_to_a_person(desk: Desk) -> None:
    line = invoice_lines.c
    await spoil(desk, sa.update(invoice_lines).where(line.bucket == "charge").values(amount_cents=7_000))

    found = [drift for drift in await desk.drifts() if not drift.repairable]
    assert {(drift.subject, drift.what, drift.kept, drift.should_be) for drift in found} == {
        ("INV-2026-000001", "charge_cents", 7_500, 7_000),
        ("INV-2026-000002", "charge_cents", 7_500, 7_000),
    }


async def test_repairing_what_is_right_writes_and_says_nothing(desk: Desk) -> None:
    before = await emitted(desk.transactions)
    async with desk.transactions.command("test") as tx:
        await repair_accounts(tx, [desk.account_id])

    assert await emitted(desk.transactions) == before


async def test_the_command_ends_with_1_on_drift_until_it_is_repaired(
    desk: Desk, databases: TestDatabases, servers: ServerUrls
) -> None:
    environment = {
        "BILLING_DATABASE_URL": await databases.url("billing"),
        "PROPMAN_RABBITMQ_URL": servers.rabbitmq_url,
    }
    await spoil(desk, sa.update(accounts).values(credit_cents=1))

    found = await run_propman("billing", "audit", environment=environment)
    repaired = await run_propman("billing", "audit", "--repair", "--json", environment=environment)

    assert (found.code, repaired.code) == (1, 0)
    assert "2 differences in 1 of 1 accounts" in found.err
    assert (len(repaired.json["drifts"]), repaired.json["left"]) == (2, [])
