"""Leasing, wired. Nothing else happens here."""

from pathlib import Path
from typing import Final

from services.leasing.api import SignersPage, routes
from services.leasing.handlers import router
from services.leasing.links import links_of
from services.leasing.settings import Settings
from shared.clock import Clock
from shared.hosting import ServiceHost

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "router"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with the signer's page beside it."""
    chosen = settings or Settings()  # from the environment
    host = ServiceHost(name="leasing", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock)
    host.add_routes(routes(SignersPage(host.transactions) if links_of(chosen) else None))
    return host
