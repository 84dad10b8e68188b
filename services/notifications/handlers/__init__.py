"""What notifications does on each message. The rules are in domain/, the sending is in sender.py."""

from services.notifications.handlers import (
    billing,
    contacts,
    hooks,
    operations,
    rewards,
    signing,
    telling,
    weather,
    work_orders,
)
from services.notifications.handlers.billing import announce_invoices, send_receipts
from services.notifications.handlers.contacts import keep_contacts, keep_leases, keep_property
from services.notifications.handlers.telling import tell
from services.notifications.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.contracts.notifications import CleanUp
from shared.messaging.router import Router

router = Router("notifications")
router.include(contacts.router, billing.router, weather.router, work_orders.router, operations.router)
router.include(signing.router, rewards.router)
router.include(cleaning_router("notifications", CleanUp, SWEEPS))


def events() -> list[str]:
    """Everything that groups of the office can subscribe to."""
    news = (
        billing.router,
        weather.router,
        work_orders.router,
        operations.router,
        signing.router,
        rewards.router,
    )
    facts = [item.topic.split(".")[1] for known in news for item in known.subscriptions]
    return sorted({*facts, telling.UNREACHABLE, hooks.TO_REVIEW})


__all__ = [
    "announce_invoices",
    "events",
    "keep_contacts",
    "keep_leases",
    "keep_property",
    "router",
    "send_receipts",
    "tell",
]
