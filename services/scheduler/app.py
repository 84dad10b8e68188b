"""The scheduler, wired. Nothing else happens here."""

from pathlib import Path
from typing import Final

from services.scheduler.handlers import router
from services.scheduler.overview import open_alerts, overview
from services.scheduler.schema import WAKE_CHANNEL
from services.scheduler.settings import Settings
from services.scheduler.store import trace
from services.scheduler.ticking import DueLoop
from services.scheduler.watching import Watchdog, broker_look
from shared.clock import Clock
from shared.db import driver_url
from shared.hosting import ServiceHost
from shared.wake import WakeUp

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "open_alerts", "overview", "router", "trace"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with the due loop beside it."""
    settings = settings or Settings()
    host = ServiceHost(
        name="scheduler",
        settings=settings,
        router=router,
        migrations=MIGRATIONS,
        clock=clock,
    )
    host.add_worker(Watchdog(host.transactions, broker_look(settings.broker_url.get_secret_value())))
    host.add_worker(
        DueLoop(host.transactions, WakeUp(driver_url(settings.database_url.get_secret_value()), WAKE_CHANNEL))
    )
    return host
