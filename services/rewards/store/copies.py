"""Rewards' copies of what leasing says, and what day it is where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.facts import Today
from services.rewards.schema import invoices, leases, names, payments, properties
from shared.clock import local_date
from shared.db import array_text, columnar, insert_rows


@dataclass(frozen=True, slots=True)
class Property:
    """What rewards knows of a property."""

    property_id: UUID
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Lease:
    """What rewards knows of a lease."""

    lease_id: UUID
    account_id: UUID
    property_id: UUID
    tenant_ids: tuple[UUID, ...]


class CopyStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def upsert_properties(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the copies of properties by newer versions."""
        await self._upsert(_PROPERTIES, properties, "property_id", rows)

    async def upsert_leases(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the copies of leases by newer versions."""
        texts = ({**row, "tenant_ids": array_text(row["tenant_ids"])} for row in rows)
        await self._upsert(_LEASES, leases, "lease_id", texts)

    async def upsert_names(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace what tenants are called by newer versions."""
        await self._upsert(_NAMES, names, "tenant_id", rows)

    async def names(self) -> dict[UUID, str]:
        """What each tenant is called, as far as rewards has heard."""
        rows = await self._connection.execute(sa.select(names.c.tenant_id, names.c.name))
        return {row.tenant_id: row.name for row in rows}

    async def knows(self, tenant_id: UUID) -> bool:
        """Whether anything was ever said of a tenant."""
        named = sa.select(names.c.tenant_id).where(names.c.tenant_id == tenant_id)
        somewhere = (
            sa.select(sa.literal(1)).where(table.c.tenant_ids.contains([tenant_id])).exists()
            for table in (leases, invoices, payments)
        )
        return bool(await self._connection.scalar(sa.select(sa.or_(named.exists(), *somewhere))))

    async def currencies_of(self, tenant_id: UUID) -> list[str]:
        """In what a tenant was ever billed, in the order of the letters."""
        query = sa.select(invoices.c.currency).where(invoices.c.tenant_ids.contains([tenant_id]))
        return sorted(await self._connection.scalars(query.distinct()))

    async def _upsert(
        self, statement: Insert, table: sa.Table, key: str, rows: Iterable[Mapping[str, Any]]
    ) -> None:
        newest: dict[Any, Mapping[str, Any]] = {}
        for row in rows:
            if row[key] not in newest or newest[row[key]]["version"] < row["version"]:
                newest[row[key]] = row
        # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
        in_order = [newest[found] for found in sorted(newest)]
        await self._connection.execute(statement, columnar(in_order, tuple(table.columns.keys())))

    async def properties(self) -> dict[UUID, Property]:
        """Every property that rewards knows."""
        columns = properties.c.property_id, properties.c.name, properties.c.time_zone
        rows = await self._connection.execute(sa.select(*columns).order_by(properties.c.name))
        return {row.property_id: Property(*row) for row in rows}

    async def today(self, moment: datetime) -> Today:
        """What day it is at each property."""
        zones = {key: item.time_zone for key, item in (await self.properties()).items()}
        return Today(
            {key: local_date(moment, zone) for key, zone in zones.items()}, local_date(moment, "UTC")
        )

    async def leases_of(self, tenant_id: UUID) -> list[Lease]:
        """The leases that somebody is a tenant of, the newest first."""
        query = (
            sa.select(leases.c.lease_id, leases.c.account_id, leases.c.property_id, leases.c.tenant_ids)
            .where(sa.literal(tenant_id) == sa.any_(leases.c.tenant_ids))
            .order_by(leases.c.lease_id.desc())
        )
        return [
            Lease(row.lease_id, row.account_id, row.property_id, tuple(row.tenant_ids))
            for row in await self._connection.execute(query)
        ]

    async def tenants(
        self, *, property_id: UUID | None = None, tenant_id: UUID | None = None, zone: str | None = None
    ) -> list[UUID]:
        """Everybody who was ever billed or has paid something, or those of a property or a zone."""
        query = sa.union(_named_in(invoices, property_id, zone), _named_in(payments, property_id, zone))
        found = {row.tenant_id for row in await self._connection.execute(query)}
        return sorted(found if tenant_id is None else found & {tenant_id})


def _named_in(table: sa.Table, property_id: UUID | None, zone: str | None) -> sa.Select[Any]:
    query = sa.select(sa.func.unnest(table.c.tenant_ids).label("tenant_id"))
    if property_id is not None:
        query = query.where(table.c.property_id == property_id)
    if zone is not None:
        there = sa.select(properties.c.property_id).where(properties.c.time_zone == zone)
        query = query.where(table.c.property_id.in_(there))
    return query


def _newer(table: sa.Table, key: str) -> Insert:
    names = tuple(table.columns.keys())
    statement = insert_rows(table, names)
    return statement.on_conflict_do_update(
        index_elements=[key],
        set_={name: statement.excluded[name] for name in names if name != key},
        where=table.c.version < statement.excluded.version,
    )


_PROPERTIES: Final = _newer(properties, "property_id")
_LEASES: Final = _newer(leases, "lease_id")
_NAMES: Final = _newer(names, "tenant_id")
