"""Every payment gateway keeps the same contract, and Stripe's every answer has its meaning."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.billing.domain.autopay import Failure, Result
from services.billing.gateways import simulated
from services.billing.gateways.payment_gateway import (
    ChargeOrder,
    GatewayDown,
    PaymentGateway,
    RefundOrder,
)
from services.billing.gateways.simulated import SimulatedGateway
from services.billing.gateways.stripe import API_VERSION, StripeGateway
from services.billing.gateways.stripe_codes import failure_of
from shared.clock import SystemClock
from shared.identity import new_id
from tests.billing.stripe_server import SECRET_KEY, StripeServer


@dataclass
class Ways:
    """How a gateway is brought to each answer."""

    good: str
    slow: str
    declined: dict[Failure, str]


STRIPE = Ways(
    good="pm_card_visa",
    slow="pm_usBankAccount_success",
    declined={
        Failure.INSUFFICIENT_FUNDS: "pm_card_chargeDeclinedInsufficientFunds",
        Failure.METHOD_INVALID: "pm_card_chargeDeclinedExpiredCard",
        Failure.SUSPECTED_FRAUD: "pm_card_chargeDeclinedStolenCard",
        Failure.DECLINED: "pm_card_chargeDeclined",
        Failure.TEMPORARY: "pm_card_chargeDeclinedProcessingError",
        Failure.AUTHENTICATION_REQUIRED: "pm_card_authenticationRequired",
        Failure.CONSENT_REVOKED: "pm_card_revoked",
    },
)
SIMULATED = Ways(simulated.GOOD_CARD, simulated.SLOW_BANK, {kind: f"sim_{kind}" for kind in STRIPE.declined})


def an_order(method: str = "pm_card_visa", **changes: Any) -> ChargeOrder:
    order = ChargeOrder(
        charge_id=new_id(),
        account_id=new_id(),
        amount_cents=157_500,
        currency="USD",
        customer_ref="cus_ann",
        method_ref=method,
        invoice_number="INV-2026-000001",
        first_asked_at=datetime.now(UTC),
    )
    return replace(order, **changes)


@pytest.fixture
async def server() -> AsyncIterator[StripeServer]:
    async with StripeServer() as made:
        yield made


@pytest.fixture
async def stripe(server: StripeServer) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(SECRET_KEY, base_url=server.url, timeout=1.5)
    yield gateway
    await gateway.close()


@pytest.fixture(params=["stripe", "simulated"])
async def either(request: pytest.FixtureRequest, stripe: StripeGateway) -> tuple[PaymentGateway, Ways]:
    return (stripe, STRIPE) if request.param == "stripe" else (SimulatedGateway(SystemClock()), SIMULATED)


Either = tuple[PaymentGateway, Ways]


# The contract, on both.


async def test_a_good_method_is_charged_the_whole_amount(either: Either) -> None:
    gateway, ways = either

    answer = await gateway.charge(an_order(ways.good))

    assert (answer.result, answer.amount_cents) == (Result.SUCCEEDED, 157_500)
    assert answer.reference
    assert answer.made_at is not None


async def test_the_same_order_again_is_the_same_charge(either: Either) -> None:
    gateway, ways = either
    order = an_order(ways.good)

    first, second = await gateway.charge(order), await gateway.charge(order)

    assert first == second


@pytest.mark.parametrize("failure", STRIPE.declined)
async def test_each_kind_of_decline_has_its_class(either: Either, failure: Failure) -> None:
    gateway, ways = either

    answer = await gateway.charge(an_order(ways.declined[failure]))

    assert (answer.result, answer.failure) == (Result.DECLINED, failure)
    assert answer.amount_cents is None


async def test_a_bank_takes_its_time_and_a_look_up_tells(either: Either, server: StripeServer) -> None:
    gateway, ways = either
    order = an_order(ways.slow)
    first = await gateway.charge(order)
    if first.reference in server.intents:
        server.settle(first.reference)

    later = await gateway.look_up(order, first.reference)

    assert first.result is Result.PROCESSING
    assert later is not None
    assert (later.result, later.amount_cents) == (Result.SUCCEEDED, 157_500)
    assert later.made_at == first.made_at


async def test_an_order_that_never_arrived_is_not_known(either: Either) -> None:
    gateway, ways = either

    assert await gateway.look_up(an_order(ways.good), None) is None


async def test_what_was_made_is_found_without_its_reference(either: Either) -> None:
    gateway, ways = either
    order = an_order(ways.good)
    for _ in range(3):  # others of the same customer, so that a listing has pages
        await gateway.charge(an_order(ways.good))
    made = await gateway.charge(order)
    for _ in range(3):
        await gateway.charge(an_order(ways.good))

    assert await gateway.look_up(order, None) == made


async def test_a_decline_is_found_as_a_decline(either: Either) -> None:
    gateway, ways = either
    order = an_order(ways.declined[Failure.INSUFFICIENT_FUNDS])
    await gateway.charge(order)

    found = await gateway.look_up(order, None)

    assert found is not None
    assert (found.result, found.failure) == (Result.DECLINED, Failure.INSUFFICIENT_FUNDS)


async def test_a_refund_is_made_once_and_never_exceeds_what_was_taken(either: Either) -> None:
    gateway, ways = either
    charge = await gateway.charge(an_order(ways.good))
    assert charge.reference
    part = RefundOrder(new_id(), charge.reference, 100_000)

    first, again = await gateway.refund(part), await gateway.refund(part)
    too_much = await gateway.refund(RefundOrder(new_id(), charge.reference, 57_501))
    rest = await gateway.refund(RefundOrder(new_id(), charge.reference, 57_500))

    assert (first.result, first.reference) == (Result.SUCCEEDED, again.reference)
    assert too_much.result is Result.DECLINED
    assert rest.result is Result.SUCCEEDED


# Stripe alone.


async def test_the_request_says_who_is_charged_what_and_that_nobody_is_there(
    stripe: StripeGateway, server: StripeServer
) -> None:
    order = an_order()
    await stripe.charge(order)

    [(_, _, form, headers)] = server.requests
    assert (form["amount"], form["currency"], form["customer"]) == ("157500", "usd", "cus_ann")
    assert (form["off_session"], form["confirm"]) == ("true", "true")
    assert form["metadata[propman_charge_id]"] == headers["idempotency-key"] == str(order.charge_id)
    assert headers["stripe-version"] == API_VERSION


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (401, Result.REFUSED_US),
        (403, Result.REFUSED_US),
        (409, Result.UNKNOWN),
        (429, Result.NOT_MADE),
        (500, Result.UNKNOWN),
        (503, Result.UNKNOWN),
    ],
)
async def test_each_status_has_its_meaning(
    stripe: StripeGateway, server: StripeServer, status: int, result: Result
) -> None:
    server.statuses = [status]

    answer = await stripe.charge(an_order())

    assert answer.result is result
    assert "ann@example.com" not in answer.detail
    assert str(status) in answer.detail


async def test_a_rate_limit_says_how_long_to_wait(stripe: StripeGateway, server: StripeServer) -> None:
    server.statuses, server.headers = [429], {"Retry-After": "90"}

    assert (await stripe.charge(an_order())).wait == timedelta(seconds=90)


async def test_a_wrong_key_is_our_fault(server: StripeServer) -> None:
    gateway = StripeGateway("sk_test_wrong", base_url=server.url)

    assert (await gateway.charge(an_order())).result is Result.REFUSED_US
    await gateway.close()


async def test_a_method_that_does_not_exist_is_declined_for_good(stripe: StripeGateway) -> None:
    answer = await stripe.charge(an_order("card_of_another_account"))

    assert (answer.result, answer.failure) == (Result.DECLINED, Failure.METHOD_INVALID)


async def test_a_server_that_is_not_there_made_nothing(stripe: StripeGateway, server: StripeServer) -> None:
    await server.stop()

    assert (await stripe.charge(an_order())).result is Result.NOT_MADE
    with pytest.raises(GatewayDown):
        await stripe.look_up(an_order(), None)


@pytest.mark.parametrize(("mishap", "charged"), [("drop_before", 0), ("drop_after", 1), ("garbage", 1)])
async def test_an_answer_that_got_lost_leaves_it_open_and_a_look_up_decides(
    stripe: StripeGateway, server: StripeServer, mishap: Any, charged: int
) -> None:
    server.mishaps = [mishap]
    order = an_order()

    answer = await stripe.charge(order)

    found = await stripe.look_up(order, None)
    assert answer.result is Result.UNKNOWN
    assert (found is not None and found.result is Result.SUCCEEDED) == bool(charged)
    assert len(server.charged) == charged


async def test_a_server_that_hangs_is_given_up_in_time(stripe: StripeGateway, server: StripeServer) -> None:
    server.mishaps = ["hang"]

    async with asyncio.timeout(5):
        answer = await stripe.charge(an_order())

    assert (answer.result, answer.detail) == (Result.UNKNOWN, "ReadTimeout")


async def test_the_same_key_with_another_amount_is_in_doubt_and_charges_nothing(
    stripe: StripeGateway, server: StripeServer
) -> None:
    order = an_order()
    await stripe.charge(order)

    answer = await stripe.charge(replace(order, amount_cents=1))

    assert answer.result is Result.UNKNOWN
    assert [intent["amount"] for intent in server.charged] == [157_500]


async def test_a_fault_that_is_kept_under_the_key_stays_in_doubt_until_looked_up(
    stripe: StripeGateway, server: StripeServer
) -> None:
    server.statuses = [500]
    order = an_order()

    answers = [(await stripe.charge(order)).result for _ in range(2)]

    assert answers == [Result.UNKNOWN, Result.UNKNOWN]
    assert await stripe.look_up(order, None) is None


async def test_a_question_that_is_not_answered_changes_nothing(
    stripe: StripeGateway, server: StripeServer
) -> None:
    server.down = True

    with pytest.raises(GatewayDown, match="503 api_error"):
        await stripe.look_up(an_order(), "pi_1")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"type": "card_error", "code": "card_declined"}, Failure.DECLINED),
        ({"type": "card_error", "decline_code": "a_code_of_2031"}, Failure.DECLINED),
        (
            {"type": "card_error", "code": "card_declined", "decline_code": "lost_card"},
            Failure.SUSPECTED_FRAUD,
        ),
        (
            {"type": "card_error", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"},
            Failure.METHOD_INVALID,
        ),
        ({"type": "invalid_request_error", "code": "parameter_missing"}, Failure.REJECTED),
        ({}, Failure.DECLINED),
    ],
)
def test_the_most_telling_code_decides(error: dict[str, str], failure: Failure) -> None:
    assert failure_of(error) is failure


def test_the_key_is_in_no_text_of_the_gateway(stripe: StripeGateway) -> None:
    say: list[Callable[[object], str]] = [repr, str]

    assert all(SECRET_KEY not in speak(stripe) for speak in say)
