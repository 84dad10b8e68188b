"""A virtual host of its own for each test session, so that no test sees another's queues."""

import secrets
from urllib.parse import quote, urlsplit

import httpx

from propman.dev import ServerUrls


class TestVhost:
    """Made through RabbitMQ's management API, and removed again."""

    __test__ = False

    def __init__(self, urls: ServerUrls) -> None:
        self.name = f"test-{secrets.token_hex(4)}"
        parts = urlsplit(urls.rabbitmq_management_url)
        self._api = f"{parts.scheme}://{parts.hostname}:{parts.port}/api"
        self._auth = (parts.username or "guest", parts.password or "guest")
        broker = urlsplit(urls.rabbitmq_url)
        self.url = f"{broker.scheme}://{broker.netloc}/{quote(self.name, safe='')}"

    def create(self) -> None:
        """Make the virtual host and let our user do everything in it."""
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self._put(f"/vhosts/{self.name}", {})
        self._put(f"/permissions/{self.name}/{self._auth[0]}", everything)

    def delete(self) -> None:
        """Remove the virtual host with all that is in it."""
        httpx.delete(f"{self._api}/vhosts/{self.name}", auth=self._auth, timeout=30).raise_for_status()

    def get(self, path: str) -> object:
        """Ask the management API about this virtual host."""
        answer = httpx.get(f"{self._api}{path}", auth=self._auth, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def close_connections(self, reason: str = "test") -> int:
        """Have the broker cut every connection of this virtual host; returns how many there were."""
        found = self.get(f"/vhosts/{self.name}/connections")
        assert isinstance(found, list)
        for connection in found:
            name = quote(connection["name"], safe="")
            httpx.delete(
                f"{self._api}/connections/{name}", auth=self._auth, timeout=30, headers={"X-Reason": reason}
            )
        return len(found)

    def _put(self, path: str, body: dict[str, str]) -> None:
        httpx.put(f"{self._api}{path}", json=body, auth=self._auth, timeout=30).raise_for_status()
