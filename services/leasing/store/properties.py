"""Properties and units in the database."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.checks import natural_key
from services.leasing.domain.properties import Property, Unit
from services.leasing.schema import leases, properties, units
from shared.db import columnar, insert_rows

_PROPERTY_COLUMNS: Final = tuple(properties.c.keys())
_UNIT_COLUMNS: Final = tuple(units.c.keys())
_PROPERTY: Final = sa.select(*(column for column in properties.c if column.name != "name_key"))
_UNIT: Final = sa.select(units.c.id, units.c.property_id, units.c.label)
_INSERT_PROPERTIES: Final = (
    insert_rows(properties, _PROPERTY_COLUMNS)
    .on_conflict_do_nothing(index_elements=["name_key"])
    .returning(properties.c.id)
)
_INSERT_UNITS: Final = (
    insert_rows(units, _UNIT_COLUMNS)
    .on_conflict_do_nothing(index_elements=["property_id", "label_key"])
    .returning(units.c.id)
)


async def add_properties(connection: AsyncConnection, added: Sequence[Property]) -> bool:
    """Insert properties; False where a name is taken."""
    rows = [_property_row(item) for item in added]
    found = await connection.scalars(_INSERT_PROPERTIES, columnar(rows, _PROPERTY_COLUMNS))
    return len(found.all()) == len(added)


async def add_units(connection: AsyncConnection, added: Sequence[Unit]) -> bool:
    """Insert units; False where a label is taken in its property."""
    rows = [asdict(item) | {"label_key": natural_key(item.label)} for item in added]
    found = await connection.scalars(_INSERT_UNITS, columnar(rows, _UNIT_COLUMNS))
    return len(found.all()) == len(added)


async def replace_property(connection: AsyncConnection, changed: Property) -> None:
    """Write a property's new state."""
    await connection.execute(
        sa.update(properties).where(properties.c.id == changed.id).values(_property_row(changed))
    )


async def property_by_id(connection: AsyncConnection, identity: UUID) -> Property | None:
    """One property as it is."""
    return await _one_property(connection, _PROPERTY.where(properties.c.id == identity))


async def name_is_taken(connection: AsyncConnection, name: str, *, by_other_than: UUID) -> bool:
    """Whether another property goes by this name."""
    query = sa.select(properties.c.id).where(
        properties.c.name_key == natural_key(name), properties.c.id != by_other_than
    )
    return await connection.scalar(query) is not None


async def properties_by_key(connection: AsyncConnection, keys: Collection[str]) -> dict[str, Property]:
    """Those of the properties a file names that are there."""
    query = _PROPERTY.add_columns(properties.c.name_key).where(
        properties.c.name_key == sa.any_(sa.bindparam("keys", type_=sa.ARRAY(sa.Text)))
    )
    rows = (await connection.execute(query, {"keys": list(keys)})).mappings()
    return {row["name_key"]: _property(row) for row in rows}


async def units_by_key(
    connection: AsyncConnection, property_ids: Collection[UUID]
) -> dict[tuple[UUID, str], Unit]:
    """All units of these properties, by property and label."""
    query = _UNIT.add_columns(units.c.label_key).where(
        units.c.property_id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid)))
    )
    rows = (await connection.execute(query, {"ids": list(property_ids)})).mappings()
    return {(row["property_id"], row["label_key"]): _unit(row) for row in rows}


async def unit_by_id(connection: AsyncConnection, identity: UUID) -> Unit | None:
    """One unit."""
    return await _one_unit(connection, _UNIT.where(units.c.id == identity))


async def hold_unit(connection: AsyncConnection, identity: UUID) -> None:
    """Let one transaction at a time decide who has this unit."""
    await connection.execute(sa.select(units.c.id).where(units.c.id == identity).with_for_update())


async def properties_after(connection: AsyncConnection, after: UUID | None, limit: int) -> list[Property]:
    """A page of all properties, in the order of their ids."""
    query = _PROPERTY.order_by(properties.c.id).limit(limit)
    if after is not None:
        query = query.where(properties.c.id > after)
    return [_property(row) for row in (await connection.execute(query)).mappings()]


async def list_properties(connection: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """Properties by name, with the number of their units."""
    count = sa.select(sa.func.count()).where(units.c.property_id == properties.c.id).scalar_subquery()
    query = _PROPERTY.add_columns(count.label("units")).order_by(properties.c.name_key).limit(limit)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def list_units(
    connection: AsyncConnection, limit: int, property_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Units by property and label, with the number of leases they had."""
    count = sa.select(sa.func.count()).where(leases.c.unit_id == units.c.id).scalar_subquery()
    query = (
        _UNIT.add_columns(properties.c.name.label("property"), count.label("leases"))
        .join(properties)
        .order_by(properties.c.name_key, units.c.label_key)
        .limit(limit)
    )
    if property_id is not None:
        query = query.where(units.c.property_id == property_id)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _one_property(connection: AsyncConnection, query: sa.Select[Any]) -> Property | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return _property(row) if row else None


async def _one_unit(connection: AsyncConnection, query: sa.Select[Any]) -> Unit | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return _unit(row) if row else None


def _property_row(item: Property) -> dict[str, Any]:
    return asdict(item) | {"name_key": natural_key(item.name)}


def _property(row: sa.RowMapping) -> Property:
    return Property(**{name: row[name] for name in Property.__dataclass_fields__})


def _unit(row: sa.RowMapping) -> Unit:
    return Unit(id=row["id"], property_id=row["property_id"], label=row["label"])
