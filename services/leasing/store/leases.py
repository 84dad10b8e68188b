"""Leases in the database."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.charges import Charge
from services.leasing.domain.leases import Lease
from services.leasing.domain.terms import RentChange
from services.leasing.schema import lease_tenants, leases, properties, tenants, units
from shared.db import array_text, columnar, insert_rows

_COLUMNS: Final = tuple(leases.c.keys())
_SIGNERS: Final = tuple(lease_tenants.c.keys())
_INSERT: Final = insert_rows(leases, _COLUMNS)
_INSERT_SIGNERS: Final = insert_rows(lease_tenants, _SIGNERS)


@dataclass(frozen=True, slots=True)
class ListedLease:
    """A lease with the names a person looks for."""

    lease: Lease
    property: str
    tenants: tuple[str, ...]
    """Their names, in the order of `tenant_ids`."""
    renewed_by: UUID | None


def _of_tenants(column: sa.ColumnElement[Any], source: sa.FromClause) -> sa.ScalarSelect[Any]:
    """One column of a lease's tenants, as an array in the order they signed."""
    return (
        sa.select(sa.func.array_agg(aggregate_order_by(column, lease_tenants.c.position)))
        .select_from(source)
        .where(lease_tenants.c.lease_id == leases.c.id)
        .correlate(leases)
        .scalar_subquery()
    )


_LEASE: Final = sa.select(
    leases,
    units.c.property_id,
    units.c.label.label("unit_label"),
    properties.c.time_zone,
    properties.c.currency,
    _of_tenants(lease_tenants.c.tenant_id, lease_tenants).label("tenant_ids"),
).select_from(leases.join(units, leases.c.unit_id == units.c.id).join(properties))


async def add_leases(connection: AsyncConnection, added: Sequence[Lease]) -> None:
    """Insert leases with their tenants."""
    rows = [
        _row(item)
        | {"charges": _json(item.charges), "rent_changes": _json(item.rent_changes)}
        | {"free_periods": array_text(item.free_periods)}
        for item in added
    ]
    await connection.execute(_INSERT, columnar(rows, _COLUMNS))
    signers = [
        {"lease_id": item.id, "tenant_id": tenant_id, "position": position}
        for item in added
        for position, tenant_id in enumerate(item.tenant_ids)
    ]
    await connection.execute(_INSERT_SIGNERS, columnar(signers, _SIGNERS))


async def replace_lease(connection: AsyncConnection, changed: Lease) -> None:
    """Write a lease's new terms and state; its unit and tenants stay."""
    await connection.execute(sa.update(leases).where(leases.c.id == changed.id).values(_row(changed)))


async def bump_leases_of_property(connection: AsyncConnection, property_id: UUID) -> list[Lease]:
    """Give the active leases of a property a new version, because what they take from it is different."""
    of_property = sa.select(units.c.id).where(units.c.property_id == property_id)
    affected = leases.c.unit_id.in_(of_property) & (leases.c.state == "active")
    await connection.execute(sa.update(leases).where(affected).values(version=leases.c.version + 1))
    return await _many(connection, _LEASE.where(affected).order_by(leases.c.id))


async def count_all(connection: AsyncConnection) -> dict[str, int]:
    """How many properties, tenants and leases there are."""
    tables = (properties, tenants, leases)
    counts = [
        sa.select(sa.func.count()).select_from(table).scalar_subquery().label(table.name) for table in tables
    ]
    return dict((await connection.execute(sa.select(*counts))).mappings().one())


async def lease_by_id(connection: AsyncConnection, identity: UUID) -> Lease | None:
    """One lease as it is."""
    found = await _many(connection, _LEASE.where(leases.c.id == identity))
    return found[0] if found else None


async def leases_of_units(connection: AsyncConnection, unit_ids: Collection[UUID]) -> dict[UUID, list[Lease]]:
    """All leases these units ever had, by unit."""
    query = _LEASE.where(leases.c.unit_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))))
    by_unit: dict[UUID, list[Lease]] = {}
    for lease in await _many(connection, query, {"ids": list(unit_ids)}):
        by_unit.setdefault(lease.unit_id, []).append(lease)
    return by_unit


async def leases_after(connection: AsyncConnection, after: UUID | None, limit: int) -> list[Lease]:
    """A page of all leases, in the order of their ids."""
    query = _LEASE.order_by(leases.c.id).limit(limit)
    return await _many(connection, query if after is None else query.where(leases.c.id > after))


async def list_leases(
    connection: AsyncConnection,
    limit: int,
    *,
    lease_id: UUID | None = None,
    property_id: UUID | None = None,
    unit_id: UUID | None = None,
    tenant_id: UUID | None = None,
) -> list[ListedLease]:
    """Leases by property, unit and start."""
    renewals = leases.alias("renewals")
    renewed_by = sa.select(renewals.c.id).where(renewals.c.renewal_of == leases.c.id).scalar_subquery()
    query = _LEASE.add_columns(
        properties.c.name.label("property"),
        _of_tenants(tenants.c.name, lease_tenants.join(tenants)).label("tenants"),
        renewed_by.label("renewed_by"),
    )
    if lease_id is not None:
        query = query.where(leases.c.id == lease_id)
    if property_id is not None:
        query = query.where(units.c.property_id == property_id)
    if unit_id is not None:
        query = query.where(leases.c.unit_id == unit_id)
    if tenant_id is not None:
        signed = sa.select(lease_tenants.c.lease_id).where(lease_tenants.c.tenant_id == tenant_id)
        query = query.where(leases.c.id.in_(signed))
    query = query.order_by(properties.c.name_key, units.c.label_key, leases.c.starts_on).limit(limit)
    rows = (await connection.execute(query)).mappings()
    return [
        ListedLease(_lease(row), row["property"], tuple(row["tenants"]), row["renewed_by"]) for row in rows
    ]


async def _many(
    connection: AsyncConnection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[Lease]:
    return [_lease(row) for row in (await connection.execute(query, values)).mappings()]


def _row(item: Lease) -> dict[str, Any]:
    row = {name: getattr(item, name) for name in _COLUMNS}
    row |= {name: [_plain(part) for part in row[name]] for name in ("charges", "rent_changes")}
    return row | {"free_periods": list(item.free_periods)}


def _json(parts: Sequence[Charge | RentChange]) -> str:
    """What `insert_rows` turns into JSON."""
    return json.dumps([_plain(part) for part in parts])


def _plain(part: Charge | RentChange) -> dict[str, Any]:
    """As JSON has it: days as text."""
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(part).items()
    }


def _lease(row: sa.RowMapping) -> Lease:
    values = {name: row[name] for name in Lease.__dataclass_fields__}
    values["charges"] = tuple(Charge(**_with_days(charge)) for charge in row["charges"])
    values["rent_changes"] = tuple(RentChange(**_with_days(change)) for change in row["rent_changes"])
    values["free_periods"] = tuple(row["free_periods"])
    values["tenant_ids"] = tuple(row["tenant_ids"])
    return Lease(**values)


def _with_days(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: date.fromisoformat(value) if name.endswith("_on") and value else value
        for name, value in part.items()
    }
