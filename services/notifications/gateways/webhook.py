"""Systems of the office that want to hear: a signed POST of JSON, again and again until one is taken.

A receiver knows a repeat by `Idempotency-Key`, so that what is in doubt is simply sent again.
"""

import json
from datetime import timedelta
from typing import Final

import httpx
from typing_extensions import override

from services.notifications.domain.attempts import Outcome, Result
from services.notifications.domain.tokens import webhook_signature
from services.notifications.gateways.carrier import Carrier, Parcel

_AGAIN: Final = frozenset({408, 409, 425, 429})
_LONGEST_WAIT: Final = 3_600


class Webhook(Carrier):
    """Posts to whatever address a parcel names."""

    def __init__(self, *, timeout: float = 10.0) -> None:
        """Not for use by two tasks at once. Connects when first asked."""
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    @override
    async def connect(self) -> None:
        return

    @override
    async def send(self, parcel: Parcel) -> Outcome:
        body = json.dumps(dict(parcel.payload), separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "propman-notifications/1",
            "Idempotency-Key": str(parcel.delivery_id),
        }
        if parcel.secret:
            moment = int(parcel.at.timestamp())
            headers["Propman-Signature"] = webhook_signature(parcel.secret, moment, body)
        try:
            answer = await self._open().post(parcel.address, content=body, headers=headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return Outcome(Result.REFUSED, "webhook_address", type(error).__name__)
        except httpx.HTTPError as error:
            return Outcome(Result.POSTPONED, "webhook_unreachable", type(error).__name__)
        return _read(answer)

    def _open(self) -> httpx.AsyncClient:
        """Redirects are not followed: the signature was made for the address that was given."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False)
        return self._client

    @override
    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _read(answer: httpx.Response) -> Outcome:
    detail = f"HTTP {answer.status_code}"
    if answer.is_success:
        return Outcome(Result.ACCEPTED, "accepted", detail)
    if answer.status_code in _AGAIN or answer.status_code >= 500:
        return Outcome(Result.POSTPONED, "webhook_postponed", detail, wait=retry_after(answer))
    return Outcome(Result.REFUSED, "webhook_refused", detail)


def retry_after(answer: httpx.Response) -> timedelta | None:
    """How long an HTTP server asked us to wait, in seconds (RFC 9110, section 10.2.3); dates are not used."""
    text = answer.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(text), _LONGEST_WAIT)) if text.isascii() and text.isdigit() else None
