"""What comes back of a used balance: once for each reason, never more than was used, and said."""

from typing import Any

import pytest
import sqlalchemy as sa

from services.rewards.handlers.redeeming import NewRedemption, redeem
from services.rewards.schema import redemptions
from services.rewards.store.redemptions import Redemption
from shared.contracts.billing import PaymentReversed, RewardCreditRefused
from shared.contracts.scheduler import TriggerOutcome
from shared.identity import derived_id, new_id
from tests.rewards.desk import EVERY_THREE, LEASE, SALLY, Desk, bounced, issued, months, on_time, paid
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

RESTORED = "rewards.reward_restored.v1"


async def use(desk: Desk, cents: int | None = None) -> Redemption:
    """Three months on time earn 30.00, of which Sally uses some."""
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    async with desk.transactions.command("test") as tx:
        return (await redeem(tx, NewRedemption(tenant_id=SALLY, amount_cents=cents))).redemption


def reversed_at_billing(used: Redemption, number: int = 1, cents: int | None = None) -> PaymentReversed:
    """Somebody takes the payment that the redemption became off the account again."""
    payment = paid("2026-04-01", used.amount_cents, payment_id=used.redemption_id, method="reward")
    changes = {"reversal_id": derived_id("reversal", number), "method": "reward", "nsf_fee_cents": 0}
    return bounced(payment, "2026-04-03", cents).model_copy(update=changes)


def refused(used: Redemption, cents: int) -> RewardCreditRefused:
    """Billing could not book all of it."""
    return RewardCreditRefused(
        redemption_id=used.redemption_id,
        account_id=LEASE,
        tenant_id=SALLY,
        currency="USD",
        refused_cents=cents,
        booked_cents=used.amount_cents - cents,
        reason="more_than_open",
    )


async def restored(desk: Desk) -> list[tuple[int, int]]:
    """What came back and the balance after it, as the ledger has it; and the same was said."""
    posted = [(cents, balance) for kind, _, cents, balance in await desk.ledger() if kind == "restored"]
    said = [body for topic, body in await emitted(desk.transactions) if topic == RESTORED]
    assert [(body["amount_cents"], body["balance_cents"]) for body in said] == posted
    return posted


async def test_a_reversed_payment_gives_the_balance_back_once(desk: Desk) -> None:
    used = await use(desk, 2_500)

    await desk.hear(reversed_at_billing(used), reversed_at_billing(used))
    await desk.hear(reversed_at_billing(used))

    assert await restored(desk) == [(2_500, 3_000)]
    [entry] = [
        item for item in await desk.json("ledger", "--tenant", str(SALLY)) if item["kind"] == "restored"
    ]
    assert (entry["reason"], entry["decided_by"]) == ("payment_reversed", "billing")


async def test_two_parts_that_are_reversed_come_back_each(desk: Desk) -> None:
    used = await use(desk, 2_500)

    await desk.hear(reversed_at_billing(used, 1, 1_000), reversed_at_billing(used, 2, 1_500))

    assert sorted(await restored(desk)) in (
        [(1_000, 1_500), (1_500, 3_000)],
        [(1_000, 3_000), (1_500, 2_000)],
    )


@pytest.mark.parametrize("order", [1, -1])
async def test_what_was_refused_and_what_was_reversed_come_back_in_either_order(
    desk: Desk, order: int
) -> None:
    used = await use(desk, 2_500)

    for fact in [refused(used, 1_000), reversed_at_billing(used, cents=1_500)][::order]:
        await desk.hear(fact)

    assert (await restored(desk))[-1][1] == 3_000
    assert (await desk.standing()).redeemed_cents == 0


async def test_never_more_comes_back_than_was_used(desk: Desk) -> None:
    used = await use(desk, 2_500)

    await desk.hear(refused(used, 2_500), reversed_at_billing(used))

    assert await restored(desk) == [(2_500, 3_000)]


async def test_a_payment_of_money_that_is_reversed_gives_no_balance(desk: Desk) -> None:
    await use(desk, 2_500)

    await desk.hear(bounced(paid("2026-03-01"), "2026-03-05"))

    assert await restored(desk) == []


async def test_what_comes_back_pays_off_a_shortfall_first(desk: Desk) -> None:
    used = await use(desk)
    await desk.agree({"streaks": []})
    await desk.evaluate()  # what was used is not earned any more
    assert (await desk.standing()).shortfall_cents == 3_000

    await desk.hear(reversed_at_billing(used))

    standing = await desk.standing()
    assert (standing.balance_cents, standing.shortfall_cents) == (0, 0)


async def test_a_balance_that_was_taken_off_an_account_is_not_put_on_it_again_by_itself(desk: Desk) -> None:
    await desk.agree(EVERY_THREE | {"auto_apply": True})
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"))
    await desk.evaluate("2026-04-02")
    async with desk.transactions.engine.connect() as connection:
        identity = await connection.scalar(sa.select(redemptions.c.redemption_id))
    booked: dict[str, Any] = {"payment_id": identity, "method": "reward"}
    await desk.hear(paid("2026-04-02", 3_000, **booked))
    await desk.hear(bounced(paid("2026-04-02", 3_000, **booked), "2026-04-02"))

    said = await desk.evaluate("2026-04-03")

    assert [topic for topic, _ in said] == [TriggerOutcome.topic]
    assert (await desk.standing()).balance_cents == 3_000


async def test_a_reversal_is_known_by_its_id_and_not_by_its_message(desk: Desk) -> None:
    used = await use(desk, 2_500)
    again = reversed_at_billing(used).model_copy(update={"reversal_id": new_id(), "amount_cents": 1})

    await desk.hear(reversed_at_billing(used, cents=1))
    await desk.hear(again)

    assert await restored(desk) == [(1, 501), (1, 502)]
