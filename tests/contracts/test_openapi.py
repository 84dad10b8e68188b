"""What billing takes over HTTP, as kept in `docs/openapi`, is what it says of itself, and what it serves."""

import json
from pathlib import Path

from starlette.routing import Route

from services.billing.api import StripeWebhooks, openapi_document, routes
from shared.clock import SystemClock
from shared.db import create_engine
from shared.messaging.transaction import Transactions

KEPT = Path(__file__).parents[2] / "docs" / "openapi" / "billing.json"


def test_the_kept_document_is_what_the_service_says_of_itself() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))

    assert kept == openapi_document(), "docs/openapi is out of date: write it anew with `make docs`"


def test_every_path_of_the_document_is_served_and_the_other_way_round() -> None:
    engine = create_engine("postgresql://nobody@127.0.0.1/nowhere", application="test")
    served = routes(StripeWebhooks(Transactions(engine, SystemClock()), []))

    paths = {route.path for route in served if isinstance(route, Route)}

    assert paths - {"/openapi.json"} == set(openapi_document()["paths"])
