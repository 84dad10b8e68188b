"""A provider on this machine: real HTTP, answers as a test scripts them, and every request kept."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from typing_extensions import override


@dataclass(frozen=True)
class Reply:
    """What is answered: a document or a page, or nothing for so many seconds."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: float = 0.0


@dataclass(frozen=True)
class Request:
    """What was asked."""

    path: str
    headers: Mapping[str, str]


Script = Callable[[Request], Reply]


def page(status: int = 200) -> Reply:
    """A proxy's page in the place of an answer."""
    return Reply("<html><body>Bad Gateway</body></html>", status)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has hung up, which is what some tests are about."""


class Provider:
    """Answers by the longest matching beginning of a path; a list is used up, its last reply stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, Script] = {}
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider.answer(self)

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Tests read `requests` instead."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def says(self, beginning: str, *replies: Reply) -> None:
        """Answer these, one after the other, and the last one from then on."""
        left = list(replies)

        def script(_request: Request) -> Reply:
            return left.pop(0) if len(left) > 1 else left[0]

        self._scripts[beginning] = script

    def computes(self, beginning: str, script: Script) -> None:
        """Answer by looking at the request."""
        self._scripts[beginning] = script

    def asked(self, beginning: str = "") -> int:
        """How often something was asked for."""
        return sum(request.path.startswith(beginning) for request in self.requests)

    def by_kind(self) -> Counter[str]:
        """How often each kind of thing was asked for."""
        return Counter(request.path.split("?")[0].split("/")[1] for request in self.requests)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = Request(handler.path, dict(handler.headers.items()))
        with self._lock:
            self.requests.append(request)
            matching = [name for name in self._scripts if handler.path.startswith(name)]
            script = self._scripts[max(matching, key=len)] if matching else _nothing
            reply = script(request)
        if reply.hang:
            time.sleep(reply.hang)
        _send(handler, reply)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _nothing(request: Request) -> Reply:
    return Reply({"title": "Not Found", "detail": request.path, "status": 404}, 404)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    body = b"" if reply.status == 304 else text.encode()
    kind = "text/html" if isinstance(reply.body, str) else "application/geo+json"
    try:
        handler.send_response(reply.status)
        for name, value in {"Content-Type": kind, **reply.headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
    except OSError:
        """Whoever asked has hung up."""


@contextmanager
def a_provider() -> Iterator[Provider]:
    """A provider for one test."""
    with Provider() as provider:
        yield provider
