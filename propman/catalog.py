"""The services of the system by name: their composition roots and all they listen to."""

import importlib
from pathlib import Path
from typing import Literal, Protocol

from propman.discovery import service_names
from shared.cli import UsageProblem
from shared.clock import Clock
from shared.hosting import ServiceHost
from shared.messaging.naming import dead_queue_for
from shared.messaging.router import Router, Subscription
from shared.messaging.topology import retry_names
from shared.settings import ServiceSettings

__all__ = [
    "AppModule",
    "QueueKind",
    "all_queues",
    "all_subscriptions",
    "app_module",
    "chosen_services",
    "service_names",
]

QueueKind = Literal["messages", "dead letters", "retries"]
"""For messages to a service; for what the broker gave up on; in which messages wait for their next try."""


class AppModule(Protocol):
    """What each service's `app.py` offers to those who run it."""

    MIGRATIONS: Path
    router: Router
    Settings: type[ServiceSettings]

    @staticmethod
    def create_app(settings: ServiceSettings | None = None, clock: Clock | None = None) -> ServiceHost:
        """The service, wired."""


def chosen_services(names: list[str] | None) -> list[str]:
    """The services somebody named, or all; refuses an unknown name with the list of known ones."""
    known = service_names()
    for name in names or []:
        if name not in known:
            raise UsageProblem(f"There is no service {name!r}.", remedy=f"Choose from: {', '.join(known)}.")
    return list(dict.fromkeys(names)) if names else known


def app_module(name: str) -> AppModule:
    """The composition root of one service."""
    return importlib.import_module(f"services.{name}.app")  # type: ignore[return-value]


def all_subscriptions() -> list[Subscription]:
    """What every service of the system listens to: the whole topology."""
    return [item for name in service_names() for item in app_module(name).router.subscriptions]


def all_queues() -> dict[str, QueueKind]:
    """Every queue of the system by its name, and what it is for."""
    subscriptions = all_subscriptions()
    consumers = sorted({item.consumer for item in subscriptions})
    return {
        **{item.queue: "messages" for item in subscriptions},
        **{dead_queue_for(name): "dead letters" for name in consumers},
        **dict.fromkeys(retry_names(), "retries"),
    }
