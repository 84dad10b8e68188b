"""Payments: once per reference, to the cent, and from the day they were received."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.payments import PaymentRefused, check_payment
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.late_fees import apply_chunk
from services.billing.handlers.payments import AccountUnknown, InvoiceUnknown
from services.billing.schema import payments
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.runs import know
from tests.support.builders import a_lease
from tests.support.messages import count_rows, emitted

NUMBER = "INV-2026-000001"


@pytest.fixture
async def desk(transactions: Transactions) -> AsyncIterator[Desk]:
    """One invoice of $1,575.00 for December, on the first of December."""
    found = await a_desk(transactions)
    await found.bill("2026-12")
    yield found
    assert await found.drifts() == [], "whatever happened, every balance is what its facts come to"


async def test_a_payment_reduces_the_balance_and_is_said_once(desk: Desk) -> None:
    booked = await desk.pay(50_000, "R1", invoice=NUMBER)

    assert booked.balance_cents == 107_500
    [fact] = await desk.said("payment_recorded")
    assert (fact["amount_cents"], fact["balance_cents"], fact["credit_cents"]) == (50_000, 107_500, 0)
    assert (fact["allocations"][0]["invoice_number"], fact["allocations"][0]["rent_cents"]) == (
        NUMBER,
        50_000,
    )


async def test_the_same_reference_again_changes_nothing(desk: Desk) -> None:
    await desk.pay(50_000, "R1")
    before = await emitted(desk.transactions)

    again = await desk.pay(50_000, "R1")

    assert again.repeated
    assert again.balance_cents == 107_500
    assert await emitted(desk.transactions) == before


async def test_a_reference_of_another_amount_is_refused_and_leaves_nothing(desk: Desk) -> None:
    await desk.pay(50_000, "R1")
    with pytest.raises(PaymentRefused, match="already used"):
        await desk.pay(60_000, "R1")

    assert await count_rows(desk.transactions, payments) == 1
    assert (await desk.invoice())["paid_cents"] == 50_000


async def test_the_last_cent_makes_an_invoice_paid_and_the_rest_credit(desk: Desk) -> None:
    await desk.pay(157_499, "R1")
    booked = await desk.pay(101, "R2")

    assert (booked.balance_cents, booked.payment.credit_cents) == (0, 100)
    assert (await desk.invoice())["state"] == "paid"
    assert [fact["amount_cents"] for fact in await desk.said("credit_issued")] == [100]


async def test_an_overpayment_is_credited_once(desk: Desk) -> None:
    await desk.pay(177_500, "R1")
    await desk.pay(5_000, "R2")

    assert await desk.credit() == 25_000


async def test_two_different_payments_of_one_amount_on_a_day_are_both_real(desk: Desk) -> None:
    await desk.pay(10_000, "R1")
    booked = await desk.pay(10_000, "R2")

    assert booked.balance_cents == 137_500


@pytest.mark.parametrize("cents", [0, -1])
async def test_an_amount_that_is_not_positive_is_refused(desk: Desk, cents: int) -> None:
    with pytest.raises(PaymentRefused, match="more than nothing"):
        await desk.pay(cents, "R1")


async def test_money_of_tomorrow_at_the_property_is_refused(desk: Desk) -> None:
    with pytest.raises(PaymentRefused, match="only 2026-12-01"):
        await desk.pay(100, "R1", on="2026-12-02")

    assert await count_rows(desk.transactions, payments) == 0


async def test_money_received_before_it_was_booked_counts_from_the_day_it_came(desk: Desk) -> None:
    desk.clock.today = desk.clock.today.replace(day=10)
    await desk.pay(157_500, "CHK-1", on="2026-12-01")

    assert (await desk.invoice())["paid_on"].isoformat() == "2026-12-01"
    [fact] = await desk.said("invoice_paid")
    assert (fact["paid_on"], fact["rent_paid_on"]) == ("2026-12-01", "2026-12-01")


async def test_a_cheque_of_the_first_that_is_keyed_in_late_takes_back_the_fee(
    transactions: Transactions,
) -> None:
    desk = await a_desk(transactions, "2026-12-20")
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    await desk.pay(100, "R1")
    fees_before = await desk.fees()
    await desk.pay(157_500, "CHK-1", on="2026-12-01")

    assert fees_before == [("late_fee", 5_000)]
    assert await desk.fees() == [("late_fee", 5_000), ("late_fee", -5_000)]
    after = await desk.invoice()
    assert (after["total_cents"], after["paid_on"].isoformat()) == (157_500, "2026-12-01")
    assert await desk.credit() == 100


async def test_nobody_hears_paid_where_a_fee_opens_the_invoice_at_once(transactions: Transactions) -> None:
    desk = await a_desk(transactions, "2026-12-20")
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    booked = await desk.pay(157_500, "R1")

    assert booked.balance_cents == 5_000
    assert await desk.said("invoice_paid") == []
    assert len(await desk.said("late_fee_applied")) == 1


async def test_an_older_payment_that_turns_up_moves_the_newer_to_credit(desk: Desk) -> None:
    desk.clock.today = desk.clock.today.replace(day=10)
    await desk.pay(157_500, "R1", on="2026-12-09")
    await desk.pay(157_500, "R2", on="2026-12-01")

    assert await desk.credit() == 157_500
    assert [fact["paid_on"] for fact in await desk.said("invoice_paid")] == ["2026-12-09", "2026-12-01"]


async def test_one_payment_pays_several_invoices_the_oldest_first(desk: Desk) -> None:
    await desk.bill("2027-01")
    desk.clock.today = desk.clock.today.replace(year=2027, month=1)
    booked = await desk.pay(200_000, "R1")

    assert [(part.invoice.period, part.amount_cents) for part in booked.parts] == [
        ("2026-12", 157_500),
        ("2027-01", 42_500),
    ]


async def test_rent_first_pays_all_rent_before_any_charge(transactions: Transactions) -> None:
    desk = await a_desk(transactions, "2027-01-05")
    await desk.bill("2026-12", "2027-01", policy=BillingPolicy(allocation="rent_first"))

    booked = await desk.pay(300_000, "R1")

    assert [(part.invoice.period, part.cents["rent"], part.cents["charge"]) for part in booked.parts] == [
        ("2026-12", 150_000, 0),
        ("2027-01", 150_000, 0),
    ]


async def test_money_before_its_invoice_waits_and_then_has_paid_in_time(transactions: Transactions) -> None:
    desk = await a_desk(transactions, "2026-11-28")
    booked = await desk.pay(157_500, "R1")
    await desk.bill("2026-12")

    assert (booked.payment.credit_cents, booked.invoice) == (157_500, None)
    assert (await desk.invoice())["paid_on"].isoformat() == "2026-11-28"
    [issued] = await desk.said("credit_issued")
    assert (issued["reason"], issued["balance_cents"]) == ("prepayment", 157_500)
    [recorded] = await desk.said("payment_recorded")
    assert (recorded["invoice_number"], recorded["invoice_id"]) == ("", str(desk.account_id))


async def test_a_payment_on_a_void_invoice_is_credit_with_a_warning(desk: Desk) -> None:
    await desk.void(NUMBER)
    booked = await desk.pay(157_500, "R1", invoice=NUMBER)

    assert booked.warning == f"{NUMBER} is void; the money is the account's"
    assert (await desk.invoice())["state"] == "void"
    assert await desk.credit() == 157_500
    assert await desk.said("invoice_paid") == []


async def test_voiding_after_a_part_was_paid_gives_it_to_the_next_invoice(desk: Desk) -> None:
    await desk.pay(50_000, "R1")
    await desk.void(NUMBER)
    await desk.bill("2026-12")

    assert (await desk.invoice("INV-2026-000002"))["paid_cents"] == 50_000
    assert (await desk.invoice())["paid_cents"] == 0
    assert await desk.credit() == 0


async def test_credit_survives_a_renewal(desk: Desk) -> None:
    await desk.pay(200_000, "R1")
    renewal = a_lease(
        property_id=desk.lease.property_id,
        starts_on=date(2027, 1, 1),
        renewal_of=desk.lease.lease_id,
        account_id=desk.account_id,
    )
    await know(desk.transactions, renewal)
    desk.lease = renewal
    await desk.bill("2027-01")

    january = await desk.invoice("INV-2027-000001")
    assert (january["lease_id"], january["paid_cents"]) == (renewal.lease_id, 42_500)
    assert await desk.credit() == 0


async def test_goodwill_is_credit_under_a_method_of_its_own(desk: Desk) -> None:
    await desk.pay(157_500, "R1")
    await desk.pay(5_000, "G1", method="goodwill", note="Two days without heating")

    [fact] = await desk.said("credit_issued")
    assert (fact["reason"], fact["amount_cents"]) == ("goodwill", 5_000)


async def test_payments_at_the_same_moment_never_pay_the_same_balance_twice(desk: Desk) -> None:
    await asyncio.gather(*(desk.pay(100_000, f"R{number}") for number in range(5)))

    assert (await desk.invoice())["paid_cents"] == 157_500
    assert await desk.credit() == 500_000 - 157_500
    assert len(await desk.said("invoice_paid")) == 1


async def test_one_reference_booked_six_times_at_once_is_booked_once(desk: Desk) -> None:
    booked = await asyncio.gather(*(desk.pay(10_000, "R1") for _ in range(6)))

    assert sorted(item.repeated for item in booked) == [False] + [True] * 5
    assert await count_rows(desk.transactions, payments) == 1


async def test_a_payment_during_an_invoice_run_never_waits_beside_an_open_invoice(
    transactions: Transactions,
) -> None:
    desk = await a_desk(transactions)

    await asyncio.gather(desk.bill("2026-12"), *(desk.pay(60_000, f"R{number}") for number in range(3)))

    assert (await desk.invoice())["state"] == "paid"
    assert await desk.credit() == 180_000 - 157_500


async def test_a_payment_during_a_fee_run_ends_as_one_before_or_after_it(transactions: Transactions) -> None:
    desk = await a_desk(transactions, "2026-12-20")
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    invoice = await desk.invoice()

    async def judge() -> None:
        async with desk.transactions.command("test") as tx:
            await apply_chunk(tx, {invoice["invoice_id"]: desk.clock.today})

    await asyncio.gather(judge(), desk.pay(157_500, "CHK-1", on="2026-12-01"), judge())

    assert sum(cents for _, cents in await desk.fees()) == 0
    assert (await desk.invoice())["state"] == "paid"


async def test_rent_issued_later_on_the_day_of_a_payment_still_comes_before_the_old_fee(
    transactions: Transactions,
) -> None:
    desk = await a_desk(transactions, "2026-12-20")
    fees = (Flat(amount=Fixed(5_000)),)
    await desk.bill("2026-12", policy=BillingPolicy(late_fee_rules=fees, allocation="rent_first"))
    await desk.pay(157_500, "CHK-1")
    desk.clock.today = date(2027, 1, 1)
    await desk.pay(5_000, "CHK-2")
    before = await desk.invoice()
    await desk.bill("2027-01")

    assert (before["state"], (await desk.invoice())["state"]) == ("paid", "open")
    assert (await desk.invoice("INV-2027-000001"))["paid_cents"] == 5_000
    assert await desk.drifts() == []


async def test_an_unknown_invoice_or_lease_is_refused(desk: Desk) -> None:
    with pytest.raises(InvoiceUnknown):
        await desk.pay(100, "R1", invoice="INV-2026-999999")
    with pytest.raises(AccountUnknown):
        await desk.pay(100, "R1", account_id=new_id())


@pytest.mark.parametrize("reference", ["", "   "])
def test_a_payment_without_a_reference_is_refused(reference: str) -> None:
    with pytest.raises(PaymentRefused, match="needs a reference"):
        check_payment(reference, 100, received_on=date(2026, 12, 1), today=date(2026, 12, 1))


def test_money_of_a_year_typed_wrongly_is_refused() -> None:
    with pytest.raises(PaymentRefused, match="before 1990"):
        check_payment("R", 100, received_on=date(1026, 2, 3), today=date(2026, 12, 1))
