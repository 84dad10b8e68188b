"""Stripe may tell of a charge twice, late, or before we know of it ourselves: the books come out the same."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx
import pytest

from services.billing.api import LARGEST_BODY, StripeWebhooks, routes
from services.billing.gateways.stripe_webhooks import read_event
from services.billing.handlers.webhooks import take_event
from services.billing.schema import payment_reversals, webhook_events
from shared.http import HttpServer
from shared.identity import new_id
from tests.billing.autopay_desk import DUE, RENT, Desk
from tests.billing.stripe_server import event, signature
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

SECRET = "whsec_test"
NOW = int(DUE.timestamp())


@dataclass
class Door:
    """Billing's port, as Stripe sees it."""

    url: str
    desk: Desk
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def send(self, body: bytes, header: str | None = None) -> httpx.Response:
        stamp = int(self.desk.clock.at.timestamp())
        given = signature(body, SECRET, at=stamp) if header is None else header
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"{self.url}/webhooks/stripe", content=body, headers={"Stripe-Signature": given}
            )

    async def tell(self, kind: str, thing: dict[str, Any], event_id: str | None = None) -> str:
        """An event of now; what came of it."""
        stamp = int(self.desk.clock.at.timestamp())
        body = event(kind, thing, event_id=event_id or f"evt_{next(self.ids)}", created=stamp)
        answer = await self.send(body)
        assert answer.status_code == 200
        return str(answer.json()["status"])

    async def tell_of_refunds(self, total: int) -> str:
        return await self.tell("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": total})

    async def tell_of_dispute(self, kind: str, status: str, reason: str = "fraudulent") -> str:
        dispute = {"id": "dp_1", "payment_intent": "pi_1", "amount": RENT, "status": status, "reason": reason}
        return await self.tell(f"charge.dispute.{kind}", dispute)


@pytest.fixture
async def door(desk: Desk) -> AsyncIterator[Door]:
    webhooks = StripeWebhooks(desk.transactions, ["whsec_next", SECRET])
    server = HttpServer("billing", routes(webhooks), host="127.0.0.1", port=0, fixed=False)
    await server.start()
    yield Door(f"http://127.0.0.1:{server.port}", desk)
    await server.stop()


async def reversals(desk: Desk) -> list[tuple[str, int, str]]:
    rows = await desk.rows(payment_reversals)
    return sorted((row["kind"], row["amount_cents"], row["reference"]) for row in rows)


async def in_doubt(desk: Desk) -> dict[str, Any]:
    """A charge that Stripe made and of which we had no answer."""
    await desk.planned()
    desk.stripe.mishaps = ["drop_after"]
    await desk.collect()
    [intent] = desk.stripe.charged
    return intent


async def charged(desk: Desk) -> dict[str, Any]:
    invoice = await desk.planned()
    await desk.collect()
    return invoice


async def test_a_success_that_is_told_before_our_own_answer_is_booked_once(desk: Desk, door: Door) -> None:
    invoice = await desk.planned()
    desk.stripe.mishaps = ["hold"]
    collecting = asyncio.create_task(desk.collect())
    await eventually(desk.stripe.reached.is_set)
    [intent] = desk.stripe.charged

    told = await door.tell("payment_intent.succeeded", intent)
    before = await desk.states()
    desk.stripe.released.set()
    await collecting

    assert (told, before) == ("done", ["succeeded"])
    assert len(await desk.payments()) == 1
    assert (await desk.invoice(invoice))["paid_cents"] == RENT


async def test_a_charge_in_doubt_is_resolved_by_the_webhook(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)

    await door.tell("payment_intent.succeeded", intent)
    await desk.later(minutes=10)

    assert await desk.states() == ["succeeded"]
    [payment] = await desk.payments()
    assert (payment["reference"], payment["received_on"]) == ("stripe:pi_1", date(2026, 12, 1))
    assert len(desk.stripe.charge_calls) == 1


async def test_what_is_told_is_of_the_story_of_the_charge(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)

    await door.tell("payment_intent.succeeded", intent)

    charge = await desk.charge()
    assert await desk.stories("billing.payment_recorded.v1") == [charge["correlation_id"]]


async def test_the_same_event_twice_changes_nothing(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)

    answers = [await door.tell("payment_intent.succeeded", intent, "evt_x") for _ in range(3)]

    assert answers == ["done", "repeat", "repeat"]
    assert len(await desk.payments()) == 1


