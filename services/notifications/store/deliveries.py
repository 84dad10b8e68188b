"""How deliveries move: queued when a contact arrives, claimed, settled, recovered, tried again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import LIFETIME, Outcome, Result, Step
from services.notifications.domain.deliveries import Beginning, State, states_before
from services.notifications.schema import (
    WAKE_CHANNEL,
    contacts,
    deliveries,
    delivery_history,
    notifications,
    properties,
)
from shared.identity import new_id

_DUE: Final = deliveries.c.state.in_([sa.literal_column("'queued'"), sa.literal_column("'retry_wait'")])
_SENDING: Final = deliveries.c.state == sa.literal_column("'sending'")
_AWAITING: Final = deliveries.c.state == sa.literal_column("'awaiting_contact'")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours to send, with all that its text is made from."""

    id: UUID
    claim: UUID
    notification_id: UUID
    tenant_id: UUID | None
    address: str
    attempts: int
    expires_at: datetime
    category: str
    template: str
    source_message_id: UUID
    correlation_id: UUID
    created_at: datetime
    context: Mapping[str, Any]
    locale: str
    tenant_name: str
    property_name: str


async def awaited(connection: AsyncConnection, tenant_ids: Collection[UUID]) -> list[UUID]:
    """Which of these tenants some delivery waits for to become known."""
    found = (
        sa.select(deliveries.c.tenant_id)
        .distinct()
        .where(
            deliveries.c.tenant_id == sa.func.any(sa.bindparam("tenant_ids", type_=ARRAY(sa.Uuid))), _AWAITING
        )
    )
    rows = await connection.scalars(found, {"tenant_ids": list(tenant_ids)})
    return [tenant_id for tenant_id in rows if tenant_id is not None]


async def queue_awaiting(
    connection: AsyncConnection, tenant_id: UUID, beginning: Beginning, at: datetime
) -> int:
    """Let what waited for a contact go on; returns how many deliveries did."""
    queued = beginning.state is State.QUEUED
    moved = await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.tenant_id == tenant_id, _AWAITING)
        .values(
            state=beginning.state,
            reason=beginning.reason,
            address=beginning.address,
            next_attempt_at=at if queued else None,
            expires_at=at + LIFETIME if queued else None,
            updated_at=at,
        )
    )
    if queued and moved.rowcount:
        await wake_senders(connection)
    return moved.rowcount


async def wake_senders(connection: AsyncConnection) -> None:
    """Tell the senders, when this transaction commits, that there is work."""
    await connection.execute(sa.select(sa.func.pg_notify(WAKE_CHANNEL, "")))


def _with_what_it_says(delivery: sa.FromClause) -> sa.Select[Any]:
    """Delivery rows together with all that their text is made from."""
    notice = notifications.c
    return (
        sa.select(
            delivery.c.id,
            delivery.c.locked_by.label("claim"),
            delivery.c.notification_id,
            delivery.c.tenant_id,
            delivery.c.address,
            delivery.c.attempt_count.label("attempts"),
            delivery.c.expires_at,
            notice.category,
            notice.template,
            notice.source_message_id,
            notice.correlation_id,
            notice.created_at,
            notice.context,
            sa.func.coalesce(contacts.c.locale, "en").label("locale"),
            sa.func.coalesce(contacts.c.name, "").label("tenant_name"),
            sa.func.coalesce(properties.c.name, "").label("property_name"),
        )
        .select_from(delivery)
        .join(notifications, notice.id == delivery.c.notification_id)
        .outerjoin(contacts, contacts.c.tenant_id == delivery.c.tenant_id)
        .outerjoin(
            properties, properties.c.property_id == sa.cast(notice.context["property_id"].astext, sa.Uuid)
        )
    )


