"""Policies: their versions by layer, and the snapshots that invoices were issued under."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.policies import BillingPolicy, document_of, policy_from, terms_id
from services.billing.domain.policy_book import PORTFOLIO, Place, PolicyBook, PolicyVersion, Scope
from services.billing.schema import policies, terms
from shared.db import columnar, insert_rows

_KEEP: Final = insert_rows(terms, ("terms_id", "document")).on_conflict_do_nothing()
_IDS: Final = ARRAY(sa.Uuid)


class PolicyStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def book(
        self, leases: Mapping[UUID, UUID] | None = None, *, property_id: UUID | None = None
    ) -> PolicyBook:
        """Every version that reaches these leases (lease id to property id), or a property, in one query."""
        places = {property_id} if property_id else set()
        return await self._book(set(leases or {}), places | set((leases or {}).values()))

    async def resolve(self, leases: Mapping[UUID, UUID], on: date) -> dict[UUID, BillingPolicy]:
        """The policy of each of these leases (lease id to property id) on a day."""
        book = await self.book(leases)
        return {lease: book.policy(Place(place, lease), on) for lease, place in leases.items()}

    async def _book(self, lease_ids: set[UUID], property_ids: set[UUID]) -> PolicyBook:
        wanted = sa.or_(
            _layer("portfolio", {PORTFOLIO}), _layer("property", property_ids), _layer("lease", lease_ids)
        )
        rows = await self._connection.execute(sa.select(policies).where(wanted))
        return PolicyBook(PolicyVersion(**row._mapping) for row in rows)  # noqa: SLF001 - its public name

    async def add(self, version: PolicyVersion) -> bool:
        """Keep a version; False where one of that number is there already."""
        row = {name: getattr(version, name) for name in PolicyVersion.__dataclass_fields__}
        statement = insert(policies).values(row).on_conflict_do_nothing().returning(policies.c.version)
        return await self._connection.scalar(statement) is not None

    async def keep(self, snapshots: Iterable[BillingPolicy]) -> None:
        """Have these policies on record as terms of invoices, once per content."""
        found = {terms_id(policy): policy for policy in snapshots}
        # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
        rows = [
            {"terms_id": identity, "document": json.dumps(document_of(found[identity]))}
            for identity in sorted(found)
        ]
        if rows:
            await self._connection.execute(_KEEP, columnar(rows, ("terms_id", "document")))

    async def snapshots(self, terms_ids: Iterable[UUID]) -> dict[UUID, BillingPolicy]:
        """The policies that invoices were issued under, by their id."""
        query = sa.select(terms).where(terms.c.terms_id == sa.any_(sa.bindparam("ids", type_=_IDS)))
        rows = await self._connection.execute(query, {"ids": list(set(terms_ids))})
        return {row.terms_id: policy_from(row.document) for row in rows}


def _layer(scope: Scope, ids: set[UUID]) -> sa.ColumnElement[bool]:
    given: Any = sa.bindparam(f"{scope}_ids", list(ids), type_=_IDS)
    return sa.and_(policies.c.scope == scope, policies.c.scope_id == sa.any_(given))
