"""Addresses that are closed, by whom and why, and those that were opened again."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.suppressions import EVERYTHING, Why
from services.notifications.schema import suppressions
from shared.identity import new_id

Row = dict[str, Any]
_OPEN: Final = suppressions.c.lifted_at.is_(None)
_NEVER: Final[sa.ColumnElement[Any]] = sa.literal_column("timestamptz 'infinity'")


def key_of(address: str) -> str:
    """One spelling of an address, as it is compared."""
    return address.strip().lower()


async def close(  # noqa: PLR0913 - a row has as many columns
    connection: AsyncConnection,
    channel: str,
    address: str,
    *,
    reason: Why,
    scope: str = EVERYTHING,
    source: str,
    until: datetime | None = None,
    at: datetime,
) -> UUID | None:
    """Write an address off; None where it was closed like this already. The longer closing stays."""
    row = insert(suppressions).values(
        id=new_id(),
        channel=channel,
        address=key_of(address),
        scope=scope,
        reason=reason,
        source=source,
        until=until,
        created_at=at,
    )
    given = row.excluded
    closed: UUID | None = await connection.scalar(
        row.on_conflict_do_update(
            index_elements=[suppressions.c.channel, suppressions.c.address, suppressions.c.scope],
            index_where=_OPEN,
            set_={"reason": given.reason, "source": given.source, "until": given.until, "created_at": at},
            where=sa.func.coalesce(given.until, _NEVER) > sa.func.coalesce(suppressions.c.until, _NEVER),
        ).returning(suppressions.c.id)
    )
    return closed


async def lift(  # noqa: PLR0913 - what is lifted, and by whom
    connection: AsyncConnection,
    channel: str,
    address: str,
    *,
    by: str,
    at: datetime,
    reasons: tuple[Why, ...] = (),
    scope: str | None = None,
) -> int:
    """Open an address again, for these reasons only where some are given; returns how many closings ended."""
    wanted = [suppressions.c.channel == channel, suppressions.c.address == key_of(address), _OPEN]
    if reasons:
        wanted.append(suppressions.c.reason.in_(reasons))
    if scope:
        wanted.append(suppressions.c.scope == scope)
    lifted = await connection.execute(
        sa.update(suppressions).where(*wanted).values(lifted_at=at, lifted_by=by)
    )
    return lifted.rowcount


async def find(connection: AsyncConnection, identity: UUID) -> Row | None:
    """One closing."""
    query = sa.select(suppressions).where(suppressions.c.id == identity)
    row = (await connection.execute(query)).one_or_none()
    return row._asdict() if row else None


async def listed(connection: AsyncConnection, *, address: str | None, lifted: bool, limit: int) -> list[Row]:
    """The newest closings; those that ended too, where that is wanted."""
    query = sa.select(suppressions).order_by(suppressions.c.created_at.desc(), suppressions.c.id).limit(limit)
    if address is not None:
        query = query.where(suppressions.c.address == key_of(address))
    if not lifted:
        query = query.where(_OPEN)
    return [row._asdict() for row in await connection.execute(query)]
