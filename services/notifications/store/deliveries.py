"""How deliveries move: queued when a contact arrives, claimed, settled, recovered, tried again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import LIFETIME, Outcome, Result, Step
from services.notifications.domain.contacts import Contact
from services.notifications.domain.deliveries import Channel, State, states_before
from services.notifications.domain.kinds import Criticality
from services.notifications.domain.suppressions import Suppression
from services.notifications.schema import (
    contacts,
    deliveries,
    delivery_history,
    notifications,
    properties,
)
from services.notifications.store.about import AT_PROPERTY, what_it_is_about
from services.notifications.store.contact_rows import contact_columns, split_contact, suppressed_of
from services.notifications.store.premises import standing_of_notice
from services.notifications.store.waiting import wake_senders
from shared.identity import new_id

_DUE: Final = deliveries.c.state.in_([sa.literal_column("'queued'"), sa.literal_column("'retry_wait'")])
_SENDING: Final = deliveries.c.state == sa.literal_column("'sending'")


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
    home: Mapping[str, Any] | None
    """For the office: the unit and the tenants it is about."""
    channel: Channel
    criticality: Criticality
    useless_at: datetime | None
    """When the notification itself is old news."""
    reason: str | None
    digest_key: str | None
    zone: str | None
    """Of the property it is about."""
    standing: Mapping[str, str]
    """What became of the things it is about."""
    webhook_secret: str | None
    contact: Contact | None
    closed: tuple[Suppression, ...]
    """What is closed of the address it goes to."""


def with_what_it_says(delivery: sa.FromClause) -> sa.Select[Any]:
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
            sa.func.coalesce(contacts.c.locale, notice.context["locale"].astext, "en").label("locale"),
            *what_it_is_about(),
            delivery.c.channel,
            notice.criticality,
            notice.expires_at.label("useless_at"),
            delivery.c.reason,
            delivery.c.digest_key,
            standing_of_notice().label("standing"),
            *contact_columns(delivery),
        )
        .select_from(delivery)
        .join(notifications, notice.id == delivery.c.notification_id)
        .outerjoin(contacts, contacts.c.tenant_id == delivery.c.tenant_id)
        .outerjoin(properties, AT_PROPERTY)
    )


def _claim_statement() -> sa.Select[Any]:
    chosen = (
        sa.select(deliveries.c.id)
        .where(
            _DUE,
            deliveries.c.channel == sa.bindparam("by"),
            deliveries.c.next_attempt_at <= sa.bindparam("at"),
        )
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
    return with_what_it_says(claimed)


_CLAIM: Final = _claim_statement()
_ABANDONED: Final = (
    with_what_it_says(deliveries)
    .where(
        _SENDING,
        deliveries.c.channel == sa.bindparam("by"),
        deliveries.c.locked_until < sa.bindparam("at"),
    )
    .order_by(deliveries.c.locked_until)
    .limit(100)
)


async def claim_next(
    connection: AsyncConnection, at: datetime, lease: timedelta, channel: Channel = Channel.EMAIL
) -> Claimed | None:
    """Take the delivery of a channel that has waited longest; nobody else gets it while the lease runs."""
    wanted = {"at": at, "claim": new_id(), "until": at + lease, "by": channel}
    row = (await connection.execute(_CLAIM, wanted)).mappings().one_or_none()
    return claimed_of(row) if row else None


def claimed_of(row: Mapping[str, Any]) -> Claimed:
    own, contact = split_contact(row)
    own["channel"] = Channel(own["channel"])
    own["criticality"] = Criticality(own["criticality"])
    own["standing"] = own["standing"] or {}
    return Claimed(
        **own,
        webhook_secret=row["contact_webhook_secret"],
        contact=contact,
        closed=suppressed_of(row),
    )


# The outcome and its line in the history as one statement, compiled once: every e-mail pays for it.
_SETTLE: Final = sa.text(
    """
    with moved as (
        update deliveries
           set state = :state, reason = :reason, attempt_count = attempt_count + :burnt,
               next_attempt_at = :next_attempt_at, locked_until = null,
               provider_message_id = coalesce(:queue_id, provider_message_id), sent_at = :sent_at,
               last_error = :last_error, rendered = coalesce(:rendered, rendered), updated_at = :at
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
    sa.bindparam("rendered", type_=JSONB(none_as_null=True)),
    *(sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in ("at", "next_attempt_at", "sent_at")),
    *(
        sa.bindparam(name, type_=sa.Text)
        for name in ("state", "reason", "queue_id", "last_error", "event", "said", "detail")
    ),
)


async def settle(
    connection: AsyncConnection,
    claimed: Claimed,
    step: Step,
    outcome: Outcome,
    at: datetime,
    rendered: Mapping[str, Any] | None = None,
) -> bool:
    """Record what came of a claim; False when the delivery went on without us meanwhile.

    `rendered` is the text as it went out, kept for as long as the delivery is.
    """
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
        "rendered": rendered,
    }
    return await connection.scalar(_SETTLE, row) is not None


async def abandoned(
    connection: AsyncConnection, at: datetime, channel: Channel = Channel.EMAIL
) -> list[Claimed]:
    """Deliveries whose worker's lease ran out; who settles one first has it."""
    rows = await connection.execute(_ABANDONED, {"at": at, "by": channel})
    return [claimed_of(row) for row in rows.mappings()]


async def anything_due(connection: AsyncConnection, at: datetime, channel: Channel = Channel.EMAIL) -> bool:
    """Whether a claim would find something."""
    due = sa.select(1).where(_DUE, deliveries.c.channel == channel, deliveries.c.next_attempt_at <= at)
    return bool(await connection.scalar(sa.select(sa.exists(due))))


async def under_way(connection: AsyncConnection, at: datetime) -> bool:
    """Whether a message of any channel is being sent, or is to be sent by now."""
    open_ones = sa.or_(_SENDING, sa.and_(_DUE, deliveries.c.next_attempt_at <= at))
    return bool(await connection.scalar(sa.select(sa.exists(sa.select(1).where(open_ones)))))


_SIBLINGS: Final = (
    with_what_it_says(deliveries)
    .where(
        sa.or_(
            sa.and_(
                deliveries.c.state == sa.literal_column("'queued'"),
                deliveries.c.digest_key == sa.bindparam("digest_key"),
            ),
            deliveries.c.merged_into == sa.bindparam("lead"),
        ),
        deliveries.c.channel == sa.bindparam("by"),
        deliveries.c.id != sa.bindparam("lead"),
        deliveries.c.address == sa.bindparam("address"),
    )
    .order_by(deliveries.c.id)
    .with_for_update(of=deliveries, skip_locked=True)
)


async def siblings(connection: AsyncConnection, claimed: Claimed) -> list[Claimed]:
    """What goes into the same digest as a claimed delivery, locked: it was merged before, or is queued."""
    wanted = {
        "digest_key": claimed.digest_key,
        "lead": claimed.id,
        "by": claimed.channel,
        "address": claimed.address,
    }
    return [claimed_of(row) for row in (await connection.execute(_SIBLINGS, wanted)).mappings()]


async def merge(connection: AsyncConnection, lead: Claimed, others: Sequence[UUID], at: datetime) -> None:
    """Let one delivery speak for others."""
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id.in_(others), deliveries.c.state == State.QUEUED)
        .values(state=State.MERGED, reason="digest", merged_into=lead.id, next_attempt_at=None, updated_at=at)
    )


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
