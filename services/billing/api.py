"""Billing's door for other systems: Stripe tells us here what became of a charge."""

from collections.abc import Sequence
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.billing.gateways.stripe_webhooks import BadEvent, BadSignature, Event, read_event, verify
from services.billing.handlers.webhooks import story_of, take_event
from shared.identity import new_id
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, command_envelope

LARGEST_BODY: Final = 256 * 1024
"""Bytes; an event of Stripe has a few thousand."""

PATH: Final = "/webhooks/stripe"

log = structlog.get_logger()


class TooLarge(Exception):
    """More than an event can be."""


class StripeWebhooks:
    """Believes what is signed, takes each event once, and says no more than it must."""

    def __init__(self, transactions: Transactions, secrets: Sequence[str]) -> None:
        """Without a secret nothing is believed."""
        self._transactions = transactions
        self._secrets = secrets

    async def take(self, request: Request) -> Response:
        """One event; 200 also for a repeat and for what we have no use for, so that it is not sent again."""
        try:
            body = await _body(request)
            header = request.headers.get("Stripe-Signature", "")
            verify(body, header, self._secrets, at=self._transactions.clock.now())
            return await self._answer(read_event(body))
        except TooLarge:
            return JSONResponse({"status": "too large"}, status_code=413)
        except BadSignature:
            log.warning("webhook_refused", gateway="stripe")
            return JSONResponse({"status": "refused"}, status_code=400)
        except BadEvent:
            log.error("webhook_not_understood", gateway="stripe")  # noqa: TRY400 - it was signed: a body may be personal
            return JSONResponse({"status": "refused"}, status_code=400)

    async def _answer(self, event: Event) -> Response:
        try:
            outcome = await self._take(event)
        except Exception as error:  # noqa: BLE001 - the edge of this door: Stripe sends again what got no 2xx
            defect = classify(error) is ErrorKind.DEFECT
            say = log.error if defect else log.warning
            say("webhook_not_taken", gateway="stripe", event_id=event.event_id, error=describe(error))
            return JSONResponse({"status": "not taken"}, status_code=500 if defect else 503)
        log.info("webhook_taken", event_id=event.event_id, event_type=event.event_type, outcome=outcome)
        return JSONResponse({"status": outcome})

    async def _take(self, event: Event) -> str:
        async with self._transactions.engine.connect() as connection:
            story = await story_of(connection, event) or new_id()
        async with self._transactions.begin(command_envelope("billing.stripe_webhook", story)) as tx:
            return await take_event(tx, event)


async def _body(request: Request) -> bytes:
    """The raw body, which is what is signed; read no further than it may be long."""
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > LARGEST_BODY:
            raise TooLarge
    return bytes(read)


def routes(webhooks: StripeWebhooks) -> list[BaseRoute]:
    """What billing serves beside health and metrics."""

    async def document(_request: Request) -> Response:
        return JSONResponse(openapi_document())

    return [
        Route(PATH, webhooks.take, methods=["POST"]),
        Route("/openapi.json", document, methods=["GET"]),
    ]


def openapi_document() -> dict[str, Any]:
    """What this door takes and answers, as OpenAPI 3.1."""
    status = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    answers = {
        "200": "Taken, taken before, or of no use to us; `status` says which. It need not be sent again.",
        "400": "Not signed with one of our secrets in the last five minutes, or no event. No details.",
        "413": f"More than {LARGEST_BODY} bytes.",
        "500": "A defect; the event is not taken.",
        "503": "Not now; the event is not taken, and is to be sent again.",
    }
    signature = {
        "name": "Stripe-Signature",
        "in": "header",
        "required": True,
        "description": "`t=<seconds>,v1=<hex HMAC-SHA256 of 't.body'>`; several `v1` are allowed.",
        "schema": {"type": "string"},
    }
    event = {"description": "An event of Stripe, as it signed it.", "type": "object"}
    responses = {
        code: {"description": text, "content": {"application/json": {"schema": status}}}
        for code, text in answers.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "billing",
            "version": "1",
            "description": "What billing takes over HTTP beside /health/live, /health/ready and /metrics.",
        },
        "paths": {
            PATH: {
                "post": {
                    "operationId": "takeStripeEvent",
                    "summary": "Stripe tells what became of a charge, a refund or a dispute.",
                    "parameters": [signature],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": event}}},
                    "responses": responses,
                }
            }
        },
    }
