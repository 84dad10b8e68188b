"""Asking over HTTP for JSON: patient with what passes, exact about what does not.

Tries again with jitter on what is transient (5xx, 429, a page instead of JSON, silence); what the host
asks for by `Retry-After` wins. Errors of the request itself are told apart by the caller.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from services.weather.gateways.errors import NoAnswer
from services.weather.gateways.hosts import Host, Sleep
from shared.clock import Clock

WAITS: Final = (1.0, 5.0, 12.0)
"""Seconds before the second, third and fourth try; ten seconds mend most of what api.weather.gov fails at."""
LONGEST_PATIENCE: Final = 30.0
"""A host that wants a longer pause gets it, and this question goes unanswered."""
MOST_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What a host may compare with: what it said last."""

    body: str
    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The conditions of a request."""
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Got:
    """An answer: its status, the document, and what to ask with next time."""

    status: int
    document: Any
    body: str
    etag: str | None = None
    last_modified: str | None = None


PauseOf = Callable[[httpx.Response, datetime], float | None]
"""How long a refusal says to wait, where a provider says it in its own words."""


@dataclass(slots=True)
class Http:
    """One client for everything that is asked; `hosts` are made as they are met."""

    client: httpx.AsyncClient
    clock: Clock
    new_host: Callable[[str], Host]
    sleep: Sleep
    waits: tuple[float, ...] = WAITS
    spread: Callable[[float, float], float] = random.uniform
    deadline: float = 25.0
    """Seconds for one try, all in all: a body that trickles in would never time out otherwise."""
    requests: int = 0
    _hosts: dict[str, Host] = field(default_factory=dict)

    def host(self, url: str) -> Host:
        """How the host of an address is treated."""
        name = httpx.URL(url).netloc.decode()
        if name not in self._hosts:
            self._hosts[name] = self.new_host(name)
        return self._hosts[name]

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        known: Known | None = None,
        pause_of: PauseOf | None = None,
        tries: int | None = None,
    ) -> Got:
        """Ask until there is an answer; 2xx and 304, and every other 4xx, are answers.

        Raises `NoAnswer` when it stays without one.
        """
        host = self.host(url)
        asked = {**headers, **(known.headers if known else {})}
        waits = self.waits if tries is None else self.waits[: tries - 1]
        reason = ""
        for wait in (*waits, None):
            if host.paused_for() > LONGEST_PATIENCE:
                raise NoAnswer(f"{host.name} asked to be left alone")
            try:
                async with host.turn():
                    reply = await self._once(url, asked, host)
            except NoAnswer as closed:
                # Our own tries may have been the last straw: what they met says more than the breaker.
                raise NoAnswer(reason or closed.reason) from closed
            if isinstance(reply, httpx.Response):
                pause = _pause(reply, self.clock.now(), pause_of)
                if (got := _answer(reply, known)) is not None:
                    host.succeeded()
                    return got
                reason = _reason(reply)
            else:
                pause, reason = None, reply
            if pause is not None:
                host.pause(pause)
                continue
            host.failed()
            if wait is not None:
                await self.sleep(self.spread(0, 2 * wait))
        raise NoAnswer(reason)

    async def _once(self, url: str, headers: Mapping[str, str], host: Host) -> httpx.Response | str:
        """One request; silence and broken connections as a word, because they are tried again."""
        self.requests += 1
        try:
            async with asyncio.timeout(self.deadline):
                return await self._read(url, headers)
        except TimeoutError:
            return f"{host.name} did not answer within {self.deadline:.0f} s"
        except httpx.TimeoutException as error:
            return f"{host.name}: {type(error).__name__}"
        except httpx.HTTPError as error:
            return f"{host.name}: {type(error).__name__}: {error}"[:200]

    async def _read(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        async with self.client.stream("GET", url, headers=headers) as response:
            size = 0
            parts = []
            async for part in response.aiter_bytes():
                size += len(part)
                if size > MOST_BYTES:
                    raise httpx.DecodingError("the answer is too large", request=response.request)
                parts.append(part)
        plain = {k: v for k, v in response.headers.items() if k not in {"content-encoding", "content-length"}}
        return httpx.Response(
            response.status_code, headers=plain, content=b"".join(parts), request=response.request
        )


def _answer(response: httpx.Response, known: Known | None) -> Got | None:
    """What a response says, or None where it is worth another try."""
    if response.status_code == 304 and known is not None:
        return Got(304, json.loads(known.body), known.body, known.etag, known.last_modified)
    if response.status_code >= 500 or response.status_code in {304, 408, 425, 429}:
        return None
    try:
        document = response.json()
    except (ValueError, RecursionError):
        # A page of a proxy, whatever its status says.
        return None
    headers = response.headers
    return Got(
        response.status_code, document, response.text, headers.get("ETag"), headers.get("Last-Modified")
    )


def _reason(response: httpx.Response) -> str:
    """One line: the status and what the body says of it."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return f"{response.status_code} without JSON"
    found = document if isinstance(document, Mapping) else {}
    said = found.get("title") or found.get("reason") or ""
    return f"{response.status_code} {said}".strip()[:200]


def _pause(response: httpx.Response, now: datetime, pause_of: PauseOf | None) -> float | None:
    if response.status_code not in {429, 503}:
        return None
    after = response.headers.get("Retry-After")
    if after is not None and (seconds := _seconds(after, now)) is not None:
        return seconds
    return pause_of(response, now) if pause_of else None


def _seconds(text: str, now: datetime) -> float | None:
    """`Retry-After` as RFC 9110 has it: seconds, or a date."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - now) / timedelta(seconds=1))
    except ValueError:
        return None