async def test_the_same_event_many_times_at_once_is_taken_once(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)

    tells = (door.tell("payment_intent.succeeded", intent, "evt_x") for _ in range(6))
    answers = await asyncio.gather(*tells)

    assert sorted(answers) == ["done", *["repeat"] * 5]
    assert len(await desk.payments()) == 1


async def test_a_success_and_a_failure_in_either_order_leave_a_success(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)
    failed = intent | {"status": "requires_payment_method", "last_payment_error": {"type": "card_error"}}

    await door.tell("payment_intent.payment_failed", failed)
    between = await desk.states()
    await door.tell("payment_intent.succeeded", intent)
    await door.tell("payment_intent.payment_failed", failed)

    assert (between, await desk.states()) == (["failed"], ["succeeded"])
    assert len(await desk.payments()) == 1


async def test_a_failure_that_both_tell_of_is_said_once(desk: Desk, door: Door) -> None:
    await desk.planned("pm_card_chargeDeclined")
    await desk.collect()
    [intent] = desk.stripe.intents.values()

    await door.tell("payment_intent.payment_failed", intent)

    assert len(await desk.said("billing.autopay_failed.v1")) == 1


async def test_a_bank_s_late_yes_or_no_is_heard(desk: Desk, door: Door) -> None:
    await desk.planned("pm_usBankAccount_success")
    await desk.collect()
    [intent] = desk.stripe.intents.values()

    await door.tell("payment_intent.processing", intent)
    await door.tell("payment_intent.succeeded", desk.stripe.settle("pi_1"))

    assert await desk.states() == ["succeeded"]


async def test_what_is_not_ours_is_kept_as_such_and_not_sent_again(desk: Desk, door: Door) -> None:
    foreign = {"id": "pi_9", "status": "succeeded", "amount": 5, "created": NOW, "metadata": {}}

    answers = [
        await door.tell("payment_intent.succeeded", foreign),
        await door.tell("customer.created", {"id": "cus_1"}),
    ]

    rows = await desk.rows(webhook_events)
    assert answers == ["not_ours", "ignored"]
    assert sorted(row["outcome"] for row in rows) == ["ignored", "not_ours"]
    assert await desk.payments() == []


async def test_a_refund_takes_back_its_part_once(desk: Desk, door: Door) -> None:
    invoice = await charged(desk)

    await door.tell_of_refunds(50_000)
    await door.tell_of_refunds(50_000)

    assert await reversals(desk) == [("refunded", 50_000, "stripe:pi_1:refunded:50000")]
    assert (await desk.invoice(invoice))["paid_cents"] == RENT - 50_000


@pytest.mark.parametrize("order", list(itertools.permutations([40_000, 90_000, RENT])))
async def test_refunds_in_any_order_come_to_their_sum(desk: Desk, door: Door, order: tuple[int, ...]) -> None:
    await charged(desk)

    for total in order:
        await door.tell_of_refunds(total)

    assert sum(cents for _, cents, _ in await reversals(desk)) == RENT


async def test_a_refund_that_is_told_before_the_payment_waits_for_it(desk: Desk, door: Door) -> None:
    intent = await in_doubt(desk)

    told = await door.tell_of_refunds(50_000)
    await door.tell("payment_intent.succeeded", intent)

    assert told == "waiting"
    assert [cents for _, cents, _ in await reversals(desk)] == [50_000]
    assert {row["outcome"] for row in await desk.rows(webhook_events)} == {"done"}


async def test_a_refund_waits_also_for_our_own_look_up(desk: Desk, door: Door) -> None:
    await in_doubt(desk)
    await door.tell_of_refunds(50_000)

    await desk.later(minutes=10)

    assert [cents for _, cents, _ in await reversals(desk)] == [50_000]


