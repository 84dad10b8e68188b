"""Billing's copies of leases and properties, and which of them are still to be billed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.leases import Charge, LeaseTerms
from services.billing.schema import accounts, invoices, leases, properties
from shared.db import array_text, columnar, insert_rows

_LEASE_COLUMNS: Final = (
    *("lease_id", "version", "account_id", "property_id", "unit_id", "unit_label", "tenant_ids", "time_zone"),
    *("currency", "rent_cents", "charges", "starts_on", "ends_on", "due_day"),
)
_UPSERT_LEASES: Final = insert_rows(leases, _LEASE_COLUMNS)
_NEW_ACCOUNTS: Final = insert_rows(accounts, ("account_id", "currency")).on_conflict_do_nothing()
_NEWER_LEASES: Final = _UPSERT_LEASES.on_conflict_do_update(
    index_elements=["lease_id"],
    set_={name: _UPSERT_LEASES.excluded[name] for name in _LEASE_COLUMNS if name != "lease_id"},
    where=leases.c.version < _UPSERT_LEASES.excluded.version,
)


@dataclass(frozen=True, slots=True)
class Month:
    """A period, and its first and last date, as it is in one time zone."""

    time_zone: str
    period: str
    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lease in force in a month, and whether that month is billed already."""

    lease_id: UUID
    property_id: UUID
    period: str
    billed: bool


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
        await self._connection.execute(_NEW_ACCOUNTS, columnar(rows, ("account_id", "currency")))
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

    async def time_zones(self) -> list[str]:
        """Every zone that some lease is in."""
        return list(
            await self._connection.scalars(sa.select(leases.c.time_zone).distinct().order_by("time_zone"))
        )

    async def candidates(self, months: Sequence[Month], property_id: UUID | None) -> list[Candidate]:
        """The leases in force in the month it is in their zone, each with whether it is billed."""
        month = _months(months)
        billed = (
            sa.select(invoices.c.invoice_id)
            .where(invoices.c.lease_id == leases.c.lease_id, invoices.c.period == month.c.period)
            .where(invoices.c.kind == "rent", invoices.c.state != "void")
            .exists()
        )
        query = (
            sa.select(leases.c.lease_id, leases.c.property_id, month.c.period, billed.label("billed"))
            .join(month, month.c.time_zone == leases.c.time_zone)
            .where(leases.c.starts_on <= month.c.last_on)
            .where(sa.or_(leases.c.ends_on.is_(None), leases.c.ends_on >= month.c.first_on))
            .order_by(leases.c.property_id, leases.c.lease_id)
        )
        if property_id is not None:
            query = query.where(leases.c.property_id == property_id)
        return [Candidate(*row) for row in await self._connection.execute(query)]

    async def terms(self, lease_ids: Sequence[UUID]) -> dict[UUID, LeaseTerms]:
        """The terms of these leases, by id."""
        query = sa.select(leases).where(
            leases.c.lease_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
        )
        rows = await self._connection.execute(query, {"ids": list(lease_ids)})
        return {row.lease_id: _terms(row) for row in rows}


def _months(months: Sequence[Month]) -> Any:
    columns: dict[str, sa.types.TypeEngine[Any]] = {
        "time_zone": sa.Text(),
        "period": sa.Text(),
        "first_on": sa.Date(),
        "last_on": sa.Date(),
    }
    arrays = [
        sa.bindparam(name, [getattr(month, name) for month in months], type_=ARRAY(kind), unique=True)
        for name, kind in columns.items()
    ]
    named = (sa.column(name, kind) for name, kind in columns.items())
    return sa.func.unnest(*arrays).table_valued(*named).render_derived(name="months")


def _lease_row(lease: LeaseTerms, version: int) -> dict[str, Any]:
    charges = [
        {"code": item.code, "description": item.description, "amount_cents": item.amount_cents}
        for item in lease.charges
    ]
    row = {name: getattr(lease, name) for name in _LEASE_COLUMNS if name != "version"}
    return row | {
        "version": version,
        "tenant_ids": array_text(lease.tenant_ids),
        "charges": json.dumps(charges),
    }


def _terms(row: Any) -> LeaseTerms:
    return LeaseTerms(
        lease_id=row.lease_id,
        account_id=row.account_id,
        property_id=row.property_id,
        unit_id=row.unit_id,
        unit_label=row.unit_label,
        tenant_ids=tuple(row.tenant_ids),
        time_zone=row.time_zone,
        currency=row.currency,
        rent_cents=row.rent_cents,
        charges=tuple(Charge(**charge) for charge in row.charges),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        due_day=row.due_day,
    )
