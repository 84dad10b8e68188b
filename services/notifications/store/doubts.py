"""Texts whose fate is not known, and what is found out about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.deliveries import Channel, State
from services.notifications.schema import deliveries, delivery_history, notifications
from services.notifications.store.deliveries import Claimed, claimed_of, with_what_it_says
from services.notifications.store.waiting import wake_senders

ESCALATED: Final = "escalated"
_MOST: Final = 100
_OLD_NEWS: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A text, what it said, and since when it may exist."""

    claimed: Claimed
    body: str
    since: datetime


def _rows(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.add_columns(
        deliveries.c.rendered["sms"].astext.label("doubt_body"),
        deliveries.c.updated_at.label("doubt_since"),
    ).limit(_MOST)


async def _found(connection: AsyncConnection, query: sa.Select[Any]) -> list[Doubtful]:
    found = []
    for row in (await connection.execute(_rows(query))).mappings():
        own = {name: row[name] for name in row if not name.startswith("doubt_")}
        found.append(Doubtful(claimed_of(own), row["doubt_body"] or "", row["doubt_since"]))
    return found


async def unknown_texts(connection: AsyncConnection, before: datetime, looked_up: str) -> list[Doubtful]:
    """Texts that have been `unknown` since before a moment, and were not looked up yet."""
    query = with_what_it_says(deliveries).where(
        deliveries.c.state == State.UNKNOWN,
        deliveries.c.channel == Channel.SMS,
        deliveries.c.updated_at < before,
        deliveries.c.reason.is_distinct_from(looked_up),
    )
    return await _found(connection, query.order_by(deliveries.c.updated_at))


async def late_warnings(
    connection: AsyncConnection, before: datetime, at: datetime, settled: Sequence[State]
) -> list[Doubtful]:
    """Urgent texts of before a moment that are not settled, still matter, and go by no e-mail."""
    other = deliveries.alias("other")
    by_email = sa.exists(
        sa.select(1).where(
            other.c.notification_id == deliveries.c.notification_id, other.c.channel == Channel.EMAIL
        )
    )
    escalated = sa.exists(
        sa.select(1).where(
            delivery_history.c.delivery_id == deliveries.c.id, delivery_history.c.event == ESCALATED
        )
    )
    query = with_what_it_says(deliveries).where(
        deliveries.c.channel == Channel.SMS,
        deliveries.c.state.in_([State.QUEUED, State.RETRY_WAIT, State.UNKNOWN, State.SENT]),
        deliveries.c.state.not_in(settled),
        deliveries.c.reason.is_distinct_from("quiet_hours"),
        notifications.c.criticality > 0,
        notifications.c.created_at.between(at - _OLD_NEWS, before),
        sa.or_(notifications.c.expires_at.is_(None), notifications.c.expires_at > at),
        ~by_email,
        ~escalated,
    )
    return await _found(connection, query.order_by(deliveries.c.id))


async def escalated(connection: AsyncConnection, delivery_id: UUID, at: datetime) -> None:
    """Remember that another way was looked for, so that it is done once."""
    entry = {"event": ESCALATED, "state": State.SENT, "reason": "not_known_to_have_arrived"}
    await connection.execute(sa.insert(delivery_history).values(delivery_id=delivery_id, at=at, **entry))


async def found(connection: AsyncConnection, delivery_id: UUID, provider_id: str, at: datetime) -> None:
    """The provider has it: it was sent after all."""
    await _move(
        connection,
        delivery_id,
        at,
        event="found_at_provider",
        state=State.SENT,
        reason=None,
        provider_message_id=provider_id,
        sent_at=at,
    )


async def not_found(connection: AsyncConnection, delivery_id: UUID, reason: str, at: datetime) -> None:
    """The provider does not know it; it stays `unknown`, and a person may send it again."""
    await _move(connection, delivery_id, at, event="looked_up", state=State.UNKNOWN, reason=reason)


async def send_again(connection: AsyncConnection, delivery_id: UUID, reason: str, at: datetime) -> None:
    """The provider does not know it, and it matters more than a second copy would."""
    moved = {"state": State.RETRY_WAIT, "reason": reason, "next_attempt_at": at}
    await _move(connection, delivery_id, at, event="looked_up", **moved)
    await wake_senders(connection)


async def _move(
    connection: AsyncConnection, delivery_id: UUID, at: datetime, *, event: str, **values: Any
) -> None:
    moved = await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == State.UNKNOWN)
        .values(updated_at=at, **values)
    )
    if moved.rowcount:
        entry = {"event": event, "state": values["state"], "reason": values["reason"]}
        await connection.execute(sa.insert(delivery_history).values(delivery_id=delivery_id, at=at, **entry))
