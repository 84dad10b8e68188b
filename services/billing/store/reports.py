"""What reports read: who lives where, what is open today, and when invoices were voided."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.aging import Household
from services.billing.schema import invoices, leases

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True, slots=True)
class IssuedPeriod:
    """The days that an invoice of a lease is for."""

    invoice_id: UUID
    lease_id: UUID
    starts_on: date
    ends_on: date
    is_rent: bool


class ReportStore:
    """Reads over one connection, which should be one snapshot for one report."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def households(self, property_id: UUID | None) -> dict[UUID, Household]:
        """Every account, also of those who moved out, with its newest lease."""
        query = (
            sa.select(*(leases.c[name] for name in Household.__dataclass_fields__))
            .ext(distinct_on(leases.c.account_id))
            .order_by(leases.c.account_id, leases.c.starts_on.desc(), leases.c.lease_id.desc())
        )
        newest = query.subquery()
        wanted = sa.select(newest)
        if property_id is not None:
            wanted = wanted.where(newest.c.property_id == property_id)
        rows = await self._connection.execute(wanted.order_by(newest.c.property_id, newest.c.unit_label))
        return {
            row.account_id: Household(**row._asdict() | {"tenant_ids": tuple(row.tenant_ids)}) for row in rows
        }

    async def open_now(self) -> dict[UUID, list[tuple[date, int]]]:
        """By account: due date and balance of each open invoice, as they are kept."""
        balance = sa.func.greatest(invoices.c.total_cents, 0) - invoices.c.paid_cents
        query = sa.select(invoices.c.account_id, invoices.c.due_on, balance.label("cents"))
        found: defaultdict[UUID, list[tuple[date, int]]] = defaultdict(list)
        for row in await self._connection.execute(query.where(invoices.c.state == "open")):
            found[row.account_id].append((row.due_on, row.cents))
        return dict(found)

    async def voided_on(self, account_ids: Collection[UUID]) -> Mapping[UUID, date]:
        """When each voided invoice of these accounts was voided."""
        query = sa.select(invoices.c.invoice_id, invoices.c.voided_on).where(
            invoices.c.account_id == sa.any_(_IDS), invoices.c.voided_on.is_not(None)
        )
        rows = await self._connection.execute(query, {"ids": list(account_ids)})
        return {row.invoice_id: row.voided_on for row in rows}

    async def periods(self, lease_ids: Collection[UUID]) -> dict[UUID, list[IssuedPeriod]]:
        """By lease: the periods of all invoices there ever were."""
        query = sa.select(
            invoices.c.invoice_id,
            invoices.c.lease_id,
            invoices.c.period_starts_on.label("starts_on"),
            invoices.c.period_ends_on.label("ends_on"),
            (invoices.c.kind == "rent").label("is_rent"),
        ).where(invoices.c.lease_id == sa.any_(_IDS))
        found: defaultdict[UUID, list[IssuedPeriod]] = defaultdict(list)
        for row in await self._connection.execute(query, {"ids": list(lease_ids)}):
            found[row.lease_id].append(IssuedPeriod(**row._asdict()))
        return dict(found)