def _claim_statement() -> sa.Select[Any]:
    chosen = (
        sa.select(deliveries.c.id)
        .where(_DUE, deliveries.c.next_attempt_at <= sa.bindparam("at"))
        .order_by(deliveries.c.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    claimed = (
        sa.update(deliveries)
        .where(deliveries.c.id == chosen.c.id)
        .values(
            state=State.SENDING,
            locked_by=sa.bindparam("claim"),
            locked_until=sa.bindparam("until"),
            updated_at=sa.bindparam("at"),
        )
        .returning(deliveries)
        .cte("claimed")
    )
    return _with_what_it_says(claimed)


_CLAIM: Final = _claim_statement()
_ABANDONED: Final = (
    _with_what_it_says(deliveries)
    .where(_SENDING, deliveries.c.locked_until < sa.bindparam("at"))
    .order_by(deliveries.c.locked_until)
    .limit(100)
)


async def claim_next(connection: AsyncConnection, at: datetime, lease: timedelta) -> Claimed | None:
    """Take the delivery that has waited longest; nobody else gets it while the lease runs."""
    result = await connection.execute(_CLAIM, {"at": at, "claim": new_id(), "until": at + lease})
    row = result.one_or_none()
    return Claimed(**row._asdict()) if row else None


# The outcome and its line in the history as one statement, compiled once: every e-mail pays for it.
_SETTLE: Final = sa.text(
    """
    with moved as (
        update deliveries
           set state = :state, reason = :reason, attempt_count = attempt_count + :burnt,
               next_attempt_at = :next_attempt_at, locked_until = null,
               provider_message_id = :queue_id, sent_at = :sent_at, last_error = :last_error,
               updated_at = :at
         where id = :id and locked_by = :claim and state = any(:before)
        returning id)
    insert into delivery_history (delivery_id, at, event, state, reason, detail)
    select id, :at, :event, :state, :said, :detail from moved
    returning delivery_id"""
).bindparams(
    sa.bindparam("id", type_=sa.Uuid),
    sa.bindparam("claim", type_=sa.Uuid),
    sa.bindparam("before", type_=ARRAY(sa.Text)),
    sa.bindparam("burnt", type_=sa.Integer),
    *(sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in ("at", "next_attempt_at", "sent_at")),
    *(
        sa.bindparam(name, type_=sa.Text)
        for name in ("state", "reason", "queue_id", "last_error", "event", "said", "detail")
    ),
)


async def settle(
    connection: AsyncConnection, claimed: Claimed, step: Step, outcome: Outcome, at: datetime
) -> bool:
    """Record what came of a claim; False when the delivery went on without us meanwhile."""
    accepted = outcome.result is Result.ACCEPTED
    row = {
        "id": claimed.id,
        "claim": claimed.claim,
        "before": states_before(step.state),
        "state": step.state,
        "reason": step.reason,
        "burnt": int(step.burnt),
        "next_attempt_at": step.next_attempt_at,
        "queue_id": outcome.queue_id,
        "sent_at": at if accepted else None,
        "last_error": None if accepted else outcome.detail,
        "at": at,
        "event": outcome.result,
        "said": outcome.reason,
        "detail": outcome.detail,
    }
    return await connection.scalar(_SETTLE, row) is not None


async def abandoned(connection: AsyncConnection, at: datetime) -> list[Claimed]:
    """Deliveries whose worker's lease ran out; who settles one first has it."""
    return [Claimed(**row._asdict()) for row in await connection.execute(_ABANDONED, {"at": at})]


async def anything_due(connection: AsyncConnection, at: datetime) -> bool:
    """Whether a claim would find something."""
    due = sa.select(1).where(_DUE, deliveries.c.next_attempt_at <= at)
    return bool(await connection.scalar(sa.select(sa.exists(due))))


async def requeue(
    connection: AsyncConnection, delivery_id: UUID, address: str, former: State, at: datetime
) -> bool:
    """Put a delivery back in the queue because a person said so; False when it moved meanwhile."""
    moved = await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state == former)
        .values(
            state=State.QUEUED,
            reason=None,
            address=address,
            next_attempt_at=at,
            expires_at=at + LIFETIME,
            locked_by=None,
            locked_until=None,
            updated_at=at,
        )
    )
    if moved.rowcount:
        entry = {"event": "retried_by_hand", "state": State.QUEUED, "reason": f"was_{former}"}
        await _remember(connection, delivery_id, at, **entry)
        await wake_senders(connection)
    return bool(moved.rowcount)


async def _remember(
    connection: AsyncConnection, delivery_id: UUID, at: datetime, **entry: str | None
) -> None:
    await connection.execute(sa.insert(delivery_history).values(delivery_id=delivery_id, at=at, **entry))
