"""Notifications, wired. Nothing else happens here."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from services.notifications.gateways.mail import Sender as From
from services.notifications.gateways.smtp import SmtpMailer
from services.notifications.gateways.smtp_url import parse_smtp_url
from services.notifications.handlers import router
from services.notifications.rendering import Templates
from services.notifications.sender import Sender, SenderMetrics, Sending
from services.notifications.settings import Settings
from services.notifications.store.tracing import trace
from shared.clock import Clock
from shared.db import driver_url
from shared.hosting import ServiceHost

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "router", "trace"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with the sender beside it."""
    chosen = settings or Settings()  # from the environment
    host = ServiceHost(
        name="notifications", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock
    )
    server = parse_smtp_url(chosen.smtp_url.get_secret_value())
    from_whom = From(chosen.sender_address, chosen.sender_name)
    host.add_worker(
        Sender(
            transactions=host.transactions,
            dsn=driver_url(chosen.database_url.get_secret_value()),
            mailer=lambda: SmtpMailer(server, from_whom, timeout=chosen.lease_seconds / 4),
            templates=Templates(),
            metrics=SenderMetrics(host.registry),
            sending=Sending(
                connections=chosen.concurrency,
                lease=timedelta(seconds=chosen.lease_seconds),
                after_crash=chosen.after_crash,
                after_drop=chosen.after_drop,
            ),
        )
    )
    return host
