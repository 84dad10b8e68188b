"""Rewards, wired. Nothing else happens here."""

from pathlib import Path
from typing import Final

from services.rewards.handlers import router
from services.rewards.settings import Settings
from shared.clock import Clock
from shared.hosting import ServiceHost

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "router"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host."""
    chosen = settings or Settings()  # from the environment
    return ServiceHost(name="rewards", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock)
