"""The same facts, keyed in in any order, leave the same ledger behind."""

import random
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy, document_of
from services.billing.handlers.late_fees import apply_chunk
from services.billing.schema import allocations, invoices, payments
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.runs import agree

LATE = BillingPolicy(
    late_fee_rules=(Flat(amount=Fixed(5_000)),), allocation="rent_first", nsf_fee_cents=2_500
)

Fact = Callable[[], Awaitable[object]]


def facts(desk: Desk) -> list[list[Fact]]:
    """Four months of an account; within a list the first has to be keyed in before the second."""
    return [
        [lambda: desk.bill("2026-12")],
        [lambda: desk.bill("2027-01")],
        [lambda: desk.bill("2027-02")],
        [lambda: desk.pay(20_000, "CHK-1", on="2026-11-28")],
        [lambda: desk.pay(139_000, "CHK-2", on="2026-12-20")],
        [
            lambda: desk.pay(157_500, "CHK-3", on="2027-01-01"),
            lambda: desk.take_back("CHK-3", "CB-3", 30_000, kind="charged_back"),
        ],
        [lambda: desk.pay(160_000, "CHK-4", on="2027-02-01")],
        [lambda: desk.pay(61_000, "CHK-5", on="2027-02-01")],
    ]


async def key_in(desk: Desk, chance: random.Random) -> None:
    """All of it in a random order, and then a run of late fees."""
    waiting = facts(desk)
    while waiting:
        story = chance.choice(waiting)
        await story.pop(0)()
        waiting = [left for left in waiting if left]
    async with desk.transactions.command("test") as tx:
        found = await tx.connection.scalars(sa.select(invoices.c.invoice_id))
        await apply_chunk(tx, dict.fromkeys(found, desk.clock.today))


async def ledger(desk: Desk) -> dict[str, Any]:
    """What does not depend on when a row was written."""
    months = sa.select(
        invoices.c.period, invoices.c.fee_cents, invoices.c.paid_cents, invoices.c.state, invoices.c.paid_on
    )
    money = (
        sa.select(
            payments.c.reference,
            invoices.c.period,
            *(allocations.c[name] for name in ("bucket", "effective_on", "amount_cents")),
        )
        .join(payments, payments.c.payment_id == allocations.c.payment_id)
        .join(invoices, invoices.c.invoice_id == allocations.c.invoice_id)
    )
    async with desk.transactions.engine.connect() as connection:
        return {
            "months": sorted(tuple(row) for row in await connection.execute(months)),
            "money": sorted(tuple(row) for row in await connection.execute(money)),
            "credit": await desk.credit(),
        }


async def kept(transactions: Transactions, seed: int) -> dict[str, Any]:
    desk = await a_desk(transactions, "2027-03-01")
    await agree(desk.transactions, document_of(LATE))
    await key_in(desk, random.Random(seed))
    assert await desk.drifts() == []
    return await ledger(desk)


async def in_order_of_dates(transactions: Transactions) -> dict[str, Any]:
    """As if somebody had sat there all the time: each fact on its day."""
    desk = await a_desk(transactions, "2026-11-28")
    await agree(desk.transactions, document_of(LATE))
    bill_december, bill_january, bill_february, first, second, third, fourth, fifth = facts(desk)
    days: list[tuple[str, list[Fact]]] = [
        ("2026-11-28", first),
        ("2026-12-01", bill_december),
        ("2026-12-20", second),
        ("2027-01-01", [*bill_january, third[0]]),
        ("2027-02-01", [*bill_february, *fourth, *fifth]),
        ("2027-03-01", [third[1]]),
    ]
    for day, story in days:
        desk.clock.today = date.fromisoformat(day)
        for fact in story:
            await fact()
    return await ledger(desk)


@pytest.mark.parametrize("seeds", [range(4), range(4, 8)], ids=["1", "2"])
async def test_the_ledger_does_not_depend_on_the_order_of_keying_in(
    transactions: Transactions, seeds: range
) -> None:
    expected = await in_order_of_dates(transactions)

    for seed in seeds:
        await clear(transactions)
        assert await kept(transactions, seed) == expected, f"seed {seed}"


async def clear(transactions: Transactions) -> None:
    """An empty account again, under an empty policy."""
    async with transactions.engine.begin() as connection:
        for table in ("allocations", "payment_reversals", "payments", "invoice_lines", "billed_charges"):
            await connection.execute(sa.text(f"delete from {table}"))
        for table in ("invoices", "accounts", "leases", "policies", "invoice_numbers"):
            await connection.execute(sa.text(f"delete from {table}"))
