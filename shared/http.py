"""One small HTTP server per service: is it alive, is it ready, what are its numbers."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong, or None."""

log = structlog.get_logger()


def health_routes(service: str, checks: Mapping[str, Check], registry: CollectorRegistry) -> list[BaseRoute]:
    """`/health/live`, `/health/ready` with a reason for each check that fails, and `/metrics`."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"service": service, "status": "live"})

    async def ready(_request: Request) -> Response:
        names = list(checks)
        found = await asyncio.gather(*(_run(checks[name]) for name in names))
        problems = {name: problem for name, problem in zip(names, found, strict=True) if problem}
        body: dict[str, Any] = {"service": service, "status": "not ready" if problems else "ready"}
        body["checks"] = {name: problems.get(name, "ok") for name in names}
        return JSONResponse(body, status_code=503 if problems else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)]


async def _run(check: Check) -> str | None:
    try:
        async with asyncio.timeout(4):
            return await check()
    except Exception as error:  # noqa: BLE001 - an unready answer is the point, whatever the reason
        return f"{type(error).__name__}"


class PortTaken(OSError):
    """The port of a service is in use by another program."""


class HttpServer:
    """uvicorn inside our own event loop, without its signal handling."""

    def __init__(
        self, service: str, routes: Sequence[BaseRoute], *, host: str, port: int, fixed: bool
    ) -> None:
        """With `fixed` a taken port is an error; else the next free one is used, and said."""
        self._service = service
        self._socket = _bind(service, host, port, fixed=fixed)
        config = uvicorn.Config(
            Starlette(routes=list(routes)),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it really listens on."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._serve(), name=f"http-{self._service}")

    async def _serve(self) -> None:
        # `serve` would take the process's signals; the host of the services handles those.
        with suppress(asyncio.CancelledError):
            await self._server._serve([self._socket])  # noqa: SLF001

    async def stop(self) -> None:
        """Finish open requests and close the port."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()


def _bind(service: str, host: str, port: int, *, fixed: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or fixed:
            listener.close()
            remedy = f"set {service.upper()}_HTTP_PORT"
            message = f"{service}: cannot listen on {host}:{port}: {error.strerror}; {remedy}"
            raise PortTaken(error.errno, message) from error
        listener.bind((host, 0))
        log.info("http_port_taken", service=service, wanted=port, port=listener.getsockname()[1])
    return listener
