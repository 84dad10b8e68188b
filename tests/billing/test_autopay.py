"""Each invoice is charged once, when it is due, for what is open then; and every answer ends in its state."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.billing.collector import _order
from services.billing.domain.autopay import Answer, Result
from services.billing.handlers import router
from services.billing.handlers.autopay import (
    AlreadyEnrolled,
    LeaseUnknown,
    NotEnrolled,
    end_enrolment,
)
from services.billing.store import AutopayStore, ChargeStore
from shared.identity import new_id
from tests.billing.autopay_desk import DUE, QUICK, RENT, Desk
from tests.support.builders import a_lease
from tests.support.eventually import eventually
from tests.support.messages import deliver

pytestmark = pytest.mark.servers

PAID = "billing.payment_recorded.v1"
FAILED = "billing.autopay_failed.v1"
OUTCOME = "scheduler.trigger_outcome.v1"


async def test_what_is_due_today_is_charged_and_booked(desk: Desk) -> None:
    invoice = await desk.planned()

    await desk.collect()

    [intent] = desk.stripe.charged
    [payment] = await desk.payments()
    assert intent["amount"] == RENT
    assert (payment["reference"], payment["method"]) == (f"stripe:{intent['id']}", "autopay")
    assert (payment["amount_cents"], payment["received_on"]) == (RENT, date(2026, 12, 1))
    assert (await desk.invoice(invoice))["state"] == "paid"
    assert await desk.states() == ["succeeded"]


async def test_the_payment_s_date_is_the_property_s_at_the_moment_of_the_charge(desk: Desk) -> None:
    await desk.planned()
    desk.stripe.clock = int(datetime(2026, 12, 2, 4, 30, tzinfo=UTC).timestamp())  # 23:30 of the 1st there

    await desk.collect()

    assert (await desk.payments())[0]["received_on"] == date(2026, 12, 1)


async def test_the_story_of_a_charge_is_that_of_its_trigger(desk: Desk) -> None:
    await desk.billed_and_enrolled()
    due = await desk.trigger()
    await desk.collect()

    charge = await desk.charge()
    assert charge["correlation_id"] == due.occurrence_id
    assert await desk.stories(PAID) == [due.occurrence_id]


async def test_the_same_trigger_twice_plans_one_charge(desk: Desk) -> None:
    await desk.billed_and_enrolled()

    first = await desk.trigger()
    await deliver(desk.transactions, router, first)
    await desk.trigger()

    assert await desk.states() == ["planned"]
    counts = [outcome["counts"] for outcome in await desk.said(OUTCOME)]
    assert [found["created"] for found in counts[-2:]] == [1, 0]


async def test_a_dry_trigger_plans_nothing_and_says_so(desk: Desk) -> None:
    await desk.billed_and_enrolled()

    await desk.trigger(dry_run=True)

    assert await desk.charges() == []
    assert (await desk.said(OUTCOME))[-1]["counts"] == {
        "examined": 1,
        "created": 1,
        "skipped": 0,
        "failed": 0,
    }


async def test_what_is_not_due_yet_at_its_property_waits(desk: Desk) -> None:
    desk.clock.at = datetime(2026, 12, 1, 4, 30, tzinfo=UTC)  # the 1st in London, the 30th in New York
    await desk.billed_and_enrolled()

    await desk.trigger()

    assert await desk.charges() == []


async def test_arrears_from_before_the_enrolment_are_not_charged(desk: Desk) -> None:
    invoice = await desk.bill()
    await desk.enrol(invoice["lease_id"], from_on=date(2026, 12, 2))

    await desk.trigger()

    assert await desk.charges() == []


async def test_another_property_is_left_alone(desk: Desk) -> None:
    await desk.billed_and_enrolled()

    await desk.trigger(property_id=new_id())

    assert await desk.charges() == []


async def test_only_what_is_open_when_its_turn_comes_is_charged(desk: Desk) -> None:
    invoice = await desk.planned()
    await desk.pay(invoice, 100_000)

    await desk.collect()

    assert [intent["amount"] for intent in desk.stripe.charged] == [RENT - 100_000]
    assert (await desk.invoice(invoice))["state"] == "paid"


async def test_what_was_paid_meanwhile_is_dropped_without_a_call(desk: Desk) -> None:
    invoice = await desk.planned()
    await desk.pay(invoice, RENT)

    await desk.collect()

    charge = await desk.charge()
    assert (charge["state"], charge["failure"]) == ("dropped", "paid_meanwhile")
    assert desk.stripe.requests == []


async def test_who_leaves_autopay_is_not_charged_any_more(desk: Desk) -> None:
    invoice = await desk.planned()
    async with desk.transactions.command("end") as tx:
        await end_enrolment(tx, invoice["lease_id"], "asked for it")

    await desk.collect()
    await desk.trigger()

    assert (await desk.charge())["failure"] == "enrolment_ended"
    assert desk.stripe.requests == []


async def test_a_decline_is_said_with_its_class_and_tried_again_three_days_later(desk: Desk) -> None:
    invoice = await desk.planned("pm_card_chargeDeclinedInsufficientFunds")
    await desk.collect()

    [fact] = await desk.said(FAILED)
    assert (fact["failure"], fact["next_attempt_on"]) == ("insufficient_funds", "2026-12-04")
    assert (fact["invoice_id"], fact["attempt"], fact["amount_cents"]) == (
        str(invoice["invoice_id"]),
        1,
        RENT,
    )
    assert fact["balance_cents"] == RENT
    assert await desk.payments() == []


async def test_the_next_attempts_come_on_their_days_and_end_with_the_third(desk: Desk) -> None:
    await desk.billed_and_enrolled("pm_card_chargeDeclined")
    made = []
    for _ in range(12):
        await desk.trigger()
        await desk.collect()
        made.append(len(await desk.charges()))
        desk.clock.at += timedelta(days=1)

    assert made == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3]
    assert [fact["next_attempt_on"] for fact in await desk.said(FAILED)][-1] is None


async def test_a_card_that_expired_is_not_tried_again(desk: Desk) -> None:
    await desk.planned("pm_card_chargeDeclinedExpiredCard")
    await desk.collect()
    await desk.later(days=5)
    await desk.trigger()

    assert len(await desk.charges()) == 1
    assert [fact["next_attempt_on"] for fact in await desk.said(FAILED)] == [None]


async def test_who_told_their_bank_to_stop_is_out_of_autopay(desk: Desk) -> None:
    await desk.planned("pm_card_revoked")

    await desk.collect()

    [enrolment] = await desk.enrolments()
    assert (enrolment["ended_on"], enrolment["ended_reason"]) == (date(2026, 12, 1), "consent_revoked")


async def test_a_new_method_begins_with_a_clean_slate(desk: Desk) -> None:
    invoice = await desk.planned("pm_card_chargeDeclinedExpiredCard")
    await desk.collect()
    async with desk.transactions.command("end") as tx:
        await end_enrolment(tx, invoice["lease_id"], "new card")
    await desk.enrol(invoice["lease_id"])

    await desk.trigger()
    await desk.collect()

    assert [(row["attempt"], row["state"]) for row in await desk.charges()] == [
        (1, "failed"),
        (2, "succeeded"),
    ]


async def test_a_gateway_that_is_down_for_hours_costs_no_attempt(desk: Desk) -> None:
    await desk.planned()
    await desk.stripe.stop()
    for _ in range(5):
        await desk.later(hours=1)
    waiting = await desk.charge()
    await desk.stripe.start()

    await desk.later(hours=1)

    assert (waiting["state"], waiting["attempt"]) == ("planned", 1)
    assert await desk.states() == ["succeeded"]
    assert await desk.said(FAILED) == []


async def test_a_refused_key_costs_no_attempt_either(desk: Desk) -> None:
    await desk.planned()
    desk.stripe.statuses = [401]
    await desk.collect()
    waiting = await desk.states()

    await desk.later(minutes=1)

    assert (waiting, await desk.states()) == (["planned"], ["succeeded"])


async def test_a_rate_limit_is_waited_out(desk: Desk) -> None:
    await desk.planned()
    desk.stripe.statuses, desk.stripe.headers = [429], {"Retry-After": "600"}
    await desk.collect()
    desk.stripe.headers = {}

    early, late = await desk.later(minutes=9), await desk.later(minutes=2)

    assert (early, late) == (0, 1)
    assert await desk.states() == ["succeeded"]


@pytest.mark.parametrize("mishap", ["drop_before", "drop_after", "garbage", "hang"])
async def test_an_answer_that_got_lost_charges_and_books_once(desk: Desk, mishap: Any) -> None:
    invoice = await desk.planned()
    desk.stripe.mishaps = [mishap]
    await desk.collect()
    in_doubt = await desk.states()

    for _ in range(3):
        await desk.later(minutes=6)

    assert in_doubt == ["unknown"]
    assert len(desk.stripe.charged) == len(await desk.payments()) == 1
    assert (await desk.invoice(invoice))["paid_cents"] == RENT


async def test_while_a_charge_is_in_doubt_no_other_is_made(desk: Desk) -> None:
    await desk.planned()
    desk.stripe.mishaps = ["drop_after"]
    await desk.collect()
    desk.stripe.down = True

    await desk.later(days=1)
    await desk.trigger()

    assert await desk.states() == ["unknown"]


async def test_a_charge_in_doubt_that_never_arrived_is_dropped_when_it_was_paid_meanwhile(desk: Desk) -> None:
    invoice = await desk.planned()
    desk.stripe.mishaps = ["drop_before"]
    await desk.collect()
    await desk.pay(invoice, RENT)

    await desk.later(minutes=6)

    assert (await desk.charge())["state"] == "dropped"
    assert desk.stripe.charged == []


async def test_a_charge_in_doubt_that_was_made_is_booked_although_it_was_paid_meanwhile(desk: Desk) -> None:
    invoice = await desk.planned()
    desk.stripe.mishaps = ["drop_after"]
    await desk.collect()
    await desk.pay(invoice, RENT)

    await desk.later(minutes=6)

    assert await desk.states() == ["succeeded"]
    assert sum(row["amount_cents"] for row in await desk.payments()) == 2 * RENT


async def test_a_bank_that_takes_days_is_asked_and_then_booked(desk: Desk) -> None:
    await desk.planned("pm_usBankAccount_success")
    await desk.collect()
    early = (await desk.states(), await desk.payments())
    desk.stripe.settle("pi_1")

    await desk.later(hours=7)

    assert early == (["processing"], [])
    assert await desk.states() == ["succeeded"]
    assert (await desk.payments())[0]["received_on"] == date(2026, 12, 1)


async def test_a_process_that_died_while_asking_leaves_a_charge_in_doubt_that_is_found(desk: Desk) -> None:
    await desk.planned()
    gateway = desk.gateway()
    async with desk.transactions.command("claim") as tx:
        charge = await ChargeStore(tx.connection).claim_next(["stripe"], tx.at, QUICK.lease)
    assert charge is not None
    await gateway.charge(_order(charge))  # and here it was killed
    await gateway.close()

    during = await desk.collect()
    await desk.later(seconds=21)
    in_doubt = await desk.states()
    await desk.later(minutes=2)

    assert during == 0
    assert in_doubt == ["unknown"]
    assert len(desk.stripe.charged) == len(await desk.payments()) == 1
    assert len(desk.stripe.charge_calls) == 1


async def test_two_collectors_at_once_charge_everything_once(desk: Desk) -> None:
    for _ in range(12):
        await desk.billed_and_enrolled()
    await desk.trigger()

    async with desk.collecting(), desk.collecting():
        await eventually(lambda: desk.all_are("succeeded"))

    assert len(desk.stripe.charge_calls) == len(desk.stripe.charged) == 12
    assert len(await desk.payments()) == 12


async def test_a_collector_is_woken_without_waiting_for_its_poll(desk: Desk) -> None:
    await desk.billed_and_enrolled()
    slow = type(QUICK)(workers=1, lease=QUICK.lease, poll_seconds=60.0)

    async with desk.collecting(slow):
        await asyncio.sleep(0.3)
        await desk.trigger()
        await eventually(lambda: desk.all_are("succeeded"), within=10)


async def test_a_charge_of_a_gateway_that_is_not_configured_stays_planned(desk: Desk) -> None:
    await desk.planned()

    assert not await desk.collector({}).collect_next()
    assert await desk.states() == ["planned"]


async def test_a_worker_that_was_given_up_cannot_put_a_charge_back(desk: Desk) -> None:
    await desk.planned()
    store = ChargeStore
    async with desk.transactions.command("claim") as tx:
        lost = await store(tx.connection).claim_next(["stripe"], tx.at, timedelta(seconds=-1))
    assert lost is not None
    await desk.later(seconds=5)
    await desk.later(minutes=2)

    collector = desk.collector()
    await collector._until_recorded(lost, Answer(Result.NOT_MADE))

    assert await desk.states() == ["succeeded"]


async def test_enrolling_twice_and_ending_what_is_not_there_are_refused(desk: Desk) -> None:
    invoice = await desk.billed_and_enrolled()

    with pytest.raises(AlreadyEnrolled):
        await desk.enrol(invoice["lease_id"])
    with pytest.raises(LeaseUnknown):
        await desk.enrol(new_id())
    async with desk.transactions.command("end") as tx:
        await end_enrolment(tx, invoice["lease_id"], "asked")
    with pytest.raises(NotEnrolled):
        async with desk.transactions.command("end") as tx:
            await end_enrolment(tx, invoice["lease_id"], "asked")


async def expected(desk: Desk, invoice: dict[str, Any]) -> date | None:
    async with desk.transactions.engine.connect() as connection:
        found = await AutopayStore(connection).expected([invoice["invoice_id"]])
    return found.get(invoice["invoice_id"])


async def test_a_reminder_learns_when_an_invoice_is_charged_by_itself(desk: Desk) -> None:
    desk.clock.at = DUE - timedelta(days=3)
    by_itself, by_hand = await desk.billed_and_enrolled(), await desk.bill(a_lease())

    assert await expected(desk, by_itself) == date(2026, 12, 1)
    assert await expected(desk, by_hand) is None


@pytest.mark.parametrize(
    ("method", "day"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", date(2026, 12, 4)),
        ("pm_card_chargeDeclinedExpiredCard", None),
        ("pm_card_visa", None),
    ],
)
async def test_after_a_failed_charge_reminders_resume_unless_it_is_tried_again(
    desk: Desk, method: str, day: date | None
) -> None:
    invoice = await desk.planned(method)
    await desk.collect()

    assert await expected(desk, invoice) == day
