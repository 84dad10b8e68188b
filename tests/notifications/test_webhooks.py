"""Webhooks: signed, repeated until taken, and known as repeats."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from services.notifications.domain.attempts import Outcome, Result
from services.notifications.gateways.carrier import Parcel
from services.notifications.gateways.webhook import Webhook
from tests.notifications.text_provider import TextProvider

AT = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)


def a_parcel(address: str) -> Parcel:
    return Parcel(
        UUID(int=7), address, "S", "T", "", "", AT, AT, AT + timedelta(hours=1), secret="hush", payload={"event": "x"}
    )  # fmt: skip


async def sent_to(address: str, **options: Any) -> Outcome:
    webhook = Webhook(**options)
    try:
        return await webhook.send(a_parcel(address))
    finally:
        await webhook.close()


async def test_a_webhook_is_signed_with_the_time_and_names_itself() -> None:
    async with TextProvider() as receiver:
        outcome = await sent_to(receiver.url)

    [request] = receiver.requests
    timestamp, _, given = request.headers["propman-signature"].partition(",v1=")
    signed = timestamp.removeprefix("t=").encode() + b"." + request.body
    assert outcome.result is Result.ACCEPTED
    assert given == hmac.new(b"hush", signed, sha256).hexdigest()
    assert request.headers["idempotency-key"] == str(UUID(int=7))
    assert request.body == b'{"event":"x"}'


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (204, Result.ACCEPTED),
        (301, Result.REFUSED),
        (404, Result.REFUSED),
        (410, Result.REFUSED),
        (408, Result.POSTPONED),
        (429, Result.POSTPONED),
        (500, Result.POSTPONED),
    ],
)
async def test_each_answer_is_of_its_class(status: int, result: Result) -> None:
    async with TextProvider(answer=(status, {})) as receiver:
        outcome = await sent_to(receiver.url)

    assert outcome.result is result


@pytest.mark.parametrize("fault", ["drop", "hang"])
async def test_what_is_in_doubt_is_sent_again(fault: Any) -> None:
    async with TextProvider(fault=fault) as receiver:
        outcome = await sent_to(receiver.url, timeout=0.3)

    assert outcome.result is Result.POSTPONED


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    outcome = await sent_to("http://127.0.0.1:9")

    assert outcome.result is Result.POSTPONED


async def test_how_long_to_wait_is_the_receiver_s_word_up_to_an_hour() -> None:
    async with TextProvider(answer=(503, {}), headers={"Retry-After": "86400"}) as receiver:
        outcome = await sent_to(receiver.url)

    assert outcome.wait == timedelta(hours=1)
