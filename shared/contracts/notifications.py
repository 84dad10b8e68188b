"""The facts of notifications: what reached somebody, and what did not. Ids and reasons, never an address."""

from typing import Literal
from uuid import UUID

from shared.contracts.base import Fact, Instant


class DeliveryFact(Fact):
    """One notification on one channel."""

    delivery_id: UUID
    notification_id: UUID
    tenant_id: UUID | None = None
    """None where an address was written to that belongs to no tenant."""
    channel: Literal["email", "sms", "in_app"]
    category: str
    template: str
    attempts: int


class NotificationDelivered(DeliveryFact, subject="notification_id"):
    """It was handed over: for e-mail, the mail server accepted it. In-app messages say nothing."""

    delivered_at: Instant


class NotificationFailed(DeliveryFact, subject="notification_id"):
    """It will not be delivered on this channel unless a person tries again."""

    state: Literal["failed_permanent", "failed_expired"]
    reason: str
    failed_at: Instant
