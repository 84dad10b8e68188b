"""RabbitMQ's management API, where there is one: what a queue holds, how fast it moves, how the node is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from propman.console.ages import SERIES, Age, oldest
from propman.settings import SystemSettings

_COLUMNS = (
    *("name", "messages_ready", "messages_unacknowledged", "consumers", "state"),
    *("message_stats.publish_details.rate", "message_stats.ack_details.rate", "message_stats.deliver_get"),
)


class Management:
    """One broker's API, asked about one virtual host."""

    def __init__(self, client: httpx.AsyncClient, virtual_host: str) -> None:
        self._client = client
        self._host = quote(virtual_host, safe="")

    async def queues(self) -> list[dict[str, Any]]:
        """Every queue of the virtual host."""
        return list(await self._get(f"/api/queues/{self._host}", {"columns": ",".join(_COLUMNS)}))

    async def oldest(self, queue: str, ready: int) -> Age | None:
        """How long the head of a queue has waited, as far as the broker can be made to tell; see `ages`."""
        path = f"/api/queues/{self._host}/{quote(queue, safe='')}"
        answers = [
            await self._client.get(path, params={"msg_rates_age": str(back), "msg_rates_incr": str(step)})
            for back, step in SERIES
        ]
        for answer in answers:
            answer.raise_for_status()
        return oldest([answer.json() for answer in answers], ready, _said_at(answers[-1]))

    async def bindings(self) -> list[dict[str, Any]]:
        """Every binding of the virtual host."""
        return list(await self._get(f"/api/bindings/{self._host}", {}))

    async def nodes(self) -> list[dict[str, Any]]:
        """The broker's nodes: memory, disk, alarms."""
        columns = "name,mem_used,mem_limit,mem_alarm,disk_free,disk_free_limit,disk_free_alarm,fd_used,uptime"
        return list(await self._get("/api/nodes", {"columns": columns}))

    async def _get(self, path: str, parameters: Mapping[str, str]) -> Sequence[Any]:
        answer = await self._client.get(path, params=dict(parameters))
        answer.raise_for_status()
        found: Sequence[Any] = answer.json()
        return found


def _said_at(answer: httpx.Response) -> float | None:
    """When the broker answered, in seconds by its own clock: its samples are of that clock."""
    if "date" not in answer.headers:
        return None
    return parsedate_to_datetime(answer.headers["date"]).timestamp()


@asynccontextmanager
async def management(settings: SystemSettings) -> AsyncIterator[Management]:
    """The API of the broker in the settings; by default on port 15672 of the same host."""
    broker = urlsplit(settings.rabbitmq_url.get_secret_value())
    given = settings.rabbitmq_management_url
    url = urlsplit(given.get_secret_value() if given else f"http://{broker.hostname}:15672")
    user, password = url.username or broker.username, url.password or broker.password
    base = urlunsplit((url.scheme, f"{url.hostname}:{url.port or 15672}", url.path, "", ""))
    credentials = (unquote(user or "guest"), unquote(password or "guest"))
    async with httpx.AsyncClient(base_url=base, auth=credentials, timeout=5) as client:
        yield Management(client, unquote(broker.path[1:]) or "/")
