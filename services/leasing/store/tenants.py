"""Tenants in the database."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.checks import natural_key
from services.leasing.domain.tenants import Tenant
from services.leasing.schema import tenants
from shared.db import columnar, insert_rows

_COLUMNS: Final = tuple(tenants.c.keys())
_TENANT: Final = sa.select(*(column for column in tenants.c if column.name != "email_key"))
_INSERT: Final = (
    insert_rows(tenants, _COLUMNS)
    .on_conflict_do_nothing(index_elements=["email_key"])
    .returning(tenants.c.id)
)
_IDS: Final = sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))


async def add_tenants(connection: AsyncConnection, added: Sequence[Tenant]) -> bool:
    """Insert tenants; False where an e-mail address is taken."""
    found = await connection.scalars(_INSERT, columnar([_row(item) for item in added], _COLUMNS))
    return len(found.all()) == len(added)


async def replace_tenant(connection: AsyncConnection, changed: Tenant) -> None:
    """Write a tenant's new state."""
    await connection.execute(sa.update(tenants).where(tenants.c.id == changed.id).values(_row(changed)))


async def tenant_by_id(connection: AsyncConnection, identity: UUID) -> Tenant | None:
    """One tenant as they are."""
    return await _one(connection, _TENANT.where(tenants.c.id == identity))


async def tenants_by_id(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Tenant]:
    """Those of these tenants that there are."""
    query = _TENANT.where(tenants.c.id == sa.any_(_IDS))
    rows = (await connection.execute(query, {"ids": list(ids)})).mappings()
    return {row["id"]: _tenant(row) for row in rows}


async def email_is_taken(connection: AsyncConnection, email: str, *, by_other_than: UUID) -> bool:
    """Whether somebody else has this address."""
    query = sa.select(tenants.c.id).where(
        tenants.c.email_key == natural_key(email), tenants.c.id != by_other_than
    )
    return await connection.scalar(query) is not None


async def known_tenants(connection: AsyncConnection, ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that there are."""
    query = sa.select(tenants.c.id).where(tenants.c.id == sa.any_(_IDS))
    return set(await connection.scalars(query, {"ids": list(ids)}))


async def tenants_by_key(connection: AsyncConnection, keys: Collection[str]) -> dict[str, Tenant]:
    """Those of the tenants a file names by e-mail that are there."""
    query = _TENANT.add_columns(tenants.c.email_key).where(
        tenants.c.email_key == sa.any_(sa.bindparam("keys", type_=sa.ARRAY(sa.Text)))
    )
    rows = (await connection.execute(query, {"keys": list(keys)})).mappings()
    return {row["email_key"]: _tenant(row) for row in rows}


async def tenants_after(connection: AsyncConnection, after: UUID | None, limit: int) -> list[Tenant]:
    """A page of all tenants, in the order of their ids."""
    query = _TENANT.order_by(tenants.c.id).limit(limit)
    if after is not None:
        query = query.where(tenants.c.id > after)
    return [_tenant(row) for row in (await connection.execute(query)).mappings()]


async def list_tenants(connection: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """Tenants by name."""
    query = _TENANT.order_by(tenants.c.name, tenants.c.id).limit(limit)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _one(connection: AsyncConnection, query: sa.Select[Any]) -> Tenant | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return _tenant(row) if row else None


def _row(item: Tenant) -> dict[str, Any]:
    return asdict(item) | {"email_key": natural_key(item.email) if item.email else None}


def _tenant(row: sa.RowMapping) -> Tenant:
    return Tenant(**{name: row[name] for name in Tenant.__dataclass_fields__})
