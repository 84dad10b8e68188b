"""E-mails that wait for their contact to become known, and where they go when it does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.attempts import begins_at, ends_at
from services.notifications.domain.decisions import Planned, Telling
from services.notifications.domain.deliveries import Beginning, Channel, State
from services.notifications.domain.kinds import Criticality
from services.notifications.domain.notices import SHARED_ADDRESS
from services.notifications.domain.truth import untrue
from services.notifications.schema import WAKE_CHANNEL, deliveries, notifications, properties
from services.notifications.store.about import AT_PROPERTY
from services.notifications.store.notices import NewDelivery
from services.notifications.store.premises import standing_of_notice

_AWAITING: Final = deliveries.c.state == sa.literal_column("'awaiting_contact'")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One delivery that waits, and what the decision about it needs."""

    delivery_id: UUID
    notification_id: UUID
    tenant_id: UUID
    template: str
    category: str
    criticality: int
    expires_at: datetime | None
    context: Mapping[str, Any]
    zone: str | None
    standing: Mapping[str, str] | None
    taken: Collection[str] | None
    """Channel and address of those who were told the same thing already."""

    @property
    def telling(self) -> Telling:
        """What of it the decision cares for."""
        reason = untrue(self.template, self.context, self.standing or {}, None)
        return Telling(self.template, self.category, Criticality(self.criticality), self.expires_at, reason)

    def also_by(self, channel: Channel, beginning: Beginning) -> NewDelivery:
        """The same notification by a further channel."""
        return NewDelivery(self.notification_id, self.tenant_id, channel, beginning, None, self.expires_at)

    def once_per_address(self, planned: Planned) -> Planned:
        """The plan, but for an address that another recipient of the same news has too."""
        address = planned.beginning.address
        if address and f"{planned.channel} {address.lower()}" in (self.taken or ()):
            return replace(planned, beginning=Beginning(State.SKIPPED, reason=SHARED_ADDRESS))
        return planned


@dataclass(frozen=True, slots=True)
class Move:
    """Where a waiting delivery goes."""

    item: Waiting
    beginning: Beginning


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


# Everybody who is told the same thing has the same key but for its last part, the recipient; ';' follows ':'.
_SAME_NEWS: Final = """
    other.dedup_key >= regexp_replace(mine.dedup_key, ':[^:]*$', ':')
    and other.dedup_key < regexp_replace(mine.dedup_key, ':[^:]*$', ';')"""
_LOCK: Final = sa.text(
    f"""select d.id from deliveries d where d.notification_id in (
        select other.id from deliveries w join notifications mine on mine.id = w.notification_id
        join notifications other on {_SAME_NEWS}
        where w.tenant_id = :tenant_id and w.state = 'awaiting_contact')
    order by d.id for update of d"""  # noqa: S608 - two constants of this file
)
_TAKEN: Final = sa.literal_column(
    f"""(select jsonb_agg(d.channel || ' ' || lower(d.address)) from notifications mine
        join notifications other on other.id <> mine.id and {_SAME_NEWS}
        join deliveries d on d.notification_id = other.id and d.address is not null
        where mine.id = notifications.id)""",  # noqa: S608 - as above
    type_=JSONB,
)


async def for_contact(connection: AsyncConnection, tenant_id: UUID) -> list[Waiting]:
    """What waits for somebody, locked together with what others are told of the same things.

    Two people with one address who become known at once are so decided one after the other.
    """
    await connection.execute(_LOCK, {"tenant_id": tenant_id})
    notice = notifications.c
    rows = await connection.execute(
        sa.select(
            deliveries.c.id,
            notice.id,
            deliveries.c.tenant_id,
            notice.template,
            notice.category,
            notice.criticality,
            notice.expires_at,
            notice.context,
            properties.c.time_zone,
            standing_of_notice(),
            _TAKEN,
        )
        .join(notifications, notice.id == deliveries.c.notification_id)
        .outerjoin(properties, AT_PROPERTY)
        .where(deliveries.c.tenant_id == tenant_id, _AWAITING)
        .order_by(deliveries.c.id)
    )
    return [Waiting(*row) for row in rows]


_MOVE: Final = sa.text(
    """update deliveries set state = moved.state, reason = moved.reason, address = moved.address,
        next_attempt_at = moved.next_attempt_at, expires_at = moved.expires_at, updated_at = :at
    from unnest(:ids, :states, :reasons, :addresses, :starts, :ends)
        as moved(id, state, reason, address, next_attempt_at, expires_at)
    where deliveries.id = moved.id and deliveries.state = 'awaiting_contact'"""
).bindparams(
    sa.bindparam("at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("ids", type_=ARRAY(sa.Uuid)),
    *(sa.bindparam(name, type_=ARRAY(sa.Text)) for name in ("states", "reasons", "addresses")),
    *(sa.bindparam(name, type_=ARRAY(sa.DateTime(timezone=True))) for name in ("starts", "ends")),
)


async def move(connection: AsyncConnection, moves: Sequence[Move], at: datetime) -> None:
    """Let what waited go on as was decided."""
    starts = [begins_at(item.beginning, at) for item in moves]
    await connection.execute(
        _MOVE,
        {
            "at": at,
            "ids": [item.item.delivery_id for item in moves],
            "states": [item.beginning.state for item in moves],
            "reasons": [item.beginning.reason for item in moves],
            "addresses": [item.beginning.address for item in moves],
            "starts": starts,
            "ends": [
                ends_at(start, Channel.EMAIL, item.item.expires_at)
                for start, item in zip(starts, moves, strict=True)
            ],
        },
    )
    if any(starts):
        await wake_senders(connection)


async def wake_senders(connection: AsyncConnection) -> None:
    """Tell the senders, when this transaction commits, that there is work."""
    await connection.execute(sa.select(sa.func.pg_notify(WAKE_CHANNEL, "")))
