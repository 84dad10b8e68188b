"""Who may write at the same time."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_PORTFOLIO: Final = 7_206_170_101


async def share_portfolio(connection: AsyncConnection) -> None:
    """Begin to add single things or to change a lease: many may at the same time."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_PORTFOLIO)))


async def take_portfolio(connection: AsyncConnection) -> None:
    """Begin what everything else must wait for: an import, or a change of what leases and names rely on."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PORTFOLIO)))
