"""Work orders in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.work_orders import PRIORITIES, WorkOrder
from services.leasing.schema import (
    lease_tenants,
    leases,
    properties,
    tenants,
    units,
    work_order_history,
    work_order_numbers,
    work_orders,
)

_COLUMNS: Final = tuple(work_orders.c.keys())
_ORDER: Final = sa.select(work_orders, units.c.label.label("unit_label"), properties.c.time_zone).select_from(
    work_orders.join(properties, work_orders.c.property_id == properties.c.id).outerjoin(
        units, work_orders.c.unit_id == units.c.id
    )
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a work order's history."""

    at: datetime
    by: str
    action: str
    reason: str | None
    version: int
    changes: Mapping[str, Any]
    """Each field's old and new value, as JSON has them."""


@dataclass(frozen=True, slots=True)
class ListedWorkOrder:
    """A work order with the names a person looks for."""

    order: WorkOrder
    property: str
    reporter: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which work orders somebody looks for; what is not said does not matter."""

    states: Sequence[str] = ()
    priority: str | None = None
    property_id: UUID | None = None
    unit_id: UUID | None = None
    tenant_id: UUID | None = None
    assignee: str | None = None


async def next_sequence(connection: AsyncConnection, year: int) -> int:
    """The next number of a year; whoever asks meanwhile waits, so that numbers have no gaps."""
    statement = insert(work_order_numbers).values(year=year, last=1)
    taken = statement.on_conflict_do_update(
        index_elements=["year"], set_={"last": work_order_numbers.c.last + 1}
    ).returning(work_order_numbers.c.last)
    return int((await connection.execute(taken)).scalar_one())


async def add_work_order(connection: AsyncConnection, order: WorkOrder) -> bool:
    """Insert a work order; False where its reference is taken."""
    statement = insert(work_orders).values(_row(order)).on_conflict_do_nothing(index_elements=["reference"])
    return (await connection.execute(statement.returning(work_orders.c.id))).one_or_none() is not None


async def replace_work_order(connection: AsyncConnection, order: WorkOrder) -> None:
    """Write a work order's new state."""
    await connection.execute(sa.update(work_orders).where(work_orders.c.id == order.id).values(_row(order)))


async def add_entry(connection: AsyncConnection, identity: UUID, entry: Entry) -> None:
    """Add a line to the history of a work order that the caller holds, or has just made."""
    last = sa.select(sa.func.coalesce(sa.func.max(work_order_history.c.position), 0) + 1)
    position = last.where(work_order_history.c.work_order_id == identity).scalar_subquery()
    values = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    await connection.execute(
        sa.insert(work_order_history).values(work_order_id=identity, position=position, **values)
    )


async def work_order_by_id(connection: AsyncConnection, identity: UUID) -> WorkOrder | None:
    """One work order as it is."""
    return await _one(connection, _ORDER.where(work_orders.c.id == identity))


async def work_order_by_reference(connection: AsyncConnection, reference: str) -> WorkOrder | None:
    """The work order that was opened under this reference."""
    return await _one(connection, _ORDER.where(work_orders.c.reference == reference))


async def hold_work_order(connection: AsyncConnection, identity: UUID) -> WorkOrder | None:
    """One work order, for one transaction at a time to decide on."""
    held = sa.select(work_orders.c.id).where(work_orders.c.id == identity).with_for_update()
    await connection.execute(held)
    return await work_order_by_id(connection, identity)


async def work_orders_after(connection: AsyncConnection, after: UUID | None, limit: int) -> list[WorkOrder]:
    """A page of all work orders, in the order of their ids."""
    query = _ORDER.order_by(work_orders.c.id).limit(limit)
    if after is not None:
        query = query.where(work_orders.c.id > after)
    return [_order(row) for row in (await connection.execute(query)).mappings()]


async def concerned(connection: AsyncConnection, order: WorkOrder, on: date) -> tuple[UUID, ...]:
    """Who is told of a work order: who has the unit that day, and who reported it while they live here."""
    return (await concerned_by(connection, [order], {order.id: on}))[order.id]


