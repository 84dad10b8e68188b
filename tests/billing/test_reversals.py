"""Money that is gone again: from the day it became known, once per reference, to the cent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.billing.domain.payments import ReversalRefused
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.reversals import PaymentUnknown
from services.billing.schema import payment_reversals
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.support.messages import count_rows, emitted

NUMBER = "INV-2026-000001"


@pytest.fixture
async def desk(transactions: Transactions) -> AsyncIterator[Desk]:
    """December is paid in full on the first; it is the ninth. A returned payment costs $30.00."""
    found = await a_desk(transactions)
    await found.bill("2026-12", policy=BillingPolicy(nsf_fee_cents=3_000))
    await found.pay(157_500, "CHK-1")
    found.clock.today = found.clock.today.replace(day=9)
    yield found
    assert await found.drifts() == [], "whatever happened, every balance is what its facts come to"


async def test_a_bounced_payment_opens_its_invoice_with_the_due_date_it_had(desk: Desk) -> None:
    before = await desk.invoice()
    await desk.take_back("CHK-1", "RET-1", kind="charged_back")

    after = await desk.invoice()
    assert (after["state"], after["paid_cents"], after["paid_on"]) == ("open", 0, None)
    assert after["due_on"] == before["due_on"]
    assert after["overdue_on"].isoformat() == "2026-12-02"
    [fact] = await desk.said("payment_reversed")
    assert (fact["known_on"], fact["reopened_invoice_ids"]) == ("2026-12-09", [str(after["invoice_id"])])
    assert [item["covered_on"] for item in await desk.said("rent_standing_changed")] == ["2026-12-01", None]


async def test_what_was_paid_until_then_stays_on_record(desk: Desk) -> None:
    await desk.take_back("CHK-1", "RET-1", kind="charged_back")

    rent = [row for row in await desk.allocations() if row[1] == "rent"]
    assert rent == [(NUMBER, "rent", "2026-12-01", 150_000), (NUMBER, "rent", "2026-12-09", -150_000)]


async def test_a_returned_payment_costs_the_fee_of_the_policy_once(desk: Desk) -> None:
    first = await desk.take_back("CHK-1", "RET-1", 100_000)
    second = await desk.take_back("CHK-1", "RET-2")

    assert (first.nsf_fee_cents, second.nsf_fee_cents) == (3_000, 0)
    assert await desk.fees() == [("nsf_fee", 3_000)]
    assert (await desk.invoice())["total_cents"] == 160_500


async def test_the_same_reversal_again_changes_nothing(desk: Desk) -> None:
    await desk.take_back("CHK-1", "RET-1")
    before = await emitted(desk.transactions)

    again = await desk.take_back("CHK-1", "RET-1")

    assert again.repeated
    assert await desk.fees() == [("nsf_fee", 3_000)]
    assert await emitted(desk.transactions) == before


async def test_one_reversal_reported_six_times_at_once_is_booked_once(desk: Desk) -> None:
    done = await asyncio.gather(*(desk.take_back("CHK-1", "RET-1") for _ in range(6)))

    assert sorted(item.repeated for item in done) == [False] + [True] * 5
    assert await count_rows(desk.transactions, payment_reversals) == 1


async def test_a_reference_of_another_reversal_is_refused(desk: Desk) -> None:
    await desk.take_back("CHK-1", "RET-1", 50_000)

    with pytest.raises(ReversalRefused, match="already used"):
        await desk.take_back("CHK-1", "RET-1", 60_000)
    with pytest.raises(ReversalRefused, match="already used"):
        await desk.take_back("CHK-1", "RET-1", kind="refunded")


async def test_more_than_is_left_is_refused_and_leaves_nothing(desk: Desk) -> None:
    await desk.take_back("CHK-1", "REF-1", 100_000, kind="refunded")
    before = await emitted(desk.transactions)

    with pytest.raises(ReversalRefused, match=r"only 575\.00 is left"):
        await desk.take_back("CHK-1", "REF-2", 57_501, kind="refunded")

    assert await count_rows(desk.transactions, payment_reversals) == 1
    assert await emitted(desk.transactions) == before


async def test_nothing_is_taken_back_twice(desk: Desk) -> None:
    await desk.take_back("CHK-1", "RET-1")

    with pytest.raises(ReversalRefused, match="nothing is left"):
        await desk.take_back("CHK-1", "RET-2")


async def test_a_partial_refund_takes_credit_first_and_then_the_newest_allocation(desk: Desk) -> None:
    await desk.pay(2_500, "CHK-2")
    await desk.take_back("CHK-2", "REF-1", 1_000, kind="refunded")
    credit_only = await desk.credit(), (await desk.invoice())["state"]
    await desk.take_back("CHK-1", "REF-2", 8_000, kind="refunded")

    assert credit_only == (1_500, "paid")
    # The $75.00 for parking went on last and come off first; the other $15.00 of credit fill a part again.
    after = await desk.invoice()
    assert (after["paid_cents"], await desk.credit()) == (157_500 - 8_000 + 1_500, 0)


async def test_credit_pays_what_a_bounce_opened_from_that_day_on(desk: Desk) -> None:
    await desk.pay(157_500, "CHK-2")
    await desk.take_back("CHK-1", "CB-1", kind="charged_back")

    after = await desk.invoice()
    assert (after["state"], after["paid_on"].isoformat()) == ("paid", "2026-12-09")
    assert await desk.credit() == 0


async def test_a_charge_back_after_the_month_is_over_opens_the_old_invoice(desk: Desk) -> None:
    await desk.bill("2027-01")
    desk.clock.today = desk.clock.today.replace(year=2027, month=3)
    await desk.take_back("CHK-1", "CB-1", kind="charged_back")

    assert (await desk.invoice())["state"] == "open"
    assert (await desk.invoice())["due_on"].isoformat() == "2026-12-01"


async def test_a_reversal_before_its_payment_came_is_refused(desk: Desk) -> None:
    desk.clock.today = desk.clock.today.replace(month=11)

    with pytest.raises(ReversalRefused, match="before the payment was received"):
        await desk.take_back("CHK-1", "RET-1")


async def test_an_unknown_payment_is_refused(desk: Desk) -> None:
    with pytest.raises(PaymentUnknown):
        await desk.take_back("CHK-9", "RET-1")


async def test_a_payment_and_its_reversal_at_once_leave_every_cent_somewhere(desk: Desk) -> None:
    await asyncio.gather(
        desk.take_back("CHK-1", "CB-1", 100_000, kind="charged_back"),
        desk.pay(100_000, "CHK-2"),
        desk.take_back("CHK-1", "CB-2", 57_500, kind="charged_back"),
        desk.pay(60_000, "CHK-3"),
    )

    assert (await desk.invoice())["paid_cents"] + await desk.credit() == 160_000
    assert (await desk.invoice())["state"] == "paid"
