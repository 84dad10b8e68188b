"""What rewards does on each message: facts are kept, the nightly evaluation posts what they amount to."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from services.rewards.domain.ledgers import NothingGranted
from services.rewards.handlers.by_hand import DecisionRefused, NewGrant, grant, revoke
from services.rewards.handlers.evaluating import CHUNK
from services.rewards.handlers.posting import Decision
from services.rewards.handlers.redeeming import NewRedemption, redeem
from services.rewards.schema import entries, invoices, policies, redemptions, standings
from shared.contracts.billing import RewardCreditRefused
from shared.contracts.rewards import CalculateRewards, RewardGranted, RewardRevoked
from shared.contracts.scheduler import RewardsDue, TriggerOutcome, TriggerStarted
from shared.identity import derived_id, new_id
from tests.rewards.desk import (
    ELM,
    EVERY_THREE,
    LEASE,
    SALLY,
    Desk,
    a_property,
    bounced,
    covered,
    fee,
    issued,
    months,
    noon,
    on_time,
    paid,
    reopened,
    voided,
    waived,
)
from tests.support.messages import count_rows, dead_letters, emitted

pytestmark = pytest.mark.servers

GRANTED, REVOKED, OUTCOME = RewardGranted.topic, RewardRevoked.topic, TriggerOutcome.topic
BECAUSE = Decision("the boiler", "Olga")
NOTHING = {"examined": 0, "granted": 0, "revoked": 0, "redeemed": 0, "failed": 0}


async def test_the_nightly_evaluation_grants_what_was_earned_and_says_so(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 7)))

    said = await desk.evaluate("2026-07-02")

    assert await desk.ledger() == [
        ("granted", "2026-03", 3_000, 3_000),
        ("granted", "2026-06", 3_000, 6_000),
    ]
    assert [topic for topic, _ in said] == [GRANTED, GRANTED, OUTCOME]
    assert said[-1][1]["counts"] == {"examined": 1, "granted": 2, "revoked": 0, "redeemed": 0, "failed": 0}
    standing = await desk.standing()
    assert (standing.streak, standing.balance_cents) == (7, 6_000)


async def test_a_second_evaluation_grants_nothing(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 6)))
    await desk.evaluate()

    said = await desk.evaluate()

    assert [topic for topic, _ in said] == [OUTCOME]


async def test_the_same_occurrence_again_opens_no_second_run(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    desk.evaluations -= 1  # the same occurrence, under another message

    assert await desk.evaluate() == []


async def test_the_same_facts_again_change_nothing(desk: Desk) -> None:
    facts = [
        *on_time(months(1, 3)),
        bounced(paid("2026-02-01"), "2026-02-09"),
        fee("2026-02"),
        waived("2026-02"),
    ]
    await desk.hear(*facts)
    before = await desk.rows()

    await desk.hear(*facts)

    assert await desk.rows() == before


async def test_a_trigger_dry_run_only_answers(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))

    said = await desk.evaluate(dry_run=True)

    assert [topic for topic, _ in said] == [OUTCOME]
    assert await desk.ledger() == []
    done = await desk.evaluate()
    assert said[-1][1]["counts"] == done[-1][1]["counts"] == NOTHING | {"examined": 1, "granted": 1}


async def test_a_bounced_payment_takes_back_what_depended_on_it_and_nothing_else(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 12)))
    await desk.evaluate()

    await desk.hear(bounced(paid("2026-06-01"), "2027-01-05"), reopened("2026-06"))
    said = await desk.evaluate()

    assert (await desk.ledger())[4:] == [("revoked", "2026-06", 3_000, 9_000)]
    [body] = [body for topic, body in said if topic == REVOKED]
    assert (body["rule"], body["cause"], body["cause_period"]) == ("streak:3", "unpaid", "2026-06")


async def test_rent_that_came_in_time_after_all_is_granted_again(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    await desk.hear(reopened("2026-03"))
    await desk.evaluate()

    await desk.hear(covered("2026-03", revision=3))
    await desk.evaluate()

    assert [kind for kind, *_ in await desk.ledger()] == ["granted", "revoked", "granted"]
    assert (await desk.standing()).balance_cents == 3_000


async def test_an_older_standing_changes_nothing_when_it_comes_last(desk: Desk) -> None:
    await desk.hear(issued("2026-03"), covered("2026-03", revision=3))
    await desk.hear(reopened("2026-03", revision=2))

    async with desk.transactions.engine.connect() as connection:
        found = (await connection.execute(sa.select(standings))).one()
    assert (found.revision, found.covered_on) == (3, date(2026, 3, 1))


async def test_a_voided_month_takes_its_grant_back(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()

    await desk.hear(voided("2026-03", "2026-04-01"))
    said = await desk.evaluate()

    assert [body["cause"] for topic, body in said if topic == REVOKED] == ["not_counted"]


async def test_what_was_redeemed_already_becomes_shortfall_and_the_next_grant_makes_it_good(
    desk: Desk,
) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    await use(desk, 2_000)

    await desk.hear(reopened("2026-03"))
    said = await desk.evaluate()

    [body] = [body for topic, body in said if topic == REVOKED]
    assert (body["missing_cents"], body["balance_cents"], body["shortfall_cents"]) == (2_000, 0, 2_000)
    await desk.hear(covered("2026-03", revision=3))
    await desk.evaluate()
    assert (await desk.ledger())[-1] == ("granted", "2026-03", 3_000, 1_000)


async def test_a_trigger_that_comes_late_does_not_unsettle_what_was_settled(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate("2026-03-02")

    await desk.evaluate("2026-02-15")

    assert await desk.ledger() == [("granted", "2026-03", 3_000, 3_000)]


async def test_only_differences_of_the_month_that_is_asked_for_are_posted(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 6)))

    await desk.evaluate(period="2026-06")

    assert await desk.ledger() == [("granted", "2026-06", 3_000, 3_000)]


async def test_only_tenants_of_the_zone_that_is_asked_for_are_evaluated(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))

    await desk.evaluate(only_zone="America/Denver")
    assert await desk.ledger() == []

    await desk.evaluate(only_zone="America/New_York")
    assert len(await desk.ledger()) == 1


async def test_an_evaluation_that_fails_leaves_nothing_behind(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    async with desk.transactions.engine.begin() as connection:
        bad = {"scope_id": ELM, "version": 1, "effective_on": date(2020, 1, 1), "terms": {"streaks": 7}}
        row = bad | {"reason": "", "set_by": "x", "set_at": noon("2026-01-01")}
        await connection.execute(sa.insert(policies).values(row))
    before = await desk.rows()

    command = CalculateRewards(run_id=new_id(), chunk=1, as_of=noon("2026-04-01"), tenant_ids=(SALLY,))
    await desk.hear(command)

    assert await desk.rows() == before | {"outbox": before["outbox"] + 1}
    [*_, (topic, said)] = await emitted(desk.transactions)
    assert (topic, said["state"]) == (OUTCOME, "failed")
    assert await count_rows(desk.transactions, dead_letters) == 1


async def test_a_fact_that_cannot_be_kept_leaves_nothing_behind(desk: Desk) -> None:
    await desk.hear(issued("2026-03", total_cents=10**30))

    assert await count_rows(desk.transactions, invoices) == 0
    assert await count_rows(desk.transactions, dead_letters) == 1


async def test_an_older_property_changes_nothing(desk: Desk) -> None:
    await desk.hear(a_property(version=3, time_zone="America/Denver"))
    await desk.hear(a_property(version=2, time_zone="UTC"))
    await desk.hear(*on_time(months(1, 3)))

    await desk.evaluate(only_zone="America/Denver")

    assert len(await desk.ledger()) == 1


async def test_a_changed_amount_takes_the_place_of_the_old_one(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()

    await desk.agree({"streaks": [{"months": 3, "amount_cents": 5_000}]})
    said = await desk.evaluate()

    assert (await desk.ledger())[1:] == [
        ("granted", "2026-03", 5_000, 8_000),
        ("revoked", "2026-03", 3_000, 5_000),
    ]
    assert [body["cause"] for topic, body in said if topic == REVOKED] == ["amount"]


async def test_the_ledger_refuses_to_be_changed(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()

    with pytest.raises(sa.exc.DBAPIError, match="only added to"):
        async with desk.transactions.engine.begin() as connection:
            await connection.execute(sa.update(entries).values(amount_cents=1))


async def use(desk: Desk, cents: int | None = None, **fields: Any) -> Any:
    async with desk.transactions.command("test") as tx:
        return await redeem(tx, NewRedemption(tenant_id=SALLY, amount_cents=cents, **fields))


async def test_the_outcome_of_several_chunks_is_said_once_with_the_sums_of_all(desk: Desk) -> None:
    everybody = tuple(sorted(derived_id("tenant", number) for number in range(CHUNK + 1)))
    await desk.hear(*(fact.model_copy(update={"tenant_ids": everybody}) for fact in on_time(months(1, 3))))

    granted = await desk.evaluate()
    await desk.hear(reopened("2026-03"))
    revoked = await desk.evaluate()

    assert [topic for topic, _ in granted] == [GRANTED] * (CHUNK + 1) + [OUTCOME]
    assert granted[-1][1]["counts"] == dict(NOTHING, examined=CHUNK + 1, granted=CHUNK + 1)
    assert revoked[-1][1]["counts"] == dict(NOTHING, examined=CHUNK + 1, revoked=CHUNK + 1)


async def test_a_run_says_that_it_began_unless_it_is_over_at_once(desk: Desk) -> None:
    await desk.evaluate()
    nobody = await emitted(desk.transactions)
    await desk.hear(*on_time(months(1, 3)))

    await desk.evaluate()

    began = [body for topic, body in await emitted(desk.transactions) if topic == TriggerStarted.topic]
    assert [topic for topic, _ in nobody] == [OUTCOME]
    assert [(body["consumer"], body["trigger"]) for body in began] == [("rewards", RewardsDue.topic)]


async def test_what_billing_cannot_book_comes_back_once(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    used = await use(desk)
    refused = RewardCreditRefused(
        redemption_id=used.redemption.redemption_id,
        account_id=LEASE,
        tenant_id=SALLY,
        currency="USD",
        refused_cents=1_000,
        booked_cents=2_000,
        reason="more_than_open",
    )

    await desk.hear(refused)
    await desk.hear(refused)

    assert (await desk.ledger())[1:] == [
        ("redeemed", f"{used.redemption.redeemed_on:%Y-%m}", 3_000, 0),
        ("restored", f"{used.redemption.redeemed_on:%Y-%m}", 1_000, 1_000),
    ]
    assert [topic for topic, _ in await emitted(desk.transactions)][-1] == "rewards.reward_restored.v1"


async def test_the_same_reference_redeems_once(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()

    first, second = await use(desk, 1_000, reference="gift-7"), await use(desk, 1_000, reference="gift-7")

    assert (first.repeated, second.repeated) == (False, True)
    assert (await desk.standing()).balance_cents == 2_000


async def test_what_is_given_by_hand_stays_and_what_is_taken_back_by_hand_stays_away(desk: Desk) -> None:
    await desk.hear(*on_time(months(1, 3)))
    await desk.evaluate()
    async with desk.transactions.command("test") as tx:
        given = await grant(tx, NewGrant(tenant_id=SALLY, amount_cents=500, decision=BECAUSE, reference="x"))
    async with desk.transactions.engine.connect() as connection:
        query = sa.select(entries.c.entry_id).where(entries.c.period == "2026-03")
        earned = (await connection.execute(query)).scalar_one()
    async with desk.transactions.command("test") as tx:
        await revoke(tx, earned, BECAUSE)

    said = await desk.evaluate()

    assert [topic for topic, _ in said] == [OUTCOME]
    assert (await desk.standing()).balance_cents == 500 == given.amount_cents


async def test_a_decision_needs_a_reason_and_something_to_decide(desk: Desk) -> None:
    async with desk.transactions.command("test") as tx:
        with pytest.raises(DecisionRefused):
            await grant(tx, NewGrant(tenant_id=SALLY, amount_cents=500, decision=Decision(" ", "Olga")))
        with pytest.raises(NothingGranted):
            await revoke(tx, new_id(), BECAUSE)


AUTO = EVERY_THREE | {"auto_apply": True}


async def test_a_balance_pays_what_is_open_by_itself_and_no_more(desk: Desk) -> None:
    await desk.agree(AUTO)
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"), paid("2026-04-01", 98_000))

    said = await desk.evaluate("2026-04-02")

    [used] = [body for topic, body in said if topic == "rewards.reward_redeemed.v1"]
    assert (used["amount_cents"], used["against"], used["automatic"]) == (2_000, "rent", True)
    assert (await desk.standing()).balance_cents == 1_000


async def test_money_that_is_on_its_way_is_not_sent_again(desk: Desk) -> None:
    await desk.agree(AUTO)
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"), paid("2026-04-01", 98_000))
    await desk.evaluate("2026-04-02")

    await desk.evaluate("2026-04-03")

    assert await count_rows(desk.transactions, redemptions) == 1


async def test_after_a_refusal_a_balance_waits_for_the_next_invoice(desk: Desk) -> None:
    await desk.agree(AUTO)
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"))
    await desk.evaluate("2026-04-02")
    refusal = {"account_id": LEASE, "tenant_id": SALLY, "currency": "USD", "refused_cents": 3_000}
    identity = derived_id("redemption", SALLY, LEASE, date(2026, 4, 2))
    await desk.hear(RewardCreditRefused(redemption_id=identity, reason="nothing_open", **refusal))

    await desk.evaluate("2026-04-03")

    assert await count_rows(desk.transactions, redemptions) == 1
    assert (await desk.standing()).balance_cents == 3_000


async def test_where_a_discount_is_a_fee_nothing_goes_against_rent(desk: Desk) -> None:
    await desk.agree(AUTO)
    await desk.agree({"discount_is_fee": True, "redemption": "off_ledger"}, property_id=ELM)
    await desk.hear(*on_time(months(1, 3)), issued("2026-04"))
    await desk.evaluate("2026-04-02")

    used = await use(desk)

    assert used.redemption.against == "off_ledger"
    assert not used.redemption.automatic
