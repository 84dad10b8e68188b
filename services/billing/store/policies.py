"""Policies: their versions by layer, and the snapshots that invoices were issued under."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.policies import BillingPolicy, document_of, policy_from, terms_id
from services.billing.domain.policy_book import PORTFOLIO, Place, PolicyBook, PolicyVersion, Scope
from services.billing.schema import invoices, leases, policies, terms
from shared.db import columnar, insert_rows

_KEEP: Final = insert_rows(terms, ("terms_id", "document")).on_conflict_do_nothing()
_IDS: Final = ARRAY(sa.Uuid)

MOST_NUMBERS: Final = 20
"""How many invoices are named where only their number matters."""


@dataclass(frozen=True, slots=True)
class OpenInvoices:
    """The open invoices of a place: how many, and the numbers of the first."""

    count: int
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaseRent:
    """What a lease costs a period."""

    lease_id: UUID
    property_id: UUID
    rent_cents: int


class PolicyStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def book(self, leases: Mapping[UUID, UUID]) -> PolicyBook:
        """Every version that reaches these leases (lease id to property id), in one query."""
        return await self._book(
            _layer("portfolio", {PORTFOLIO}),
            _layer("property", set(leases.values())),
            _layer("lease", set(leases)),
        )

    async def book_around(self, place: Place) -> PolicyBook:
        """Every version that reaches a place, and those further down that may overrule it."""
        inside = sa.select(leases.c.lease_id).where(leases.c.property_id == place.property_id)
        wanted = [_layer(scope, {scope_id}) for scope, scope_id in place.layers]
        match place.layers[-1][0]:
            case "portfolio":
                wanted.append(sa.true())
            case "property":
                wanted.append(sa.and_(policies.c.scope == "lease", policies.c.scope_id.in_(inside)))
            case "lease":
                pass
        return await self._book(*wanted)

    async def _book(self, *wanted: sa.ColumnElement[bool]) -> PolicyBook:
        rows = await self._connection.execute(sa.select(policies).where(sa.or_(*wanted)))
        return PolicyBook(PolicyVersion(**row._mapping) for row in rows)  # noqa: SLF001 - its public name

    async def rents(self, place: Place) -> list[LeaseRent]:
        """The rents of a place's leases, whatever their dates."""
        query = sa.select(leases.c.lease_id, leases.c.property_id, leases.c.rent_cents)
        if place.property_id is not None:
            query = query.where(leases.c.property_id == place.property_id)
        if place.lease_id is not None:
            query = query.where(leases.c.lease_id == place.lease_id)
        return [LeaseRent(*row) for row in await self._connection.execute(query)]

    async def open_invoices(self, place: Place) -> OpenInvoices:
        """How many invoices of a place are open, and the numbers of the first."""
        query = sa.select(invoices.c.number, sa.func.count().over()).where(invoices.c.state == "open")
        if place.property_id is not None:
            query = query.where(invoices.c.property_id == place.property_id)
        if place.lease_id is not None:
            query = query.where(invoices.c.lease_id == place.lease_id)
        rows = (await self._connection.execute(query.order_by(invoices.c.number).limit(MOST_NUMBERS))).all()
        return OpenInvoices(rows[0][1] if rows else 0, tuple(row[0] for row in rows))

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

    async def terms_of(self, invoice_id: UUID) -> BillingPolicy:
        """The policy that an invoice was issued under."""
        query = sa.select(terms.c.document).join(invoices, invoices.c.terms_id == terms.c.terms_id)
        row = (await self._connection.execute(query.where(invoices.c.invoice_id == invoice_id))).one()
        return policy_from(row.document)

    async def snapshots(self, terms_ids: Iterable[UUID]) -> dict[UUID, BillingPolicy]:
        """The policies that invoices were issued under, by their id."""
        query = sa.select(terms).where(terms.c.terms_id == sa.any_(sa.bindparam("ids", type_=_IDS)))
        rows = await self._connection.execute(query, {"ids": list(set(terms_ids))})
        return {row.terms_id: policy_from(row.document) for row in rows}


def _layer(scope: Scope, ids: set[UUID]) -> sa.ColumnElement[bool]:
    given: Any = sa.bindparam(f"{scope}_ids", list(ids), type_=_IDS)
    return sa.and_(policies.c.scope == scope, policies.c.scope_id == sa.any_(given))
