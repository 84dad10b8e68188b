"""Payments: once per reference, to the cent."""

import asyncio
from datetime import date

import pytest
import sqlalchemy as sa

from services.billing.domain.payments import PaymentRefused
from services.billing.handlers import router
from services.billing.handlers.issuing import issue_chunk
from services.billing.handlers.payments import Booked, InvoiceUnknown, record_payment
from services.billing.handlers.planning import Key
from services.billing.schema import invoices, payments
from shared.messaging.transaction import Transactions
from tests.support.builders import DECEMBER, a_lease
from tests.support.messages import count_rows, deliver_batch, emitted

NUMBER = "INV-2026-000001"


@pytest.fixture
async def invoiced(transactions: Transactions) -> Transactions:
    """One invoice of $1,575.00."""
    lease = a_lease()
    await deliver_batch(transactions, router, [lease])
    async with transactions.command("test") as tx:
        await issue_chunk(tx, [Key(lease.lease_id, date(2026, 12, 1))], as_of=DECEMBER)
    return transactions


async def pay(transactions: Transactions, cents: int, reference: str, invoice: str = NUMBER) -> Booked:
    async with transactions.command("test") as tx:
        return await record_payment(
            tx,
            reference=reference,
            invoice=invoice,
            amount_cents=cents,
            received_on=date(2026, 12, 1),
            method="check",
        )


async def facts(transactions: Transactions) -> list[dict[str, object]]:
    return [body for topic, body in await emitted(transactions) if topic == "billing.payment_recorded.v1"]


async def test_a_payment_reduces_the_balance_and_is_said_once(invoiced: Transactions) -> None:
    booked = await pay(invoiced, 50_000, "R1")

    assert booked.balance_cents == 107_500
    [fact] = await facts(invoiced)
    assert (fact["amount_cents"], fact["balance_cents"], fact["credit_cents"]) == (50_000, 107_500, 0)


async def test_the_same_reference_again_changes_nothing(invoiced: Transactions) -> None:
    await pay(invoiced, 50_000, "R1")
    again = await pay(invoiced, 50_000, "R1")

    assert again.repeated
    assert again.balance_cents == 107_500
    assert len(await facts(invoiced)) == 1


async def test_a_reference_of_another_payment_is_refused_and_leaves_nothing(invoiced: Transactions) -> None:
    await pay(invoiced, 50_000, "R1")
    with pytest.raises(PaymentRefused, match="already used"):
        await pay(invoiced, 60_000, "R1")

    assert await count_rows(invoiced, payments) == 1
    assert len(await facts(invoiced)) == 1


async def test_the_last_cent_makes_an_invoice_paid_and_the_rest_credit(invoiced: Transactions) -> None:
    await pay(invoiced, 157_499, "R1")
    booked = await pay(invoiced, 101, "R2")

    assert booked.balance_cents == 0
    assert (await facts(invoiced))[1]["credit_cents"] == 100
    async with invoiced.engine.connect() as connection:
        row = (await connection.execute(sa.select(invoices.c.state, invoices.c.paid_cents))).one()
    assert (row.state, row.paid_cents) == ("paid", 157_500)


async def test_two_different_payments_of_one_amount_are_both_real(invoiced: Transactions) -> None:
    await pay(invoiced, 10_000, "R1")
    booked = await pay(invoiced, 10_000, "R2")

    assert booked.balance_cents == 137_500


async def test_payments_at_the_same_moment_never_pay_the_same_balance_twice(invoiced: Transactions) -> None:
    await asyncio.gather(*(pay(invoiced, 100_000, f"R{number}") for number in range(5)))

    async with invoiced.engine.connect() as connection:
        applied = await connection.scalar(sa.select(sa.func.sum(payments.c.applied_cents)))
        paid = await connection.scalar(sa.select(invoices.c.paid_cents))
    assert applied == paid == 157_500


async def test_one_reference_booked_six_times_at_once_is_booked_once(invoiced: Transactions) -> None:
    booked = await asyncio.gather(*(pay(invoiced, 10_000, "R1") for _ in range(6)))

    assert sorted(item.repeated for item in booked) == [False] + [True] * 5
    assert await count_rows(invoiced, payments) == 1


async def test_an_unknown_invoice_is_refused(invoiced: Transactions) -> None:
    with pytest.raises(InvoiceUnknown):
        await pay(invoiced, 100, "R1", invoice="INV-2026-999999")
