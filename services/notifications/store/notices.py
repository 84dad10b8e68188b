"""Notices and the deliveries they begin with, written in sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import LIFETIME
from services.notifications.domain.deliveries import Beginning, Channel, State
from services.notifications.domain.notices import Notice
from services.notifications.schema import deliveries, notifications
from shared.db import insert_rows
from shared.identity import new_id

_NOTIFICATIONS: Final = (
    insert_rows(
        notifications,
        (
            "id",
            "category",
            "template",
            "tenant_id",
            "dedup_key",
            "source_message_id",
            "correlation_id",
            "context",
            "created_at",
        ),
    )
    .on_conflict_do_nothing()
    .returning(notifications.c.id)
)
_DELIVERIES: Final = insert_rows(
    deliveries,
    (
        "id",
        "notification_id",
        "tenant_id",
        "channel",
        "state",
        "reason",
        "address",
        "next_attempt_at",
        "expires_at",
        "sent_at",
        "updated_at",
    ),
).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery about to be written."""

    notification_id: UUID
    tenant_id: UUID | None
    channel: Channel
    beginning: Beginning


async def add_notices(
    connection: AsyncConnection, notices: Sequence[Notice], at: datetime
) -> list[tuple[UUID, Notice]]:
    """Write the notices that nobody has written before; returns those, with their ids."""
    identified = [(new_id(), notice) for notice in notices]
    columns = {
        "id": [identity for identity, _ in identified],
        "category": [notice.category for notice in notices],
        "template": [notice.template for notice in notices],
        "tenant_id": [notice.tenant_id for notice in notices],
        "dedup_key": [notice.dedup_key for notice in notices],
        "source_message_id": [notice.source_message_id for notice in notices],
        "correlation_id": [notice.correlation_id for notice in notices],
        "context": [notice.context for notice in notices],
        "created_at": [at] * len(notices),
    }
    fresh = set(await connection.scalars(_NOTIFICATIONS, columns))
    return [(identity, notice) for identity, notice in identified if identity in fresh]


async def add_deliveries(connection: AsyncConnection, rows: Iterable[NewDelivery], at: datetime) -> None:
    """Write the deliveries of new notices, due at once where they are queued."""
    listed = list(rows)
    states = [row.beginning.state for row in listed]
    expires_at = at + LIFETIME
    columns = {
        "id": [new_id() for _ in listed],
        "notification_id": [row.notification_id for row in listed],
        "tenant_id": [row.tenant_id for row in listed],
        "channel": [row.channel for row in listed],
        "state": states,
        "reason": [row.beginning.reason for row in listed],
        "address": [row.beginning.address for row in listed],
        "next_attempt_at": [at if state is State.QUEUED else None for state in states],
        "expires_at": [expires_at if state is State.QUEUED else None for state in states],
        "sent_at": [at if state is State.DELIVERED else None for state in states],
        "updated_at": [at] * len(listed),
    }
    await connection.execute(_DELIVERIES, columns)
