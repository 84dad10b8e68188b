"""Notifications, wired. Nothing else happens here."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from services.notifications.api import Api
from services.notifications.domain.attempts import Doubt
from services.notifications.domain.deliveries import Channel
from services.notifications.following_up import FollowUp
from services.notifications.gateways.carrier import Carrier, Console, History, NotSetUp
from services.notifications.gateways.mail import Sender as From
from services.notifications.gateways.smtp import SmtpMailer
from services.notifications.gateways.smtp_url import parse_smtp_url
from services.notifications.gateways.twilio import API, Account, Twilio
from services.notifications.gateways.webhook import Webhook
from services.notifications.handlers import router
from services.notifications.links import Links
from services.notifications.rendering import Templates
from services.notifications.schema import WAKE_CHANNEL
from services.notifications.sender import Sender, SenderMetrics, Sending
from services.notifications.settings import Settings
from services.notifications.store.tracing import story_of, trace
from shared.clock import Clock, is_simulated
from shared.db import driver_url
from shared.hosting import ServiceHost
from shared.link_keys import keys_of
from shared.wake import WakeUp

MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = ["MIGRATIONS", "Settings", "create_app", "links_of", "router", "story_of", "trace"]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> ServiceHost:
    """Settings -> pool -> brokers -> router -> one host, with a sender per channel beside it.

    On the clock of a simulation each of them only writes down that it sent.
    """
    chosen = settings or Settings()  # from the environment
    host = ServiceHost(
        name="notifications", settings=chosen, router=router, migrations=MIGRATIONS, clock=clock
    )
    simulated = is_simulated(host.transactions.clock)
    links, templates = None if simulated else links_of(chosen), Templates()
    texts = History if simulated else _text_carrier(chosen, links)
    dsn = driver_url(chosen.database_url.get_secret_value())
    wake = WakeUp(dsn, WAKE_CHANNEL)
    for channel, (mailer, sending) in _ways_out(chosen, texts, links).items():
        host.add_worker(
            Sender(
                transactions=host.transactions,
                dsn=dsn,
                mailer=History if simulated else mailer,
                templates=templates,
                metrics=SenderMetrics(host.registry, channel),
                sending=sending,
                channel=channel,
                unsubscribe=links.unsubscribe if links else None,
                wake=wake,
                keys=keys_of(chosen.link_key),
            )
        )
    host.add_worker(wake)
    host.add_worker(FollowUp(host.transactions, _finder(texts), reports=links is not None))
    host.add_routes(Api(host.transactions, links, chosen, templates).routes())
    return host


def links_of(settings: Settings) -> Links | None:
    """The links this service hands out; None where it has no address that the world reaches."""
    if settings.key is None or settings.public_url is None:
        return None
    return Links(settings.key, settings.public_url)


def _ways_out(
    settings: Settings, texts: Callable[[], Carrier], links: Links | None
) -> dict[Channel, tuple[Callable[[], Carrier], Sending]]:
    """A carrier and its rules for each channel that leaves the house."""
    server = parse_smtp_url(settings.smtp_url.get_secret_value())
    from_whom = From(settings.sender_address, settings.sender_name)
    lease = timedelta(seconds=settings.lease_seconds)
    printed: Callable[[], Carrier] = Console if settings.console else NotSetUp
    once = Sending(connections=4, lease=lease, after_crash=Doubt.HOLD, reports=links is not None)
    again = Sending(
        connections=2, lease=lease, after_crash=Doubt.RESEND, after_drop=Doubt.RESEND, poll_seconds=2.0
    )
    mails = Sending(
        connections=settings.concurrency,
        lease=lease,
        after_crash=settings.after_crash,
        after_drop=settings.after_drop,
    )
    return {
        Channel.EMAIL: (lambda: SmtpMailer(server, from_whom, timeout=settings.lease_seconds / 4), mails),
        Channel.SMS: (texts, once),
        Channel.WEBHOOK: (Webhook, again),
        Channel.CONSOLE: (printed, again),
    }


def _finder(texts: Callable[[], Carrier]) -> Twilio | None:
    """A connection of its own to look up texts with, where there is somebody to ask."""
    carrier = texts()
    return carrier if isinstance(carrier, Twilio) else None


def _text_carrier(settings: Settings, links: Links | None) -> Callable[[], Carrier]:
    if not settings.twilio_account_sid:
        return NotSetUp
    secret = settings.twilio_api_secret if settings.twilio_api_key else settings.twilio_auth_token
    account = Account(
        sid=settings.twilio_account_sid,
        user=settings.twilio_api_key or settings.twilio_account_sid,
        password=secret.get_secret_value(),
        sender=settings.twilio_from,
        base_url=settings.twilio_url or API,
    )
    report = links.report if links else None
    return lambda: Twilio(account, callback=report, timeout=settings.lease_seconds / 4)
