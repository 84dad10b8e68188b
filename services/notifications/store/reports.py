"""What providers and tenants told us: each once, and where it moved a delivery."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import Outcome, Step
from services.notifications.domain.deliveries import State
from services.notifications.schema import (
    contacts,
    deliveries,
    delivery_events,
    delivery_history,
    inbound_texts,
)
from services.notifications.store.deliveries import Claimed, claimed_of, with_what_it_says
from services.notifications.store.waiting import wake_senders
from shared.identity import new_id


@dataclass(frozen=True, slots=True)
class Reported:
    """A delivery that somebody reports on, and where it is."""

    claimed: Claimed
    state: State


async def find(connection: AsyncConnection, delivery_id: UUID) -> Reported | None:
    """A delivery, locked, so that two reports of it are taken one after the other."""
    query = with_what_it_says(deliveries).add_columns(deliveries.c.state)
    query = query.where(deliveries.c.id == delivery_id).with_for_update(of=deliveries)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    own = {name: row[name] for name in row if name != "state"}
    return Reported(claimed_of(own), State(row["state"]))


async def first_time(
    connection: AsyncConnection, provider: str, key: str, delivery_id: UUID, at: datetime
) -> bool:
    """Whether this was not reported before."""
    row = insert(delivery_events).values(
        provider=provider, event_key=key, delivery_id=delivery_id, received_at=at
    )
    noted = await connection.execute(row.on_conflict_do_nothing())
    return bool(noted.rowcount)


async def name(connection: AsyncConnection, delivery_id: UUID, provider_id: str) -> None:
    """Keep what the provider calls a message of which we did not hear that it took it."""
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.provider_message_id.is_(None))
        .values(provider_message_id=provider_id)
    )


async def move(
    connection: AsyncConnection,
    found: Reported,
    step: Step,
    status: str,
    outcome: Outcome | None,
    at: datetime,
) -> bool:
    """Let a delivery go where its report leads; False when it went on meanwhile."""
    values: dict[str, Any] = {
        "state": step.state,
        "reason": step.reason,
        "next_attempt_at": step.next_attempt_at,
        "last_error": outcome.detail if outcome else None,
        "updated_at": at,
    }
    if step.state in {State.SENT, State.DELIVERED}:
        values["sent_at"] = sa.func.coalesce(deliveries.c.sent_at, at)
    moved = await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == found.claimed.id, deliveries.c.state == found.state)
        .values(values)
    )
    if not moved.rowcount:
        return False
    entry = {
        "event": f"reported_{status}",
        "state": step.state,
        "reason": step.reason,
        "detail": outcome.detail if outcome else None,
    }
    await connection.execute(sa.insert(delivery_history).values(delivery_id=found.claimed.id, at=at, **entry))
    if step.state is State.RETRY_WAIT:
        await wake_senders(connection)
    return True


async def first_text(
    connection: AsyncConnection, provider_id: str, phone: str, body: str, answer: str, at: datetime
) -> bool:
    """Keep a text that came in; False where it came before."""
    row = insert(inbound_texts).values(
        id=new_id(), provider_id=provider_id, phone=phone, body=body, answer=answer, received_at=at
    )
    noted = await connection.execute(row.on_conflict_do_nothing())
    return bool(noted.rowcount)


async def consent(connection: AsyncConnection, phone: str, source: str, at: datetime) -> None:
    """Somebody asked for texts by sending one."""
    await connection.execute(
        sa.update(contacts)
        .where(contacts.c.phone_e164 == phone)
        .values(sms_consent_at=at, sms_consent_source=source)
    )


async def inbound(connection: AsyncConnection, answer: str | None, limit: int) -> list[dict[str, object]]:
    """The newest texts that came in."""
    query = sa.select(inbound_texts).order_by(inbound_texts.c.received_at.desc()).limit(limit)
    if answer is not None:
        query = query.where(inbound_texts.c.answer == answer)
    return [row._asdict() for row in await connection.execute(query)]