async def test_a_refund_and_its_payment_that_come_at_one_moment_do_not_miss_each_other(desk: Desk) -> None:
    intent = await in_doubt(desk)
    refund = event("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 700}, created=NOW)

    async def book() -> str:
        body = event("payment_intent.succeeded", intent, event_id="evt_2", created=NOW)
        async with desk.transactions.command("success") as tx:
            return await take_event(tx, read_event(body))

    async with desk.transactions.command("refund") as first:
        told = await take_event(first, read_event(refund))
        success = asyncio.create_task(book())
        await asyncio.wait([success], timeout=3)  # without a lock between them, it would be through by then
    await success

    assert told == "waiting"
    assert [cents for _, cents, _ in await reversals(desk)] == [700]


async def test_a_dispute_takes_the_money_back_once_and_losing_it_changes_nothing(
    desk: Desk, door: Door
) -> None:
    invoice = await charged(desk)

    await door.tell_of_dispute("created", "needs_response")
    await door.tell_of_dispute("funds_withdrawn", "needs_response")
    await door.tell_of_dispute("closed", "lost")

    assert await reversals(desk) == [("charged_back", RENT, "stripe:dp_1")]
    assert (await desk.invoice(invoice))["state"] == "open"


async def test_a_dispute_that_was_won_gives_the_money_back_once(desk: Desk, door: Door) -> None:
    invoice = await charged(desk)
    await door.tell_of_dispute("created", "needs_response")
    await desk.later(days=20)

    await door.tell_of_dispute("closed", "won")
    await desk.later(days=1)
    await door.tell_of_dispute("funds_reinstated", "won")

    received = {row["reference"]: row["received_on"] for row in await desk.payments()}
    assert received == {"stripe:pi_1": date(2026, 12, 1), "stripe:dp_1:won": date(2026, 12, 21)}
    assert (await desk.invoice(invoice))["state"] == "paid"


async def test_a_dispute_that_is_told_to_be_won_before_it_is_told_at_all_comes_out_even(
    desk: Desk, door: Door
) -> None:
    invoice = await charged(desk)

    await door.tell_of_dispute("closed", "won")
    await door.tell_of_dispute("created", "needs_response")

    assert len(await reversals(desk)) == 1
    assert len(await desk.payments()) == 2
    assert (await desk.invoice(invoice))["state"] == "paid"


async def test_an_inquiry_takes_no_money(desk: Desk, door: Door) -> None:
    await charged(desk)

    assert await door.tell_of_dispute("created", "warning_needs_response") == "ignored"
    assert await reversals(desk) == []


async def test_a_debit_that_the_bank_returned_is_a_returned_payment(desk: Desk, door: Door) -> None:
    await charged(desk)

    await door.tell_of_dispute("created", "lost", reason="insufficient_funds")

    assert [kind for kind, _, _ in await reversals(desk)] == ["returned"]


async def test_what_was_charged_back_is_not_charged_again_by_itself(desk: Desk, door: Door) -> None:
    await charged(desk)
    await door.tell_of_dispute("created", "needs_response")
    await desk.later(days=3)

    await desk.trigger()

    assert len(await desk.charges()) == 1


async def test_a_bad_signature_is_refused_without_a_word_more(desk: Desk, door: Door) -> None:
    body = event("payment_intent.succeeded", {"id": "pi_1"})

    answers = [
        await door.send(body, header) for header in ("", "t=1,v1=00", signature(body, "other", at=NOW))
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert {answer.text for answer in answers} == {'{"status":"refused"}'}
    assert await desk.rows(webhook_events) == []


async def test_a_signed_body_that_is_no_event_is_refused(door: Door) -> None:
    assert (await door.send(b"{}")).status_code == 400


async def test_a_body_that_is_too_large_is_not_read_to_its_end(door: Door) -> None:
    answer = await door.send(b"x" * (LARGEST_BODY + 1))

    assert answer.status_code == 413


async def test_only_a_post_is_an_event(door: Door) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{door.url}/webhooks/stripe")

    assert answer.status_code == 405


async def test_an_event_that_cannot_be_taken_leaves_nothing_and_is_to_be_sent_again(
    desk: Desk, door: Door
) -> None:
    intent = await in_doubt(desk)
    broken = intent | {"amount_received": -5}  # a payment is more than nothing: the booking is refused

    body = event("payment_intent.succeeded", broken, event_id="evt_b", created=NOW)
    answer = await door.send(body)

    assert answer.status_code == 500
    assert await desk.rows(webhook_events) == []
    assert await desk.states() == ["unknown"]


async def test_without_a_secret_nothing_is_believed(desk: Desk) -> None:
    server = HttpServer(
        "billing", routes(StripeWebhooks(desk.transactions, [])), host="127.0.0.1", port=0, fixed=False
    )
    await server.start()
    body = event("customer.created", {"id": hashlib.sha256(str(new_id()).encode()).hexdigest()})

    answer = await Door(f"http://127.0.0.1:{server.port}", desk).send(body)
    await server.stop()

    assert answer.status_code == 400
