"""Weather, wired. Nothing else happens here."""

from pathlib import Path
from typing import Final

from services.weather.handlers import router
from services.weather.poller import Poller, PollerMetrics, Polling
from services.weather.providers import make_asker, make_client
from services.weather.settings import Settings
from shared.clock import Clock, is_simulated
from shared.hosting import ServiceHost

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "router"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with the poller beside it but in a simulation."""
    chosen = settings or Settings()  # from the environment
    host = ServiceHost(name="weather", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock)
    transactions = host.transactions
    if is_simulated(transactions.clock):
        return host  # nobody can be asked what the weather was in a past that never was
    host.add_worker(
        Poller(
            transactions=transactions,
            asker=make_asker(chosen, transactions.clock, make_client(chosen)),
            metrics=PollerMetrics(host.registry),
            polling=Polling(
                places_at_once=chosen.concurrency,
                also=chosen.also_warn_of,
                official_only=chosen.conditions == "off",
            ),
        )
    )
    return host
