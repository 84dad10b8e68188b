"""Billing's facts: kept once each, whatever order they come in, and read for any number of tenants."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.facts import Facts, Fee, Receipt, RentInvoice
from services.rewards.schema import fees, invoices, leases, payments, reversals, standings, voids
from shared.db import array_text, columnar, insert_rows

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


class FactStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep_invoices(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep invoices as they were issued."""
        await self._keep(_INVOICES, invoices, (_with_tenants(row) for row in rows))

    async def keep_payments(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep payments as they were recorded."""
        await self._keep(_PAYMENTS, payments, (_with_tenants(row) for row in rows))

    async def keep_reversals(self, rows: Iterable[Mapping[str, Any]]) -> set[UUID]:
        """Keep what was taken back of payments; the reversals that were not known before."""
        return set(await self._keep(_REVERSALS, reversals, rows))

    async def keep_fees(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep fee lines and waivers."""
        await self._keep(_FEES, fees, rows)

    async def keep_voids(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep that invoices do not count."""
        await self._keep(_VOIDS, voids, rows)

    async def keep_standings(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep since when the rent of invoices is covered; of two about one invoice the higher revision."""
        newest: dict[Any, Mapping[str, Any]] = {}
        for row in rows:
            known = newest.get(row["invoice_id"])
            if known is None or known["revision"] < row["revision"]:
                newest[row["invoice_id"]] = row
        await self._keep(_STANDINGS, standings, newest.values())

    async def _keep(
        self, statement: Insert, table: sa.Table, rows: Iterable[Mapping[str, Any]]
    ) -> Sequence[UUID]:
        """Keep rows; the ids of those that changed anything."""
        names = tuple(table.columns.keys())
        # In one order everywhere: two replicas that wait for each other in opposite orders would deadlock.
        in_order = sorted(rows, key=lambda row: row[names[0]])
        written = statement.returning(table.c[names[0]])
        return (await self._connection.scalars(written, columnar(in_order, names))).all()

    async def of_tenants(self, tenant_ids: Iterable[UUID]) -> Facts:
        """Everything about the accounts of these tenants, in five statements however many they are."""
        ids = {"ids": list(set(tenant_ids))}
        accounts = {"ids": list(await self._connection.scalars(_ACCOUNTS, ids))}
        taken_back = await self._reversals(accounts)
        reversed_cents: Counter[UUID] = Counter()
        for row in taken_back:
            reversed_cents[row["payment_id"]] += row["amount_cents"]
        returned = (
            Fee(row["account_id"], None, row["known_on"], row["nsf_fee_cents"])
            for row in taken_back
            if row["nsf_fee_cents"]
        )
        return Facts(
            await self._invoices(accounts),
            await self._receipts(accounts, reversed_cents),
            (*await self._fees(accounts), *returned),
        )

    async def _invoices(self, accounts: Mapping[str, Any]) -> tuple[RentInvoice, ...]:
        rows = (await self._connection.execute(_OF_ACCOUNTS, accounts)).mappings()
        return tuple(RentInvoice(**{**row, "tenant_ids": tuple(row["tenant_ids"])}) for row in rows)

    async def _receipts(
        self, accounts: Mapping[str, Any], reversed_cents: Mapping[UUID, int]
    ) -> tuple[Receipt, ...]:
        query = sa.select(payments).where(payments.c.account_id == sa.any_(_IDS))
        rows = (await self._connection.execute(query, accounts)).mappings()
        found = []
        for row in rows:
            left = row["amount_cents"] - reversed_cents.get(row["payment_id"], 0)
            if left > 0:
                fixed = {"tenant_ids": tuple(row["tenant_ids"]), "amount_cents": left}
                found.append(Receipt(**{**row, **fixed}))
        return tuple(found)

    async def _reversals(self, accounts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        query = sa.select(reversals).where(reversals.c.account_id == sa.any_(_IDS))
        return [dict(row) for row in (await self._connection.execute(query, accounts)).mappings()]

    async def _fees(self, accounts: Mapping[str, Any]) -> tuple[Fee, ...]:
        query = sa.select(fees).where(fees.c.account_id == sa.any_(_IDS))
        return tuple(
            Fee(row.account_id, row.invoice_id, row.counts_on, row.amount_cents)
            for row in await self._connection.execute(query, accounts)
        )


def _with_tenants(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "tenant_ids": array_text(row["tenant_ids"])}


def _once(table: sa.Table) -> Insert:
    return insert_rows(table, tuple(table.columns.keys())).on_conflict_do_nothing()


def _newest_standing() -> Insert:
    statement = insert_rows(standings, tuple(standings.columns.keys()))
    return statement.on_conflict_do_update(
        index_elements=["invoice_id"],
        set_={name: statement.excluded[name] for name in ("revision", "covered_on")},
        where=standings.c.revision < statement.excluded.revision,
    )


def _accounts() -> sa.CompoundSelect[tuple[UUID]]:
    """The accounts that somebody was billed on, or has paid into."""
    return sa.union(
        *(
            sa.select(table.c.account_id).where(table.c.tenant_ids.overlap(_IDS))
            for table in (invoices, payments)
        )
    )


def _of_accounts() -> sa.Select[Any]:
    frequency = sa.func.coalesce(leases.c.frequency, "monthly").label("frequency")
    return (
        sa.select(invoices, standings.c.covered_on, voids.c.voided_on, frequency)
        .outerjoin(standings, standings.c.invoice_id == invoices.c.invoice_id)
        .outerjoin(voids, voids.c.invoice_id == invoices.c.invoice_id)
        .outerjoin(leases, leases.c.lease_id == invoices.c.lease_id)
        .where(invoices.c.account_id == sa.any_(_IDS))
    )


_INVOICES: Final = _once(invoices)
_PAYMENTS: Final = _once(payments)
_REVERSALS: Final = _once(reversals)
_FEES: Final = _once(fees)
_VOIDS: Final = _once(voids)
_STANDINGS: Final = _newest_standing()
_ACCOUNTS: Final = _accounts()
_OF_ACCOUNTS: Final = _of_accounts()
