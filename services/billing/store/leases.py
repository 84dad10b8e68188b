"""Billing's copies of leases and properties."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.due_periods import Tenure
from services.billing.domain.leases import Charge, LeaseTerms, RentChange
from services.billing.schema import accounts, leases, properties
from shared.db import array_text, columnar, insert_rows

_LEASE_COLUMNS: Final = tuple(column.name for column in leases.columns)
_UPSERT_LEASES: Final = insert_rows(leases, _LEASE_COLUMNS)
_NEW_ACCOUNTS: Final = insert_rows(accounts, ("account_id", "currency")).on_conflict_do_nothing()
_NEWER_LEASES: Final = _UPSERT_LEASES.on_conflict_do_update(
    index_elements=["lease_id"],
    set_={name: _UPSERT_LEASES.excluded[name] for name in _LEASE_COLUMNS if name != "lease_id"},
    where=leases.c.version < _UPSERT_LEASES.excluded.version,
)
_renewals: Final = leases.alias("renewals")
_RENEWED_ON: Final = (
    sa.select(sa.func.min(_renewals.c.starts_on))
    .where(_renewals.c.renewal_of == leases.c.lease_id)
    .scalar_subquery()
    .label("renewed_on")
)
"""A renewal ends the lease it renews, also where the fact that says so has not come yet."""


@dataclass(frozen=True, slots=True)
class Window:
    """The days that matter in one time zone."""

    time_zone: str
    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class Billable:
    """A lease that may have a period to be billed."""

    lease_id: UUID
    property_id: UUID
    time_zone: str
    tenure: Tenure


class LeaseStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def upsert_property(self, row: dict[str, Any]) -> None:
        """Replace the copy of a property, unless a newer one is here already."""
        statement = insert(properties).values(row)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["property_id"],
                set_={name: statement.excluded[name] for name in row if name != "property_id"},
                where=properties.c.version < statement.excluded.version,
            )
        )

    async def upsert_leases(self, terms: Iterable[tuple[LeaseTerms, int]]) -> None:
        """Replace the copies of leases by newer versions, in one statement."""
        newest: dict[UUID, tuple[LeaseTerms, int]] = {}
        for lease, version in terms:
            if lease.lease_id not in newest or newest[lease.lease_id][1] < version:
                newest[lease.lease_id] = (lease, version)
        # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
        rows = [_lease_row(*newest[lease_id]) for lease_id in sorted(newest)]
        opened = {row["account_id"]: row for row in rows}
        in_order = [opened[account_id] for account_id in sorted(opened)]
        await self._connection.execute(_NEW_ACCOUNTS, columnar(in_order, ("account_id", "currency")))
        await self._connection.execute(_NEWER_LEASES, columnar(rows, _LEASE_COLUMNS))

    async def property_named(self, property_id: UUID) -> str | None:
        """The name of a property, or None where billing does not know it."""
        query = sa.select(properties.c.name).where(properties.c.property_id == property_id)
        return await self._connection.scalar(query)

    async def time_zones_of(self, property_ids: Iterable[UUID]) -> dict[UUID, str]:
        """The zones of these properties, as far as billing knows them."""
        query = sa.select(properties.c.property_id, properties.c.time_zone).where(
            properties.c.property_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
        )
        rows = await self._connection.execute(query, {"ids": list(property_ids)})
        return {row.property_id: row.time_zone for row in rows}

    async def property_names(self) -> dict[UUID, str]:
        """The names of all properties."""
        rows = await self._connection.execute(sa.select(properties.c.property_id, properties.c.name))
        return {row.property_id: row.name for row in rows}

    async def count(self) -> int:
        """How many leases billing knows."""
        return int(await self._connection.scalar(sa.select(sa.func.count()).select_from(leases)) or 0)

    async def time_zone_of(self, lease_id: UUID) -> str | None:
        """The zone a lease's business dates are in."""
        zone: str | None = await self._connection.scalar(
            sa.select(leases.c.time_zone).where(leases.c.lease_id == lease_id)
        )
        return zone

    async def account_of(self, lease_id: UUID) -> UUID | None:
        """The account a lease's money is owed on."""
        account_id: UUID | None = await self._connection.scalar(
            sa.select(leases.c.account_id).where(leases.c.lease_id == lease_id)
        )
        return account_id

    async def time_zones(self) -> list[str]:
        """Every zone that some lease is in."""
        return list(
            await self._connection.scalars(sa.select(leases.c.time_zone).distinct().order_by("time_zone"))
        )

    async def in_force(self, windows: Sequence[Window], property_id: UUID | None) -> list[Billable]:
        """The leases that have a day in the window of their zone, by property."""
        window = _windows(windows)
        last_on = _last_on().label("last_on")
        query = (
            sa.select(
                leases.c.lease_id,
                leases.c.property_id,
                leases.c.time_zone,
                leases.c.frequency,
                leases.c.starts_on,
                last_on,
            )
            .join(window, window.c.time_zone == leases.c.time_zone)
            .where(leases.c.starts_on <= window.c.last_on)
            .where(sa.func.coalesce(_last_on(), window.c.first_on) >= window.c.first_on)
            .order_by(leases.c.property_id, leases.c.lease_id)
        )
        if property_id is not None:
            query = query.where(leases.c.property_id == property_id)
        return [
            Billable(
                row.lease_id,
                row.property_id,
                row.time_zone,
                Tenure(row.frequency, row.starts_on, row.last_on),
            )
            for row in await self._connection.execute(query)
        ]

    async def terms(self, lease_ids: Iterable[UUID]) -> dict[UUID, LeaseTerms]:
        """The terms of these leases, by id."""
        query = sa.select(leases, _RENEWED_ON).where(
            leases.c.lease_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
        )
        rows = await self._connection.execute(query, {"ids": list(lease_ids)})
        return {row.lease_id: _terms(row) for row in rows}


