"""Only what Stripe signed a moment ago is believed, and each event means what Stripe says it means."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.autopay import Failure, Result
from services.billing.gateways.stripe_webhooks import (
    BadEvent,
    BadSignature,
    ChargeNews,
    Disputed,
    DisputeWon,
    Refunded,
    read_event,
    verify,
)
from shared.identity import new_id
from tests.billing.stripe_server import event, signature

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SECRET = "whsec_one"
BODY = b'{"id": "evt_1"}'


def test_a_signature_of_now_is_good() -> None:
    verify(BODY, signature(BODY, SECRET, at=STAMP), [SECRET], at=NOW)


def test_a_signature_that_openssl_made_is_good() -> None:
    # printf '%s.{"id": "evt_1"}' 1796126400 | openssl dgst -sha256 -hmac whsec_one
    digest = "6ec0a2efe3e1a951fcdfd583358f21420e6e1230a040adf63e775951239b3d13"

    verify(BODY, f"t=1796126400,v1={digest}", [SECRET], at=NOW)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=40).filter(lambda text: text != SECRET))
def test_another_secret_signs_nothing(body: bytes, secret: str) -> None:
    with pytest.raises(BadSignature):
        verify(body, signature(body, secret, at=STAMP), [SECRET], at=NOW)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_holds_for_its_own_body_only(body: bytes, other: bytes) -> None:
    header = signature(body, SECRET, at=STAMP)

    if body == other:
        verify(other, header, [SECRET], at=NOW)
    else:
        with pytest.raises(BadSignature):
            verify(other, header, [SECRET], at=NOW)


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_an_old_or_early_signature_is_refused(seconds: int, good: bool) -> None:
    header = signature(BODY, SECRET, at=STAMP - seconds)

    if good:
        verify(BODY, header, [SECRET], at=NOW)
    else:
        with pytest.raises(BadSignature):
            verify(BODY, header, [SECRET], at=NOW)


def test_while_a_secret_is_replaced_either_counts() -> None:
    for secret in ("whsec_old", "whsec_new"):
        verify(BODY, signature(BODY, secret, at=STAMP), ["whsec_new", "whsec_old"], at=NOW)


def test_one_good_signature_of_several_is_enough() -> None:
    good = signature(BODY, SECRET, at=STAMP).partition(",")[2]

    verify(BODY, f"t={STAMP},v1={'0' * 64},{good},v0=old", [SECRET], at=NOW)


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", "t=,v1=", f"t={STAMP}", "v1=abc", "t=١٢٣,v1=abc", f"t={'9' * 400},v1=abc", "t=-1,v1=é"],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, header, [SECRET], at=NOW)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signature(BODY, "", at=STAMP), [], at=NOW)


def an_intent(**changes: Any) -> dict[str, Any]:
    intent: dict[str, Any] = {
        "id": "pi_1",
        "status": "succeeded",
        "amount": 157_500,
        "amount_received": 157_500,
        "created": STAMP,
        "metadata": {},
    }
    return intent | changes


def test_a_success_names_our_charge_and_what_was_received() -> None:
    ours = new_id()
    body = event("payment_intent.succeeded", an_intent(metadata={"propman_charge_id": str(ours)}))

    news = read_event(body).news

    assert isinstance(news, ChargeNews)
    assert news.charge_id == ours
    assert (news.answer.result, news.answer.amount_cents) == (Result.SUCCEEDED, 157_500)
    assert news.answer.made_at == NOW


def test_a_failure_has_its_class() -> None:
    error = {"type": "card_error", "decline_code": "insufficient_funds", "message": "Ann has no money"}
    intent = an_intent(status="requires_payment_method", last_payment_error=error)

    news = read_event(event("payment_intent.payment_failed", intent)).news

    assert isinstance(news, ChargeNews)
    assert news.answer.failure is Failure.INSUFFICIENT_FUNDS
    assert "Ann" not in str(news)


def test_a_charge_that_is_not_ours_has_no_id_of_ours() -> None:
    news = read_event(event("payment_intent.succeeded", an_intent(metadata={"propman_charge_id": "x"}))).news

    assert isinstance(news, ChargeNews)
    assert news.charge_id is None


def test_refunds_are_told_as_their_sum() -> None:
    news = read_event(event("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 4_000})).news

    assert news == Refunded("pi_1", 4_000)


@pytest.mark.parametrize(
    ("kind", "status", "means"),
    [
        ("created", "needs_response", Disputed),
        ("created", "warning_needs_response", None),
        ("funds_withdrawn", "needs_response", Disputed),
        ("closed", "won", DisputeWon),
        ("closed", "lost", Disputed),
        ("closed", "warning_closed", None),
        ("funds_reinstated", "won", DisputeWon),
    ],
)
def test_a_dispute_moves_money_only_where_money_moved(kind: str, status: str, means: type | None) -> None:
    dispute = {"id": "dp_1", "payment_intent": {"id": "pi_1"}, "amount": 500, "status": status}

    news = read_event(event(f"charge.dispute.{kind}", dispute)).news

    assert news is None if means is None else news == means("pi_1", "dp_1", 500, "dispute")


@pytest.mark.parametrize("kind", ["customer.created", "a.kind.of.2031"])
def test_what_we_do_not_know_means_nothing(kind: str) -> None:
    assert read_event(event(kind, {"id": "cus_1"})).news is None


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"null", b"{}", json.dumps({"id": "e", "type": "t", "created": "now"}).encode()],
)
def test_a_body_that_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(BadEvent):
        read_event(body)


def test_the_tolerance_can_be_chosen() -> None:
    header = signature(BODY, SECRET, at=STAMP - 60)

    with pytest.raises(BadSignature):
        verify(BODY, header, [SECRET], at=NOW, tolerance=timedelta(seconds=30))
