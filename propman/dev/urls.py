"""Where the servers of one instance are, as the rest of the project is told."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from propman.dev.errors import ServersUnavailable

GIVEN_KEY = "PROPMAN_DEV_GIVEN"  # the line of propman.env that names the servers we did not start
MANAGEMENT_PORT = 15672  # RabbitMQ's own default, for a broker that was given without its management address


@dataclass(frozen=True)
class ServerUrls:
    """Everything needed to reach one instance; the PostgreSQL address is the administrator's."""

    postgres_url: str
    rabbitmq_url: str
    rabbitmq_management_url: str
    smtp_url: str
    mail_dir: Path


@dataclass(frozen=True)
class ServerStatus:
    """One server as `propman dev status` shows it."""

    name: str
    state: str  # running, not answering, stopped, or given (somebody else's server, named in the environment)
    pid: int | None
    port: int | None


@dataclass(frozen=True)
class GivenServers:
    """Servers that exist already, so that none of ours is started in their place."""

    postgres_url: str | None = None
    rabbitmq_url: str | None = None
    rabbitmq_management_url: str | None = None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], written: Mapping[str, str] | None = None
    ) -> Self:
        """Read the PROPMAN_*_URL variables, given what `.local/propman.env` says (`written`).

        Every command reads that file into its environment, and it holds the addresses of the servers we
        started ourselves. Those are not given; given are those it marks so, and those it does not have.
        """
        written = written or {}
        marked = written.get(GIVEN_KEY, "").split(",")

        def given(server: str, key: str) -> str | None:
            url = environment.get(key) or None
            return None if url == written.get(key) and server not in marked else url

        postgres, rabbitmq = (
            given("postgres", "PROPMAN_POSTGRES_URL"),
            given("rabbitmq", "PROPMAN_RABBITMQ_URL"),
        )
        if rabbitmq is None:
            return cls(postgres_url=postgres)
        management = given("rabbitmq", "PROPMAN_RABBITMQ_MANAGEMENT_URL") or _usual_management_url(rabbitmq)
        return cls(postgres_url=postgres, rabbitmq_url=rabbitmq, rabbitmq_management_url=management)

    @property
    def names(self) -> list[str]:
        """The servers that are not ours."""
        given = {"postgres": self.postgres_url, "rabbitmq": self.rabbitmq_url}
        return [name for name, url in given.items() if url]

    def check(self) -> None:
        """Refuse an address at which nobody answers, such as one that an old shell still has exported."""
        usual = {
            "PROPMAN_POSTGRES_URL": (self.postgres_url, 5432),
            "PROPMAN_RABBITMQ_URL": (self.rabbitmq_url, 5672),
        }
        for key, (url, port) in usual.items():
            if url and not _answers(url, port):
                raise ServersUnavailable(
                    f"{key} names a server that does not answer: unset it to start one here"
                )


def _answers(url: str, usual_port: int) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or usual_port), timeout=5):
            return True
    except OSError:
        return False


def _usual_management_url(rabbitmq_url: str) -> str:
    parts = urlsplit(rabbitmq_url)
    credentials = f"{parts.username}:{parts.password}@" if parts.username else ""
    return f"http://{credentials}{parts.hostname or 'localhost'}:{MANAGEMENT_PORT}"