def _last_on() -> sa.ColumnElement[date | None]:
    agreed = sa.case((leases.c.rolls_over, sa.null()), else_=leases.c.ends_on)
    return sa.func.least(agreed, _RENEWED_ON.element - 1)


def _windows(windows: Sequence[Window]) -> Any:
    columns: dict[str, sa.types.TypeEngine[Any]] = {
        "time_zone": sa.Text(),
        "first_on": sa.Date(),
        "last_on": sa.Date(),
    }
    arrays = [
        sa.bindparam(name, [getattr(window, name) for window in windows], type_=ARRAY(kind), unique=True)
        for name, kind in columns.items()
    ]
    named = (sa.column(name, kind) for name, kind in columns.items())
    return sa.func.unnest(*arrays).table_valued(*named).render_derived(name="windows")


def _lease_row(lease: LeaseTerms, version: int) -> dict[str, Any]:
    row = {name: getattr(lease, name) for name in _LEASE_COLUMNS if name != "version"}
    return row | {
        "version": version,
        "tenant_ids": array_text(lease.tenant_ids),
        "free_periods": array_text(lease.free_periods),
        "rent_changes": _as_json(lease.rent_changes),
        "charges": _as_json(lease.charges),
    }


def _as_json(items: Iterable[Charge | RentChange]) -> str:
    return json.dumps([asdict(item) for item in items], default=date.isoformat)


def _terms(row: Any) -> LeaseTerms:
    renewed = row.renewed_on is not None
    values = {name: getattr(row, name) for name in _LEASE_COLUMNS if name != "version"}
    return LeaseTerms(
        **values
        | {
            "tenant_ids": tuple(row.tenant_ids),
            "free_periods": tuple(row.free_periods),
            "rent_changes": tuple(_rent_change(item) for item in row.rent_changes),
            "charges": tuple(_charge(item) for item in row.charges),
            "ends_on": _earlier(None if row.rolls_over else row.ends_on, row.renewed_on)
            if renewed
            else row.ends_on,
            "rolls_over": row.rolls_over and not renewed,
        }
    )


def _earlier(ends_on: date | None, renewed_on: date) -> date:
    day_before = date.fromordinal(renewed_on.toordinal() - 1)
    return day_before if ends_on is None else min(ends_on, day_before)


def _rent_change(item: dict[str, Any]) -> RentChange:
    return RentChange(date.fromisoformat(item["effective_on"]), item["rent_cents"])


def _charge(item: dict[str, Any]) -> Charge:
    days = {name: date.fromisoformat(item[name]) for name in ("starts_on", "ends_on") if item.get(name)}
    return Charge(**item | days)
