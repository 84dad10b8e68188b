"""Voiding: the invoice never counted, its money is free, and its period can be billed again."""

import asyncio
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.late_fees import apply_chunk
from services.billing.handlers.payments import InvoiceUnknown
from services.billing.handlers.voiding import issue_again, void_invoice
from services.billing.handlers.waivers import waive_fee
from services.billing.schema import billed_charges, invoices
from shared.contracts.leasing import LeaseChanged, RecurringCharge
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.runs import bill, billed, know, lines
from tests.support.messages import count_rows, emitted

NUMBER = "INV-2026-000001"
DECEMBER_20 = datetime(2026, 12, 20, 17, tzinfo=UTC)


@pytest.fixture
async def desk(transactions: Transactions) -> Desk:
    """One invoice of $1,575.00 for December, on the first of December."""
    found = await a_desk(transactions)
    await found.bill("2026-12")
    return found


async def test_a_voided_invoice_is_said_to_be_void_and_why_and_by_whom_it_was(desk: Desk) -> None:
    voided = await desk.void(NUMBER)

    row = await desk.invoice()
    assert (row["state"], row["void_reason"], row["voided_by"]) == ("void", "Wrong rent", "ada")
    assert (row["voided_on"], row["next_check_on"], row["next_reminder_on"]) == (
        date(2026, 12, 1),
        None,
        None,
    )
    [fact] = await desk.said("invoice_voided")
    assert (fact["number"], fact["reason"], fact["released_cents"]) == (NUMBER, "Wrong rent", 0)
    assert not voided.repeated


async def test_voiding_again_changes_nothing_and_says_nothing(desk: Desk) -> None:
    await desk.void(NUMBER)
    before = await emitted(desk.transactions)

    again = await desk.void(NUMBER)

    assert again.repeated
    assert await emitted(desk.transactions) == before


async def test_what_was_paid_on_it_is_credit_and_pays_what_takes_its_place(desk: Desk) -> None:
    await desk.pay(60_000, "R1")
    await desk.void(NUMBER)
    freed = await desk.credit()

    await bill(desk.transactions, origin="manual")

    assert freed == 60_000
    assert await desk.credit() == 0
    assert (await desk.invoice("INV-2026-000002"))["paid_cents"] == 60_000
    assert [fact["reason"] for fact in await desk.said("credit_issued")] == ["void"]
    assert [fact["released_cents"] for fact in await desk.said("invoice_voided")] == [60_000]


async def test_a_void_invoice_blocks_nothing_and_its_number_is_gone_for_good(desk: Desk) -> None:
    await desk.void(NUMBER)

    await bill(desk.transactions, origin="manual")
    await bill(desk.transactions, origin="manual")

    async with desk.transactions.engine.connect() as connection:
        found = await connection.execute(sa.select(invoices.c.number, invoices.c.state).order_by("number"))
        assert [tuple(row) for row in found] == [(NUMBER, "void"), ("INV-2026-000002", "open")]


async def test_an_invoice_that_is_paid_blocks_another_for_its_period(desk: Desk) -> None:
    await desk.pay(157_500, "R1")

    outcome = await bill(desk.transactions, origin="manual")

    assert outcome["counts"] == {"examined": 1, "created": 0, "skipped": 1, "failed": 0}


async def test_the_schedule_does_not_bill_again_what_a_person_voided(desk: Desk) -> None:
    await desk.void(NUMBER)

    outcome = await bill(desk.transactions, period=None, as_of=DECEMBER_20)

    assert outcome["counts"] == {"examined": 1, "created": 0, "skipped": 1, "failed": 0}


async def test_voiding_and_issuing_again_is_one_step_under_the_terms_as_they_are_now(desk: Desk) -> None:
    await know(
        desk.transactions, LeaseChanged(**desk.lease.model_dump() | {"version": 2, "rent_cents": 140_000})
    )

    async with desk.transactions.command("test") as tx:
        done = await issue_again(tx, await void_invoice(tx, NUMBER, reason="Wrong rent", by="ada"))

    assert [item.number for item in done.issued] == ["INV-2026-000002"]
    assert await billed(desk.transactions) == [("2026-12-01", 147_500)]


async def test_the_charges_of_a_voided_invoice_are_billed_again_and_once(transactions: Transactions) -> None:
    key = RecurringCharge(
        code="key", description="Key", amount_cents=5_000, frequency="once", starts_on=date(2026, 12, 5)
    )
    desk = await a_desk(transactions, charges=(key,))
    await desk.bill("2026-12")
    await desk.void(NUMBER)
    assert await count_rows(transactions, billed_charges) == 0

    for month in ("2026-12", "2027-01"):
        await bill(transactions, period=month, origin="manual")

    assert [len(found) for found in await lines(transactions)] == [2, 2, 1]


async def test_late_fees_of_a_voided_invoice_are_gone_with_it(transactions: Transactions) -> None:
    desk = await a_desk(transactions)
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    desk.clock.today = date(2026, 12, 20)
    await desk.pay(100, "R1")
    assert await desk.fees() == [("late_fee", 5_000)]

    await desk.void(NUMBER)

    assert await desk.credit() == 100
    assert (await desk.said("invoice_voided"))[0]["balance_cents"] == 0


async def test_what_was_waived_stays_waived_on_the_invoice_that_takes_its_place(
    transactions: Transactions,
) -> None:
    desk = await a_desk(transactions)
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    desk.clock.today = date(2026, 12, 20)
    async with desk.transactions.command("test") as tx:
        await apply_chunk(tx, {(await desk.invoice())["invoice_id"]: desk.clock.today})
        await waive_fee(tx, NUMBER, amount_cents=2_000, reason="First time", by="ada")
        await issue_again(tx, await void_invoice(tx, NUMBER, reason="Wrong rent", by="ada"))

    again = await desk.invoice("INV-2026-000002")
    desk.clock.today = date(2026, 12, 26)
    async with desk.transactions.command("test") as tx:
        await apply_chunk(tx, {again["invoice_id"]: desk.clock.today})

    assert (await desk.invoice("INV-2026-000002"))["fee_cents"] == 3_000


async def test_an_unknown_invoice_is_refused_and_nothing_is_left(desk: Desk) -> None:
    before = await emitted(desk.transactions)

    with pytest.raises(InvoiceUnknown):
        await desk.void("INV-2026-000099")

    assert await emitted(desk.transactions) == before


async def test_six_at_once_void_it_once(desk: Desk) -> None:
    await desk.pay(60_000, "R1")

    done = await asyncio.gather(*(desk.void(NUMBER) for _ in range(6)))

    assert sorted(item.repeated for item in done) == [False, *([True] * 5)]
    assert len(await desk.said("invoice_voided")) == 1
    assert await desk.credit() == 60_000
