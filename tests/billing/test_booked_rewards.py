"""Redeemed rewards pay what is open, once, and never become credit; what is said of rent has an order."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.billing.handlers import router
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.reversals import NewReversal, reverse_payment
from services.billing.schema import accounts, invoices, payments, reward_bookings
from shared.contracts.billing import (
    PaymentRecorded,
    PaymentReversed,
    RentStandingChanged,
    RewardCreditRefused,
)
from shared.contracts.rewards import RewardRedeemed
from shared.identity import derived_id, new_id
from shared.messaging.transaction import Transactions
from tests.billing.late_ledger import LateLedger, a_policy, noon
from tests.support.messages import count_rows, dead_letters, deliver, emitted

pytestmark = pytest.mark.servers


@pytest.fixture
async def ledger(transactions: Transactions) -> LateLedger:
    """An account in New York."""
    return await LateLedger(transactions).open()


def redeemed(ledger: LateLedger, cents: int, **changes: Any) -> RewardRedeemed:
    """A tenant uses a reward on the tenth of March."""
    values: dict[str, Any] = {
        "entry_id": new_id(),
        "tenant_id": derived_id("tenant"),
        "sequence": 2,
        "property_id": ledger.property_id,
        "lease_id": ledger.account_id,
        "currency": "USD",
        "amount_cents": cents,
        "balance_cents": 0,
        "posted_on": noon("2025-03-10").date(),
        "redemption_id": derived_id("redemption", cents),
        "account_id": ledger.account_id,
        "against": "rent",
        "redeemed_on": noon("2025-03-10").date(),
    }
    return RewardRedeemed(**values | changes)


async def said(ledger: LateLedger, topic: str) -> list[dict[str, Any]]:
    return [body for found, body in await emitted(ledger.transactions) if found == topic]


async def kept(ledger: LateLedger, invoice: UUID) -> Any:
    async with ledger.transactions.engine.connect() as connection:
        return (await connection.execute(sa.select(invoices).where(invoices.c.invoice_id == invoice))).one()


async def test_a_reward_pays_rent_under_its_own_method_and_id(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(late_fee_rules=()))
    fact = redeemed(ledger, 2_500)

    await deliver(ledger.transactions, router, fact)

    assert (await kept(ledger, invoice)).paid_cents == 2_500
    [body] = await said(ledger, PaymentRecorded.topic)
    assert (body["method"], body["payment_id"]) == ("reward", str(fact.redemption_id))
    assert body["received_on"] == "2025-03-10"
    assert await said(ledger, RewardCreditRefused.topic) == []


async def test_the_same_redemption_again_books_nothing(ledger: LateLedger) -> None:
    await ledger.invoice(policy=a_policy(late_fee_rules=()))
    fact = redeemed(ledger, 2_500)

    for message_id in (new_id(), new_id()):
        await deliver(ledger.transactions, router, fact, message_id=message_id)

    assert await count_rows(ledger.transactions, payments) == 1


async def test_what_is_more_than_open_is_given_back_and_never_credit(ledger: LateLedger) -> None:
    await ledger.invoice(policy=a_policy(late_fee_rules=()), rent_cents=2_000)

    await deliver(ledger.transactions, router, redeemed(ledger, 2_500))

    [body] = await said(ledger, RewardCreditRefused.topic)
    assert (body["booked_cents"], body["refused_cents"], body["reason"]) == (2_000, 500, "more_than_open")
    async with ledger.transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(accounts.c.credit_cents)) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "nothing_open"),
        ({"account_id": derived_id("nobody")}, "account_unknown"),
        ({"currency": "EUR"}, "other_currency"),
    ],
)
async def test_what_cannot_be_booked_is_given_back_once(
    ledger: LateLedger, changes: dict[str, Any], reason: str
) -> None:
    fact = redeemed(ledger, 2_500, **changes)

    for message_id in (new_id(), new_id()):
        await deliver(ledger.transactions, router, fact, message_id=message_id)

    assert [body["reason"] for body in await said(ledger, RewardCreditRefused.topic)] == [reason]
    assert await count_rows(ledger.transactions, payments) == 0


async def test_off_the_ledger_nothing_is_booked(ledger: LateLedger) -> None:
    await ledger.invoice()

    await deliver(ledger.transactions, router, redeemed(ledger, 2_500, against="off_ledger"))

    assert await count_rows(ledger.transactions, reward_bookings) == 0
    assert await emitted(ledger.transactions) == []


async def test_against_fees_only_no_rent_is_paid(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    await ledger.run("2025-03-09")  # a fee of fifty

    await deliver(ledger.transactions, router, redeemed(ledger, 8_000, against="fees"))

    found = await kept(ledger, invoice)
    assert (found.fee_cents, found.paid_cents, found.rent_paid_on) == (5_000, 5_000, None)
    [body] = await said(ledger, RewardCreditRefused.topic)
    assert (body["booked_cents"], body["refused_cents"]) == (5_000, 3_000)


async def test_taking_a_reward_back_opens_the_rent_again_and_costs_no_fee_for_a_returned_payment(
    ledger: LateLedger,
) -> None:
    invoice = await ledger.invoice(policy=a_policy(late_fee_rules=(), nsf_fee_cents=2_500))
    fact = redeemed(ledger, 2_500)
    await deliver(ledger.transactions, router, fact)

    async with ledger.transactions.command("test") as tx:
        back = NewReversal(
            payment=str(fact.redemption_id), reference="back", kind="returned", reason="Not his"
        )
        await reverse_payment(tx, back)

    found = await kept(ledger, invoice)
    assert (found.paid_cents, found.fee_cents) == (0, 0)
    [body] = await said(ledger, PaymentReversed.topic)
    assert (body["payment_id"], body["method"]) == (str(fact.redemption_id), "reward")
    assert (body["amount_cents"], body["nsf_fee_cents"]) == (2_500, 0)


async def test_a_reward_that_cannot_be_kept_leaves_nothing_behind(ledger: LateLedger) -> None:
    await ledger.invoice(policy=a_policy(late_fee_rules=()))
    tomorrow = noon("2199-01-01").date()  # a payment of days to come is refused as a defect of the message

    await deliver(ledger.transactions, router, redeemed(ledger, 2_500, redeemed_on=tomorrow))

    assert await count_rows(ledger.transactions, reward_bookings) == 0
    assert await count_rows(ledger.transactions, payments) == 0
    assert await count_rows(ledger.transactions, dead_letters) == 1


async def test_what_is_said_of_rent_has_a_revision_that_grows(ledger: LateLedger) -> None:
    await ledger.invoice(policy=a_policy(late_fee_rules=()))
    payment = await ledger.pay(100_000, "2025-03-01")
    await ledger.bounce(payment, 100_000, "2025-03-05")
    await ledger.pay(100_000, "2025-03-06")

    found = [(body["revision"], body["covered_on"]) for body in await said(ledger, RentStandingChanged.topic)]

    assert found == [(1, "2025-03-01"), (2, None), (3, "2025-03-06")]


async def test_a_payment_of_a_person_still_covers_what_a_reward_may_not(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    await ledger.run("2025-03-09")
    await deliver(ledger.transactions, router, redeemed(ledger, 5_000, against="fees"))

    async with ledger.transactions.command("test") as tx:
        await record_payment(
            tx, NewPayment(reference="bank", amount_cents=100_000, account_id=ledger.account_id)
        )

    assert (await kept(ledger, invoice)).state == "paid"
