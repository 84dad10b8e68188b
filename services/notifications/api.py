"""The HTTP side: what providers report, one click that ends a kind of mail, and a tenant's inbox."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID
from xml.sax.saxutils import escape

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from services.notifications.domain.tokens import BadToken, is_twilio_signature
from services.notifications.handlers import hooks
from services.notifications.handlers.hooks import Taken
from services.notifications.links import Ending, Links
from services.notifications.openapi import openapi_document
from services.notifications.rendering import Templates
from services.notifications.settings import Settings
from services.notifications.store import inbox, people
from services.notifications.texting import rendered_row
from shared.messaging.transaction import Transactions

LARGEST_BODY: Final = 64 * 1024
LONGEST_PAGE: Final = 100
EVENTS_POLL_SECONDS: Final = 1.0
HEARTBEAT_POLLS: Final = 15
"""A line every so often keeps proxies from closing a stream on which nothing happens."""

_SAFE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}

log = structlog.get_logger()


class Refused(Exception):
    """A request that gets a problem document (RFC 9457) and nothing else."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title


Endpoint = Callable[[Request], Awaitable[Response]]


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as refusal:
            problem = {"type": "about:blank", "title": refusal.title, "status": refusal.status}
            return JSONResponse(
                problem,
                status_code=refusal.status,
                media_type="application/problem+json",
                headers={"Cache-Control": "no-store"},
            )
        except ClientDisconnect:
            return Response(status_code=400)

    return guarded


