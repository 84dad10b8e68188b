"""Rewards that were added later come to the same ledger from what billing says again, in any order."""

import random
from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.republishing import republish_invoices, republish_payments
from services.billing.store.invoices import Selection
from services.rewards.handlers import router
from services.rewards.schema import entries
from shared.contracts.base import Message, message_types
from tests.billing.desk import Desk as BillingDesk
from tests.billing.desk import a_desk
from tests.rewards.desk import Desk as RewardsDesk
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

POLICY = {
    "streaks": [{"months": 2, "amount_cents": 3_000}],
    "prepayments": [{"ahead_cents": 50_000, "amount_cents": 1_000}],
}
TAKEN = {item.topic for item in router.subscriptions}
KINDS = {found.topic: found for found in message_types()}


async def a_year(desk: BillingDesk) -> None:
    """Rent of 1,575.00: paid for a void invoice, ahead, late with a fee, bounced with one, and on time."""
    policy = BillingPolicy(late_fee_rules=(Flat(amount=Fixed(60_000)),), nsf_fee_cents=2_500)
    await desk.bill("2026-01", policy=policy)
    await desk.pay(157_500, "january", "2026-01-01")
    await desk.void("INV-2026-000001")  # what came for it pays February, and was not paid ahead
    for number, (period, cents, day) in enumerate(PAID, start=2):
        await desk.bill(period)
        desk.clock.today = date.fromisoformat(day)
        await desk.pay(cents, period, day)
        if period == "2026-06":
            await desk.take_back("2026-06", f"back {number}")


PAID = (
    ("2026-02", 100, "2026-02-01"),
    ("2026-03", 157_500, "2026-03-01"),
    ("2026-04", 400_000, "2026-04-01"),
    ("2026-05", 157_500, "2026-05-20"),
    ("2026-06", 157_500, "2026-06-01"),
    ("2026-07", 500_000, "2026-07-20"),
    ("2026-08", 157_500, "2026-08-01"),
    ("2026-09", 157_500, "2026-09-01"),
)


async def said(desk: BillingDesk, since: int = 0) -> list[Message]:
    """What rewards takes of all that billing has said."""
    bodies = (await emitted(desk.transactions))[since:]
    return [KINDS[topic].model_validate(body) for topic, body in bodies if topic in TAKEN]


async def ledger_after(databases: TestDatabases, facts: Iterable[Message]) -> list[dict[str, Any]]:
    """What an empty rewards database comes to: all but the moment of posting."""
    async with databases.transactions("rewards") as transactions:
        desk = RewardsDesk(transactions, {})
        await desk.agree(POLICY)
        for fact in facts:
            await deliver(transactions, router, fact)
        await desk.evaluate("2026-12-31")
        async with transactions.engine.connect() as connection:
            rows = await connection.execute(sa.select(entries).order_by(entries.c.sequence))
            return [dict(row) | {"posted_at": None} for row in rows.mappings()]


async def test_what_is_said_again_gives_the_same_reward_ledger(databases: TestDatabases) -> None:
    async with databases.transactions("billing") as transactions:
        desk = await a_desk(transactions, "2026-01-02")
        await a_year(desk)
        live = await said(desk)
        before = len(await emitted(desk.transactions))
        async with desk.transactions.command("test") as tx:
            await republish_invoices(tx, Selection())
            await republish_payments(tx, Selection())
        again = await said(desk, since=before)

    random.shuffle(again)
    heard = await ledger_after(databases, live)
    assert await ledger_after(databases, again) == heard
    assert {row["kind_of_rule"] for row in heard} == {"streak", "prepayment"}
