"""The signer's door: a page that shows a lease to who has its link, and takes a signature, without a script.

GET and HEAD change nothing, because scanners of mail follow links. What opens a link is part of its address:
no address is logged here, and no page tells another site where somebody came from.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.leasing.domain.refusals import Invalid
from services.leasing.domain.signing import Evidence, Held, LinkIsClosed, ReadSomethingElse
from services.leasing.guesses import Guesses
from services.leasing.handlers.signatures import ask_for_link, give_signature
from services.leasing.links import PATH, read_key
from services.leasing.openapi import openapi_document
from services.leasing.pages import FALLBACK, STYLE_HASH, Attempt, language_of, notice, page_of
from services.leasing.store import signing
from shared.link_keys import digest, is_token
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions

LARGEST_BODY: Final = 16 * 1024

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
}
_NOBODY: Final = digest("")

log = structlog.get_logger()


class Refused(Exception):
    """A request that gets a page which says why, and nothing else."""

    def __init__(self, status: int, name: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(name)
        self.status = status
        self.name = name
        self.headers = dict(headers or {})


class SignersPage:
    """What is behind a signing link."""

    def __init__(self, transactions: Transactions) -> None:
        """Over leasing's own database."""
        self._transactions = transactions
        self._clock = transactions.clock
        self._guesses = Guesses()

    async def serve(self, request: Request) -> Response:
        """Show, or take what was submitted."""
        try:
            return await (self._take(request) if request.method == "POST" else self._show(request))
        except Refused as refusal:
            page = notice(refusal.name, _spoken(request))
            return HTMLResponse(page, refusal.status, headers=HEADERS | refusal.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - the edge of this door: a person is told that nothing was signed
            defect = classify(error) is ErrorKind.DEFECT
            (log.error if defect else log.warning)("signers_page_failed", error=describe(error))
            page = notice("failed", _spoken(request))
            return HTMLResponse(page, 500 if defect else 503, headers=HEADERS)

    async def _show(self, request: Request) -> Response:
        held = await self._held(request)
        return HTMLResponse(page_of(held, self._clock.now()), headers=HEADERS)

    async def _take(self, request: Request) -> Response:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise Refused(403, "refused")
        form = await _form(request)
        held = await self._held(request)
        if form.get("do") == "ask":
            await self._ask(held)
            return _see(request)
        return await self._sign(request, held, form)

    async def _sign(self, request: Request, held: Held, form: Mapping[str, str]) -> Response:
        name, consent = form.get("name", ""), form.get("consent") == "yes"
        if not consent:
            unnamed = {} if name.strip() else {"name": "wrong_name"}
            return self._again(held, Attempt(name, consent, unnamed | {"consent": "no_consent"}))
        evidence = Evidence(name, form.get("terms", ""), _source(request), request.headers.get("User-Agent"))
        try:
            async with self._transactions.command("leasing.sign") as tx:
                last = await give_signature(tx, held.link.id, evidence)
        except LinkIsClosed:
            return _see(request)  # the page says what became of it
        except ReadSomethingElse:
            return self._again(held, Attempt(name, consent=False, errors={"terms": "wrong_terms"}))
        except Invalid:
            word = "long_name" if name.strip() else "wrong_name"
            return self._again(held, Attempt(name, consent, {"name": word}))
        log.info("signature_given", link_id=str(held.link.id), request_id=str(held.request.id), last=last)
        return _see(request)

    def _again(self, held: Held, attempt: Attempt) -> Response:
        page = page_of(held, self._clock.now(), attempt)
        return HTMLResponse(page, status_code=422, headers=HEADERS)

    async def _ask(self, held: Held) -> None:
        try:
            async with self._transactions.command("leasing.ask_for_link") as tx:
                await ask_for_link(tx, held.link.id)
        except LinkIsClosed:
            return  # it is open, or nobody needs another: the page says which

    async def _held(self, request: Request) -> Held:
        """What the address opens; raises `Refused` for one that is wrong, and soon for who tries many."""
        source, at = _source(request), self._clock.now()
        wait = self._guesses.refuse_until(source, at)
        if wait is not None:
            raise Refused(429, "slow", {"Retry-After": str(int((wait - at).total_seconds()) + 1)})
        identity, token = read_key(request.path_params["key"]) or (None, "")
        found: list[Held] = []
        if identity is not None:
            async with self._transactions.engine.connect() as connection:
                found = await signing.held_by(connection, [identity])
        if not is_token(token, found[0].link.token_hash if found else _NOBODY) or not found:
            self._guesses.note(source, at)
            raise Refused(404, "unknown")
        return found[0]


def routes(page: SignersPage | None) -> list[BaseRoute]:
    """What leasing serves beside health and metrics; no page where no link could be made."""

    async def document(_request: Request) -> Response:
        return JSONResponse(openapi_document())

    served: list[BaseRoute] = [Route("/openapi.json", document, methods=["GET"])]
    if page is not None:
        served.append(Route(f"/{PATH}/{{key}}", page.serve, methods=["GET", "POST"]))
    return served


def _see(request: Request) -> Response:
    """Look at the page again: reloading it submits nothing. Only a proxy knows our whole address."""
    return Response(status_code=303, headers=HEADERS | {"Location": request.path_params["key"]})


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _spoken(request: Request) -> str:
    """The first language a browser asks for, where we have it."""
    first = request.headers.get("Accept-Language", FALLBACK).partition(",")[0].partition(";")[0]
    return language_of(first.strip())


async def _form(request: Request) -> Mapping[str, str]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise Refused(413, "refused")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