async def concerned_by(
    connection: AsyncConnection, orders: Sequence[WorkOrder], on: Mapping[UUID, date]
) -> dict[UUID, tuple[UUID, ...]]:
    """The same for several, each on its day; in one statement."""
    asked = (
        sa.func.unnest(
            sa.bindparam("ids", [item.id for item in orders], type_=sa.ARRAY(sa.Uuid)),
            sa.bindparam("days", [on[item.id] for item in orders], type_=sa.ARRAY(sa.Date)),
        )
        .table_valued(sa.column("id", sa.Uuid), sa.column("day", sa.Date))
        .render_derived(name="asked")
    )
    goes_on = sa.or_(leases.c.ends_on.is_(None), leases.c.rolls_over, leases.c.ends_on >= asked.c.day)
    has_the_unit = sa.and_(leases.c.unit_id == work_orders.c.unit_id, leases.c.starts_on <= asked.c.day)
    query = (
        sa.select(
            work_orders.c.id,
            sa.func.array_agg(
                aggregate_order_by(lease_tenants.c.tenant_id.distinct(), lease_tenants.c.tenant_id)
            ),
        )
        .select_from(asked)
        .join(work_orders, work_orders.c.id == asked.c.id)
        .join(units, units.c.property_id == work_orders.c.property_id)
        .join(leases, sa.and_(leases.c.unit_id == units.c.id, goes_on))
        .join(lease_tenants, lease_tenants.c.lease_id == leases.c.id)
        .where(sa.or_(has_the_unit, lease_tenants.c.tenant_id == work_orders.c.reported_by))
        .group_by(work_orders.c.id)
    )
    found = {row[0]: tuple(row[1]) for row in await connection.execute(query)}
    return {item.id: found.get(item.id, ()) for item in orders}


async def list_work_orders(
    connection: AsyncConnection, limit: int, wanted: Wanted, *, named: str | UUID | None = None
) -> list[ListedWorkOrder]:
    """Unfinished ones first, the most urgent and the oldest before others; or the one of a name."""
    urgency = sa.func.array_position(sa.cast(list(PRIORITIES), sa.ARRAY(sa.Text)), work_orders.c.priority)
    query = (
        _ORDER.add_columns(properties.c.name.label("property"), tenants.c.name.label("reporter"))
        .outerjoin(tenants, work_orders.c.reported_by == tenants.c.id)
        .where(*_filters(wanted))
        .order_by(
            work_orders.c.closed_at.desc().nulls_first(), urgency, work_orders.c.opened_at, work_orders.c.id
        )
        .limit(limit)
    )
    if named is not None:
        query = query.where((work_orders.c.id if isinstance(named, UUID) else work_orders.c.number) == named)
    rows = (await connection.execute(query)).mappings()
    return [ListedWorkOrder(_order(row), row["property"], row["reporter"]) for row in rows]


async def history_of(connection: AsyncConnection, identity: UUID) -> list[Entry]:
    """Everything that was ever done with a work order, oldest first."""
    columns = [work_order_history.c[name] for name in Entry.__dataclass_fields__]
    query = sa.select(*columns).where(work_order_history.c.work_order_id == identity)
    rows = await connection.execute(query.order_by(work_order_history.c.position))
    return [Entry(**row) for row in rows.mappings()]


def _filters(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.states:
        found.append(work_orders.c.state.in_(wanted.states))
    if wanted.priority is not None:
        found.append(work_orders.c.priority == wanted.priority)
    if wanted.property_id is not None:
        found.append(work_orders.c.property_id == wanted.property_id)
    if wanted.unit_id is not None:
        found.append(work_orders.c.unit_id == wanted.unit_id)
    if wanted.tenant_id is not None:
        found.append(work_orders.c.reported_by == wanted.tenant_id)
    if wanted.assignee is not None:
        matches = sa.func.lower(wanted.assignee)
        of_name, of_email = (
            sa.func.lower(work_orders.c.assignee_name),
            sa.func.lower(work_orders.c.assignee_email),
        )
        found.append(sa.or_(of_name == matches, of_email == matches))
    return found


async def _one(connection: AsyncConnection, query: sa.Select[Any]) -> WorkOrder | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return _order(row) if row else None


def _row(order: WorkOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in _COLUMNS}


def _order(row: sa.RowMapping) -> WorkOrder:
    return WorkOrder(**{name: row[name] for name in WorkOrder.__dataclass_fields__})
