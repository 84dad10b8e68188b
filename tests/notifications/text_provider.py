"""A local HTTP server that speaks as Twilio's messages API does, and can be told to misbehave."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

SID = "AC" + "a" * 32
TOKEN = "12345"
Fault = Literal["hang", "drop", "drop_after_making"]


@dataclass
class Request:
    """What came in."""

    method: str
    target: str
    headers: dict[str, str]
    fields: dict[str, str]
    body: bytes


@dataclass
class TextProvider:
    """Keeps what was posted; answers with `answer`, or with a message it made."""

    answer: tuple[int, dict[str, Any]] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    requests: list[Request] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop, on the same port."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def posts(self) -> list[dict[str, str]]:
        """The fields of every text that was posted."""
        return [request.fields for request in self.requests if request.method == "POST"]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        posted = request.method == "POST"
        if posted and self.fault == "drop_after_making":
            self._make(request)
            return False
        if posted and self.fault == "drop":
            return False
        if posted and self.fault == "hang":
            await asyncio.sleep(30)
            return False
        status, document = self._document(request)
        body = json.dumps(document).encode()
        head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        return True

    def _document(self, request: Request) -> tuple[int, dict[str, Any]]:
        if self.answer is not None:
            return self.answer
        if request.method == "POST" and request.target.endswith("Messages.json"):
            return 201, self._make(request)
        if request.target.partition("?")[0].endswith("Messages.json"):
            wanted = dict(parse_qsl(request.target.partition("?")[2]))
            return 200, {"messages": [item for item in self.made if item["to"] == wanted["To"]]}
        return 200, {"sid": SID, "status": "active"}

    def _make(self, request: Request) -> dict[str, Any]:
        made = {
            "sid": f"SM{len(self.made):032x}",
            "status": "queued",
            "to": request.fields["To"],
            "body": request.fields["Body"],
            "date_created": format_datetime(datetime.now(UTC)),
            "num_segments": "1",
            "error_code": None,
        }
        self.made.append(made)
        return made


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode().strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, dict(parse_qsl(body.decode("utf-8", "replace"))), body)
