"""A wrong setting of autopay is refused before anybody is charged, and no gateway is chosen silently."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.billing.gateways.configured import configured_gateways
from services.billing.settings import Settings
from shared.clock import SystemClock


def settings(**given: Any) -> Settings:
    needed = {"database_url": "postgresql://b@127.0.0.1/b", "PROPMAN_RABBITMQ_URL": "amqp://127.0.0.1"}
    return Settings(**(needed | given))


def test_without_settings_there_is_no_gateway_at_all() -> None:
    assert configured_gateways(settings(), SystemClock()) == {}


def test_an_empty_key_is_none() -> None:
    assert settings(stripe_secret_key=" ").stripe_secret_key is None


async def test_each_gateway_is_there_where_it_is_asked_for() -> None:
    chosen = settings(stripe_secret_key="rk_test_1", autopay_simulated=True)

    found = configured_gateways(chosen, SystemClock())

    assert sorted(found) == ["simulated", "stripe"]
    for gateway in found.values():
        await gateway.close()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("stripe_secret_key", "pk_live_1", "secret or restricted key"),
        ("stripe_url", "http://api.stripe.com", "in the clear"),
        ("stripe_url", "ftp://127.0.0.1", "in the clear"),
    ],
)
def test_what_would_be_a_mistake_is_refused_in_words(name: str, value: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refusal:
        settings(**{name: value})

    assert "pk_live_1" not in str(refusal.value.errors(include_input=False))


def test_secrets_of_the_endpoint_are_several_while_one_is_replaced() -> None:
    chosen = settings(stripe_webhook_secrets="whsec_new, whsec_old,")

    assert [secret.get_secret_value() for secret in chosen.stripe_webhook_secrets] == [
        "whsec_new",
        "whsec_old",
    ]


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    text = repr(settings(stripe_secret_key="sk_test_hidden", stripe_webhook_secrets="whsec_hidden"))

    assert "hidden" not in text
