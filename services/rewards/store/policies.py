"""The versions of reward policies."""

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.policies import PolicyBook, PolicyVersion, document_of, read_terms
from services.rewards.schema import policies

_EVERYTHING: Final = UUID(int=0)
"""The scope of what holds for every property."""


class PolicyStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def book(self) -> PolicyBook:
        """Every version there is: a handful per property, so they are read as a whole."""
        rows = await self._connection.execute(
            sa.select(policies).order_by(policies.c.scope_id, policies.c.version)
        )
        return PolicyBook(tuple(_version(row) for row in rows))

    async def add(self, version: PolicyVersion) -> bool:
        """Keep a version; False where somebody else has just added one of that number."""
        row = {
            "scope_id": version.property_id or _EVERYTHING,
            "version": version.version,
            "effective_on": version.effective_on,
            "terms": document_of(version.terms),
            "reason": version.reason,
            "set_by": version.set_by,
            "set_at": version.set_at,
        }
        statement = insert(policies).values(row).on_conflict_do_nothing().returning(policies.c.version)
        return await self._connection.scalar(statement) is not None


def _version(row: sa.Row[Any]) -> PolicyVersion:
    return PolicyVersion(
        property_id=None if row.scope_id == _EVERYTHING else row.scope_id,
        version=row.version,
        effective_on=row.effective_on,
        terms=read_terms(row.terms),
        reason=row.reason,
        set_by=row.set_by,
        set_at=row.set_at,
    )
