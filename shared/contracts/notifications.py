"""The facts of notifications: what reached somebody, and what did not. Ids and reasons, never an address."""

from typing import Literal
from uuid import UUID

from shared.contracts.base import Fact, Instant
from shared.contracts.cleaning import CleaningStep


class DeliveryFact(Fact):
    """One notification on one channel."""

    delivery_id: UUID
    notification_id: UUID
    tenant_id: UUID | None = None
    """None where an address was written to that belongs to no tenant."""
    channel: Literal["email", "sms", "in_app", "webhook", "console"]
    category: str
    template: str
    attempts: int


class NotificationDelivered(DeliveryFact, subject="notification_id"):
    """It was handed over: the mail server accepted it, a carrier reported it, a webhook took it.

    In-app messages say nothing.
    """

    delivered_at: Instant


class NotificationFailed(DeliveryFact, subject="notification_id"):
    """It will not be delivered on this channel unless a person tries again."""

    state: Literal["failed_permanent", "failed_expired"]
    reason: str
    failed_at: Instant


class ContactOptedOut(Fact, subject="suppression_id"):
    """Somebody closed an address of theirs, by STOP or by unsubscribing; carries no address."""

    suppression_id: UUID
    tenant_ids: tuple[UUID, ...] = ()
    """Every tenant who has that address."""
    channel: Literal["email", "sms"]
    scope: str
    """The category they closed, or "all"."""
    reason: Literal["stop", "unsubscribe"]
    opted_out_at: Instant


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""
