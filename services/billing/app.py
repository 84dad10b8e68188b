"""Billing, wired. Nothing else happens here."""

from pathlib import Path
from typing import Final

from services.billing.api import StripeWebhooks, routes
from services.billing.collector import Collecting, Collector, CollectorMetrics
from services.billing.gateways.configured import configured_gateways
from services.billing.handlers import router
from services.billing.settings import Settings
from shared.clock import Clock
from shared.db import driver_url
from shared.hosting import ServiceHost

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "router"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with the collector and the webhooks beside it."""
    chosen = settings or Settings()  # from the environment
    host = ServiceHost(name="billing", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock)
    host.add_worker(
        Collector(
            transactions=host.transactions,
            dsn=driver_url(chosen.database_url.get_secret_value()),
            gateways=configured_gateways(chosen, host.transactions.clock),
            metrics=CollectorMetrics(host.registry),
            collecting=Collecting(workers=chosen.autopay_workers),
        )
    )
    secrets = [secret.get_secret_value() for secret in chosen.stripe_webhook_secrets]
    host.add_routes(routes(StripeWebhooks(host.transactions, secrets)))
    return host
