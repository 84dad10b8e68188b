"""Stripe: PaymentIntents that are confirmed at once, without the tenant being there.

Every answer and every way not to get one becomes an `Answer`. Which HTTP status leaves it open whether
money moved is Stripe's own word (docs.stripe.com/error-low-level, docs.stripe.com/api/idempotent_requests):
a 4xx of validation, a conflict with a request under way and a rate limit save nothing under the key; a
5xx is to be treated as undecided, and is what the same key answers from then on. Keys may be forgotten
after 24 hours, so a charge in doubt is looked up before it is asked for again.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from typing_extensions import override

from services.billing.domain.autopay import Answer, Failure, Result
from services.billing.gateways.payment_gateway import ChargeOrder, GatewayDown, PaymentGateway, RefundOrder
from services.billing.gateways.stripe_codes import detail_of, failure_of

API_VERSION: Final = "2026-09-30.endive"
"""Pinned: what an account is set to at Stripe must not change what we understand."""

BASE_URL: Final = "https://api.stripe.com"
CHARGE_ID: Final = "propman_charge_id"
"""Our id in Stripe's metadata, for webhooks and for charges in doubt."""

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_PAGE: Final = 100


class StripeGateway(PaymentGateway):
    """One client with its pool of connections, for any number of tasks."""

    def __init__(self, secret_key: str, *, base_url: str = BASE_URL, timeout: float = 30.0) -> None:
        """`timeout` is for each part of a request, in seconds; a bank may take twenty to answer."""
        self.name = "stripe"
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={
                "Authorization": f"Bearer {secret_key}",
                "Stripe-Version": API_VERSION,
                "User-Agent": "propman/1",
            },
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            follow_redirects=False,
        )

    @override
    async def charge(self, order: ChargeOrder) -> Answer:
        form = {
            "amount": str(order.amount_cents),
            "currency": order.currency.lower(),
            "customer": order.customer_ref,
            "payment_method": order.method_ref,
            "off_session": "true",
            "confirm": "true",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "description": f"Invoice {order.invoice_number}",
            f"metadata[{CHARGE_ID}]": str(order.charge_id),
            "metadata[propman_account_id]": str(order.account_id),
        }
        response = await self._post("/v1/payment_intents", form, str(order.charge_id))
        if isinstance(response, Answer):
            return response
        document = _document(response)
        return answer_of_intent(document) if response.is_success else _answer_of_error(response, document)

    @override
    async def look_up(self, order: ChargeOrder, reference: str | None) -> Answer | None:
        if reference is not None:
            intent = await self._get(f"/v1/payment_intents/{reference}", {})
            return None if intent is None else answer_of_intent(intent)
        async for intent in self._intents_of(order):
            if (intent.get("metadata") or {}).get(CHARGE_ID) == str(order.charge_id):
                return answer_of_intent(intent)
        return None

    @override
    async def refund(self, order: RefundOrder) -> Answer:
        form = {"payment_intent": order.reference, "amount": str(order.amount_cents)}
        response = await self._post("/v1/refunds", form, str(order.refund_id))
        if isinstance(response, Answer):
            return response
        document = _document(response)
        return _answer_of_refund(document) if response.is_success else _answer_of_error(response, document)

    @override
    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, path: str, form: Mapping[str, str], key: str) -> httpx.Response | Answer:
        try:
            return await self._client.post(path, data=dict(form), headers={"Idempotency-Key": key})
        except _NOT_SENT as error:
            return Answer(Result.NOT_MADE, detail=type(error).__name__)
        except httpx.TransportError as error:
            return Answer(Result.UNKNOWN, detail=type(error).__name__)

    async def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        try:
            response = await self._client.get(path, params=dict(query))
        except httpx.TransportError as error:
            raise GatewayDown(type(error).__name__) from error
        document = _document(response)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success or not document:
            raise GatewayDown(detail_of(response.status_code, _error(document)))
        return document

    async def _intents_of(self, order: ChargeOrder) -> AsyncIterator[dict[str, Any]]:
        """A listing, because Stripe's search may be behind by minutes and a listing never is."""
        since = int((order.first_asked_at - _CLOCKS_DIFFER).timestamp())
        query = {"customer": order.customer_ref, "created[gte]": str(since), "limit": str(_PAGE)}
        while True:
            page = await self._get("/v1/payment_intents", query) or {}
            found = page.get("data") or []
            for intent in found:
                yield intent
            if not page.get("has_more") or not found:
                return
            query["starting_after"] = found[-1]["id"]


def answer_of_intent(intent: Mapping[str, Any]) -> Answer:
    """What a PaymentIntent means; webhooks carry the same object."""
    reference, error = intent.get("id"), intent.get("last_payment_error") or {}
    made_at = moment(intent.get("created"))
    match intent.get("status"):
        case "succeeded":
            received = intent.get("amount_received") or intent.get("amount")
            return Answer(Result.SUCCEEDED, reference, received, made_at)
        case "processing":
            return Answer(Result.PROCESSING, reference, intent.get("amount"), made_at)
        case "requires_payment_method" | "requires_action" | "canceled" as status:
            failure = Failure.AUTHENTICATION_REQUIRED if status == "requires_action" else failure_of(error)
            detail = detail_of(None, error) or status
            return Answer(Result.DECLINED, reference, made_at=made_at, failure=failure, detail=detail)
        case _:
            return Answer(Result.UNKNOWN, reference, detail="intent in an undecided state")


def _answer_of_error(response: httpx.Response, document: Mapping[str, Any]) -> Answer:
    status, error = response.status_code, _error(document)
    intent, detail = error.get("payment_intent") or {}, detail_of(status, error)
    if status == httpx.codes.PAYMENT_REQUIRED:
        made_at = moment(intent.get("created"))
        return Answer(
            Result.DECLINED, intent.get("id"), made_at=made_at, failure=failure_of(error), detail=detail
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Answer(Result.NOT_MADE, detail=detail, wait=_retry_after(response))
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return Answer(Result.REFUSED_US, detail=detail)
    if (
        status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}
        and error.get("type") == "invalid_request_error"
    ):
        return Answer(Result.DECLINED, failure=failure_of(error), detail=detail)
    # A conflict, a key that was used for something else, a fault of theirs: it may have happened.
    return Answer(Result.UNKNOWN, detail=detail)


def _answer_of_refund(refund: Mapping[str, Any]) -> Answer:
    reference, amount, made_at = refund.get("id"), refund.get("amount"), moment(refund.get("created"))
    match refund.get("status"):
        case "succeeded":
            return Answer(Result.SUCCEEDED, reference, amount, made_at)
        case "pending" | "requires_action":
            return Answer(Result.PROCESSING, reference, amount, made_at)
        case "failed" | "canceled" as status:
            return Answer(Result.DECLINED, reference, failure=Failure.REJECTED, detail=status)
        case _:
            return Answer(Result.UNKNOWN, reference, detail="refund in an undecided state")


def moment(seconds: object) -> datetime | None:
    """Stripe's seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def _document(response: httpx.Response) -> dict[str, Any]:
    """The answer as JSON; what a proxy wrote instead of Stripe counts as nothing."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _error(document: Mapping[str, Any]) -> dict[str, Any]:
    error = document.get("error")
    return error if isinstance(error, dict) else {}


def _retry_after(response: httpx.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() else None
