"""A small HTTP server that behaves like Stripe's API, on a real socket, misbehaving as it is told.

It knows idempotency keys (same key and form: same answer; same key, other form: an error), Stripe's test
payment methods, listings by customer, refunds up to what was taken, and its webhooks' signature.
"""

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

SECRET_KEY = "sk_test_propman"
DECLINES = {
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_revoked": "revocation_of_all_authorizations",
    "pm_card_authenticationRequired": "authentication_required",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
}
Mishap = Literal["hang", "drop_before", "drop_after", "garbage", "hold"]
Reply = tuple[int, dict[str, Any]]


@dataclass
class StripeServer:
    """Set `mishaps` and `statuses` for the next calls that take money; look at `intents`, `requests`."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    """What goes wrong with the next charges, one after another."""
    statuses: list[int] = field(default_factory=list)
    """Statuses the next charges are answered with instead of being made."""
    headers: dict[str, str] = field(default_factory=dict)
    down: bool = False
    """Every request is answered with 503."""
    clock: int | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _keys: dict[str, tuple[dict[str, str], Reply]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and cut those that are open."""
        self.released.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def charged(self) -> list[dict[str, Any]]:
        """The intents that took money."""
        return [intent for intent in self.intents.values() if intent["status"] == "succeeded"]

    @property
    def charge_calls(self) -> list[dict[str, str]]:
        """The forms of every request that asked for money."""
        return [
            form
            for method, path, form, _ in self.requests
            if (method, path) == ("POST", "/v1/payment_intents")
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                method, target, headers, body = await _request(reader)
                reply = await self._answer(method, target, headers, body)
                if reply is None:
                    break
                await self._write(writer, reply)
        self._open.discard(writer)
        writer.transport.abort()

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Reply | bytes | None:
        path, form = urlsplit(target).path, dict(parse_qsl(body.decode() or urlsplit(target).query))
        self.requests.append((method, path, form, headers))
        if headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return _error(401, type="invalid_request_error", message="Invalid API Key provided")
        if self.down:
            return _error(503, type="api_error")
        if method == "GET":
            return self._listing(form) if path == "/v1/payment_intents" else self._one(path)
        return await self._order(path, headers["idempotency-key"], form)

    async def _order(self, path: str, key: str, form: dict[str, str]) -> Reply | bytes | None:
        """Money is to move, and something may go wrong with that."""
        mishap = self.mishaps.pop(0) if self.mishaps else None
        if mishap == "drop_before":
            return None
        if mishap == "hang":
            self.reached.set()
            await self.released.wait()
            return None
        reply = self._once(path, key, form)
        if mishap == "hold":
            self.reached.set()
            await self.released.wait()
        if mishap == "drop_after":
            return None
        return b"<html>502 Bad Gateway</html>" if mishap == "garbage" else reply

    def _once(self, path: str, key: str, form: dict[str, str]) -> Reply:
        """The same key: the same answer, or an error where the rest differs."""
        if key in self._keys:
            known, reply = self._keys[key]
            message = "Keys for idempotent requests can only be used with the same parameters"
            return reply if known == form else _error(400, type="idempotency_error", message=message)
        if self.statuses:
            status = self.statuses.pop(0)
            kind = "invalid_request_error" if status < 500 else "api_error"
            reply = _error(status, type=kind, message="for ann@example.com")
            if status < 500:  # not begun, so not kept
                return reply
        elif path == "/v1/refunds":
            reply = self._refund(form)
        else:
            reply = self._charge(form)
        self._keys[key] = (form, reply)
        return reply

    def _charge(self, form: dict[str, str]) -> Reply:
        method = form["payment_method"]
        if not method.startswith("pm_"):
            return _error(400, type="invalid_request_error", code="resource_missing", param="payment_method")
        decline = DECLINES.get(method)
        status = "processing" if method == "pm_usBankAccount_success" else "succeeded"
        intent: dict[str, Any] = {
            "id": f"pi_{len(self.intents) + 1}",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0 if decline or status == "processing" else int(form["amount"]),
            "currency": form["currency"],
            "customer": form["customer"],
            "created": self.clock or int(time.time()),
            "status": "requires_payment_method" if decline else status,
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "last_payment_error": None,
        }
        self.intents[intent["id"]] = intent
        if decline is None:
            return 200, intent
        code = decline if decline == "authentication_required" else "card_declined"
        error = {"type": "card_error", "code": code, "decline_code": decline, "message": "Your card …"}
        intent["last_payment_error"] = error
        return 402, {"error": error | {"payment_intent": intent}}

    def settle(self, reference: str) -> dict[str, Any]:
        """A bank said yes to what was processing."""
        intent = self.intents[reference]
        intent.update(status="succeeded", amount_received=intent["amount"])
        return intent

    def _refund(self, form: dict[str, str]) -> Reply:
        intent, amount = self.intents.get(form["payment_intent"]), int(form["amount"])
        before = sum(
            item["amount"]
            for item in self.refunds.values()
            if item["payment_intent"] == form["payment_intent"]
        )
        if intent is None or before + amount > intent["amount_received"]:
            return _error(400, type="invalid_request_error", code="charge_already_refunded")
        refund = {
            "id": f"re_{len(self.refunds) + 1}",
            "object": "refund",
            "amount": amount,
            "payment_intent": intent["id"],
            "status": "succeeded",
            "created": self.clock or int(time.time()),
        }
        self.refunds[str(refund["id"])] = refund
        return 200, refund

    def _one(self, path: str) -> Reply:
        intent = self.intents.get(path.rsplit("/", 1)[1])
        missing = _error(404, type="invalid_request_error", code="resource_missing", param="intent")
        return missing if intent is None else (200, intent)

    def _listing(self, query: dict[str, str]) -> Reply:
        """Newest first, two on a page, so that paging is always used."""
        found = [
            intent
            for intent in reversed(self.intents.values())
            if intent["customer"] == query["customer"] and intent["created"] >= int(query["created[gte]"])
        ]
        ids = [intent["id"] for intent in found]
        after = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        page = found[after : after + 2]
        return 200, {"object": "list", "data": page, "has_more": len(found) > after + 2}

    async def _write(self, writer: asyncio.StreamWriter, reply: Reply | bytes) -> None:
        status, body = (502, reply) if isinstance(reply, bytes) else (reply[0], json.dumps(reply[1]).encode())
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return method, target, headers, body


def _error(status: int, **error: str) -> Reply:
    return status, {"error": error}


def event(kind: str, thing: dict[str, Any], *, event_id: str = "evt_1", created: int | None = None) -> bytes:
    """A webhook's body."""
    document = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-09-30.endive",
        "created": created or int(time.time()),
        "type": kind,
        "data": {"object": thing},
    }
    return json.dumps(document).encode()


def signature(body: bytes, secret: str, *, at: int | None = None) -> str:
    """The header that goes with it."""
    moment = at if at is not None else int(time.time())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