class Api:
    """The endpoints of one service, over its own database."""

    def __init__(
        self, transactions: Transactions, links: Links | None, settings: Settings, templates: Templates
    ) -> None:
        """Without links nothing is served: who calls could not be told from anybody else."""
        self._transactions = transactions
        self._links = links
        self._token = settings.twilio_auth_token.get_secret_value()
        self._texts = bool(settings.twilio_account_sid)
        self._templates = templates

    def routes(self) -> list[BaseRoute]:
        """What this deployment can serve."""
        routes: list[BaseRoute] = [Route("/openapi.json", self._openapi)]
        if self._links is None:
            return routes
        if self._texts:
            routes += [
                Route(
                    "/hooks/twilio/status/{delivery:uuid}/{proof}", _guarded(self.status), methods=["POST"]
                ),
                Route("/hooks/twilio/inbound", _guarded(self.inbound), methods=["POST"]),
            ]
        return [
            *routes,
            Route("/u/{token}", _guarded(self.unsubscribe), methods=["GET", "POST"]),
            Route("/inbox", _guarded(self.list_messages), methods=["GET"]),
            Route("/inbox/unread", _guarded(self.count_unread), methods=["GET"]),
            Route("/inbox/read", _guarded(self.read_all), methods=["POST"]),
            Route("/inbox/events", _guarded(self.events), methods=["GET"]),
            Route("/inbox/{message:uuid}/read", _guarded(self.read_one), methods=["POST"]),
            Route("/inbox/{message:uuid}/archive", _guarded(self.archive), methods=["POST"]),
        ]

    async def _openapi(self, _request: Request) -> Response:
        return JSONResponse(openapi_document())

    # Twilio

    async def status(self, request: Request) -> Response:
        """A report of what became of a text."""
        delivery: UUID = request.path_params["delivery"]
        fields = await self._signed(request)
        if not self._open.is_report(delivery, request.path_params["proof"]):
            raise Refused(403, "This address is not one of ours.")
        code = fields.get("ErrorCode", "")
        async with self._transactions.command("notifications.report") as tx:
            taken = await hooks.take_report(
                tx,
                delivery,
                fields.get("MessageSid", ""),
                fields.get("MessageStatus", ""),
                int(code) if code.isascii() and code.isdigit() else None,
            )
        log.info(
            "text_reported", delivery_id=str(delivery), status=fields.get("MessageStatus"), taken=taken.value
        )
        statuses = {Taken.UNKNOWN: 404, Taken.LATER: 503}
        return Response(status_code=statuses.get(taken, 204))

    async def inbound(self, request: Request) -> Response:
        """A text from somebody; the answer is TwiML."""
        fields = await self._signed(request)
        async with self._transactions.command("notifications.text") as tx:
            answer = await hooks.take_text(
                tx,
                fields.get("MessageSid", ""),
                fields.get("From", ""),
                fields.get("Body", ""),
                fields.get("OptOutType", ""),
            )
        inner = f"<Message>{escape(answer)}</Message>" if answer else ""
        return Response(f"<Response>{inner}</Response>", media_type="text/xml")

    async def _signed(self, request: Request) -> Mapping[str, str]:
        """The fields of a form that Twilio signed, for the address by which the world knows us."""
        body = await _body(request)
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        url = f"{self._open.public_url}{request.url.path}"
        if request.url.query:
            url += f"?{request.url.query}"
        given = request.headers.get("X-Twilio-Signature", "")
        if not is_twilio_signature(self._token, url, fields, given):
            raise Refused(403, "The signature is not Twilio's.")
        return {name: value.replace("\0", "") for name, value in fields.items()}  # PostgreSQL keeps no NUL

    # Unsubscribing

    async def unsubscribe(self, request: Request) -> Response:
        """A page on GET, because scanners of mail follow links; the end of it on POST (RFC 8058)."""
        done = request.method == "POST"
        try:
            ending = self._open.ending(request.path_params["token"], self._transactions.clock.now())
        except (BadToken, KeyError, ValueError):
            return self._broken_link(request)
        locale = await self._locale(ending)
        if done:
            await _body(request)
            async with self._transactions.command("notifications.unsubscribe") as tx:
                await hooks.unsubscribe(tx, ending.address, ending.category)
        page = self._templates.page("unsubscribe", locale, {"done": done, "category": ending.category})
        return HTMLResponse(page, headers=_SAFE)

    def _broken_link(self, request: Request) -> Response:
        """For whoever followed a link that a mail program cut: nobody knows whose it was."""
        asked = request.headers.get("Accept-Language", "")
        locale = "es" if asked.lower().startswith("es") else "en"
        page = self._templates.page("broken_link", locale, {})
        return HTMLResponse(page, status_code=404, headers=_SAFE)

    async def _locale(self, ending: Ending) -> str:
        if ending.tenant_id is None:
            return "en"
        async with self._transactions.engine.connect() as connection:
            known = await people.known_contacts(connection, [ending.tenant_id])
        return known[ending.tenant_id].locale if ending.tenant_id in known else "en"

    # The inbox

    async def list_messages(self, request: Request) -> Response:
        """The newest messages, and how many were not read."""
        tenant = self._reader(request)
        limit = _number(request, "limit", 20)
        async with self._transactions.engine.connect() as connection:
            rows = await inbox.messages(connection, tenant, limit=limit, before=_id(request, "before"))
            unread = await inbox.unread(connection, tenant)
        return _private({"messages": [self._message(row) for row in rows], "unread": unread})

    async def count_unread(self, request: Request) -> Response:
        """How many messages were not read."""
        tenant = self._reader(request)
        async with self._transactions.engine.connect() as connection:
            return _private({"unread": await inbox.unread(connection, tenant)})

    async def read_one(self, request: Request) -> Response:
        """Mark one message as read."""
        message: UUID = request.path_params["message"]
        return await self._mark(request, [message])

    async def read_all(self, request: Request) -> Response:
        """Mark all messages as read."""
        return await self._mark(request, None)

    async def _mark(self, request: Request, messages: list[UUID] | None) -> Response:
        tenant = self._reader(request)
        async with self._transactions.command("notifications.read") as tx:
            marked = await inbox.mark_read(tx.connection, tenant, tx.at, messages)
            unread = await inbox.unread(tx.connection, tenant)
        if messages is not None and not marked:
            raise Refused(404, "There is no such message.")
        return _private({"unread": unread})

    async def archive(self, request: Request) -> Response:
        """Put one message away."""
        tenant = self._reader(request)
        async with self._transactions.command("notifications.archive") as tx:
            found = await inbox.archive(tx.connection, tenant, request.path_params["message"], tx.at)
        if not found:
            raise Refused(404, "There is no such message.")
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """New messages as they come: server-sent events, which a browser resumes by `Last-Event-ID`."""
        tenant = self._reader(request)
        last = _uuid(request.headers.get("Last-Event-ID"))
        if last is None:
            async with self._transactions.engine.connect() as connection:
                last = await inbox.newest(connection, tenant)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(tenant, last), media_type="text/event-stream", headers=headers)

    async def _stream(self, tenant: UUID, last: UUID | None) -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        polls = 0
        while True:
            async with self._transactions.engine.connect() as connection:
                rows = await inbox.since(connection, tenant, last)
            for row in rows:
                last = row["id"]
                yield f"id: {last}\nevent: message\ndata: {json.dumps(self._message(row))}\n\n"
            polls = 0 if rows else polls + 1
            if polls >= HEARTBEAT_POLLS:
                polls = 0
                yield ": still here\n\n"
            await asyncio.sleep(EVENTS_POLL_SECONDS)

    def _message(self, row: Mapping[str, Any]) -> dict[str, Any]:
        text = rendered_row(self._templates, row, self._transactions.clock.now())
        return {
            "id": str(row["id"]),
            "category": row["category"],
            "urgent": row["criticality"] > 0,
            "at": row["created_at"].isoformat(),
            "read_at": row["read_at"].isoformat() if row["read_at"] else None,
            "subject": text.subject,
            "text": text.text,
        }

    def _reader(self, request: Request) -> UUID:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = given if scheme.lower() == "bearer" else request.query_params.get("token", "")
        try:
            return self._open.reader(token, self._transactions.clock.now())
        except BadToken as error:
            raise Refused(401, f"Not allowed: {error}.") from None

    @property
    def _open(self) -> Links:
        assert self._links is not None  # noqa: S101 - no route is served without them
        return self._links


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refused(413, "That is too large.")
        parts.append(part)
    return b"".join(parts)


def _private(document: Mapping[str, Any]) -> Response:
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_PAGE):
        raise Refused(400, f"{name} is a number from 1 to {LONGEST_PAGE}.")
    return int(text)


def _id(request: Request, name: str) -> UUID | None:
    text = request.query_params.get(name)
    found = _uuid(text)
    if text and found is None:
        raise Refused(400, f"{name} is an id.")
    return found


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
