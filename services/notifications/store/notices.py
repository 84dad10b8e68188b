"""Notices and the deliveries they begin with, written in sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import begins_at, ends_at
from services.notifications.domain.decisions import DIGESTED
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
            "criticality",
            "expires_at",
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
        "digest_key",
    ),
).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery about to be written."""

    notification_id: UUID
    tenant_id: UUID | None
    channel: Channel
    beginning: Beginning
    digest_key: str | None = None
    expires_at: datetime | None = None
    """Of the notification; nothing is tried longer than its channel's lifetime either."""


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
        "criticality": [int(notice.criticality) for notice in notices],
        "expires_at": [notice.expires_at for notice in notices],
    }
    fresh = set(await connection.scalars(_NOTIFICATIONS, columns))
    return [(identity, notice) for identity, notice in identified if identity in fresh]


async def add_deliveries(connection: AsyncConnection, rows: Iterable[NewDelivery], at: datetime) -> None:
    """Write the deliveries of new notices, due at once where they are queued."""
    listed = list(rows)
    starts = [begins_at(row.beginning, at) for row in listed]
    columns = {
        "id": [new_id() for _ in listed],
        "notification_id": [row.notification_id for row in listed],
        "tenant_id": [row.tenant_id for row in listed],
        "channel": [row.channel for row in listed],
        "state": [row.beginning.state for row in listed],
        "reason": [row.beginning.reason for row in listed],
        "address": [row.beginning.address for row in listed],
        "next_attempt_at": starts,
        "expires_at": [
            ends_at(start, row.channel, row.expires_at) for start, row in zip(starts, listed, strict=True)
        ],
        "sent_at": [at if row.beginning.state is State.DELIVERED else None for row in listed],
        "updated_at": [at] * len(listed),
        "digest_key": [row.digest_key for row in listed],
    }
    await connection.execute(_DELIVERIES, columns)


_CLOSED: Final = ("skipped", "suppressed", "failed_permanent", "failed_expired", "canceled", "bounced")


async def goes_by_another(connection: AsyncConnection, notification_id: UUID, channel: Channel) -> bool:
    """Whether a notification goes, or went, by some other way than this one and the app."""
    others = sa.select(1).where(
        deliveries.c.notification_id == notification_id,
        deliveries.c.channel.not_in([channel, Channel.IN_APP]),
        deliveries.c.state.not_in(_CLOSED),
    )
    return bool(await connection.scalar(sa.select(sa.exists(others))))


async def told_of_alert(connection: AsyncConnection, incident_id: UUID) -> set[UUID]:
    """Who was warned of an incident by any channel; what still waits, or was withheld, warned nobody."""
    query = _told_of(incident_id).with_only_columns(notifications.c.tenant_id).distinct()
    return {person for person in await connection.scalars(query) if person is not None}


async def last_told_of_alert(connection: AsyncConnection, incident_id: UUID) -> dict[UUID, datetime]:
    """When each was last told of an incident by something that disturbs them: an e-mail or a text."""
    query = (
        _told_of(incident_id)
        .with_only_columns(notifications.c.tenant_id, sa.func.max(deliveries.c.sent_at))
        .where(deliveries.c.channel.in_(DIGESTED), deliveries.c.sent_at.is_not(None))
        .group_by(notifications.c.tenant_id)
    )
    return {person: at for person, at in await connection.execute(query) if person is not None}


def _told_of(incident_id: UUID) -> sa.Select[Any]:
    keys = [f"{template}.{incident_id}:" for template in ("weather_raised", "weather_updated")]
    warned = [
        sa.and_(notifications.c.dedup_key > key, notifications.c.dedup_key < f"{key[:-1]};") for key in keys
    ]
    return (
        sa.select(notifications)
        .join(deliveries, deliveries.c.notification_id == notifications.c.id)
        .where(sa.or_(*warned), deliveries.c.state.in_(["sent", "delivered"]))
    )
