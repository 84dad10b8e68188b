"""What of notifications is only history.

A notification's row stays for ever: its dedup key is what keeps anything from being said twice. What it
said, and the deliveries that carried it, may go. So may not: what lies in somebody's inbox in the app, a
warning whose all-clear is still to come, what somebody still owes, and whatever is under way.
"""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.schema import (
    deliveries,
    delivery_events,
    delivery_history,
    notifications,
    premises,
)
from shared.sweeping import Sweep, key_of

CLEANED: Final[dict[str, Any]] = {}
"""The context of a notification whose text is gone."""

_NOTHING: Final = sa.cast(sa.literal_column("'{}'"), JSONB)
_UNDER_WAY: Final = ("awaiting_contact", "queued", "sending", "retry_wait", "unknown")
_FAILED: Final = ("failed_permanent", "failed_expired", "bounced", "complained")
_WARNINGS: Final = ("weather_raised", "weather_updated")


def _settled(subject: str, *states: str) -> sa.ColumnElement[bool]:
    """Whether the thing that a notification is about is over."""
    about = sa.cast(notifications.c.context[subject].astext, sa.Uuid)
    return sa.exists().where(premises.c.subject_id == about, premises.c.state.in_(states))


_AWAITS_THE_ALL_CLEAR: Final = sa.and_(
    notifications.c.template.in_(_WARNINGS),
    notifications.c.context != _NOTHING,
    ~_settled("incident_id", "cleared", "replaced"),
)
_OWED: Final = sa.and_(
    notifications.c.template == "overdue",
    notifications.c.context != _NOTHING,
    ~_settled("invoice_id", "paid", "voided"),
)


def _old(before: datetime) -> sa.ColumnElement[bool]:
    return deliveries.c.updated_at < before


_IN_USE: Final = sa.or_(
    deliveries.c.state.in_(_UNDER_WAY),
    sa.and_(deliveries.c.channel == "in_app", deliveries.c.archived_at.is_(None)),
)


def _needed(_before: datetime) -> sa.ColumnElement[bool]:
    warned = sa.exists().where(notifications.c.id == deliveries.c.notification_id, _AWAITS_THE_ALL_CLEAR)
    return sa.or_(_IN_USE, warned)


def _kept(delivery_id: sa.ColumnElement[Any], before: datetime) -> sa.ColumnElement[bool]:
    """Whether the delivery that a row belongs to is there and stays."""
    stays = sa.or_(~_old(before), _needed(before))
    return sa.exists().where(deliveries.c.id == delivery_id, stays)


async def _empty(connection: AsyncConnection, table: sa.Table, chosen: sa.Select[Any]) -> int:
    forget = sa.update(table).where(key_of(table).in_(chosen)).values(context=CLEANED)
    return (await connection.execute(forget)).rowcount


def _text_needed(before: datetime) -> sa.ColumnElement[bool]:
    stays = sa.or_(~_old(before), _IN_USE)
    carried = sa.exists().where(deliveries.c.notification_id == notifications.c.id, stays)
    return sa.or_(carried, _AWAITS_THE_ALL_CLEAR, _OWED)


SWEEPS: Final = (
    # Texts first: whether one is needed is read off the deliveries, which go next.
    Sweep(
        kind="texts",
        table=notifications,
        old=lambda before: sa.and_(notifications.c.created_at < before, notifications.c.context != _NOTHING),
        needed=_text_needed,
        remove=_empty,
    ),
    Sweep(
        kind="delivery steps",
        table=delivery_history,
        old=lambda before: delivery_history.c.at < before,
        needed=lambda before: _kept(delivery_history.c.delivery_id, before),
    ),
    Sweep(
        kind="providers' reports",
        table=delivery_events,
        old=lambda before: delivery_events.c.received_at < before,
        needed=lambda before: _kept(delivery_events.c.delivery_id, before),
    ),
    Sweep(
        kind="deliveries",
        table=deliveries,
        old=_old,
        needed=_needed,
        failure=deliveries.c.state.in_(_FAILED),
    ),
)
