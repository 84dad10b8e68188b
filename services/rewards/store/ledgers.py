"""Tenants' records and reward ledgers: locked, read, and added to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.earning import Earned, Record
from services.rewards.domain.ledgers import Funds, Grant, Key, Ledger
from services.rewards.schema import denials, entries, months, tenants
from shared.db import columnar, given, given_rows, insert_rows

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
_ENTRY: Final = tuple(entries.columns.keys())
_MONTH: Final = tuple(months.columns.keys())


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found out about a tenant at the last evaluation."""

    streak: int
    judged_on: date | None


class LedgerStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, tenant_ids: Iterable[UUID]) -> dict[UUID, Judgement]:
        """Make whoever else posts for these tenants wait, in one order everywhere."""
        ids = sorted(set(tenant_ids))
        await self._connection.execute(_NEW_TENANTS, {"tenant_id": ids})
        query = (
            sa.select(tenants).where(tenants.c.tenant_id == sa.any_(_IDS)).order_by(tenants.c.tenant_id)
        ).with_for_update()
        rows = await self._connection.execute(query, {"ids": ids})
        return {row.tenant_id: Judgement(row.streak, row.judged_on) for row in rows}

    async def load(self, tenant_ids: Iterable[UUID]) -> dict[UUID, Ledger]:
        """What is posted for these tenants, as far as it matters for what has to be posted."""
        ids = {"ids": list(set(tenant_ids))}
        funds = await self.funds(tenant_ids)
        grants: defaultdict[UUID, dict[Key, Grant]] = defaultdict(dict)
        turns: defaultdict[UUID, dict[Key, int]] = defaultdict(dict)
        query = sa.select(entries).where(
            entries.c.tenant_id == sa.any_(_IDS), entries.c.kind.in_(("granted", "revoked"))
        )
        for row in await self._connection.execute(query.order_by(entries.c.turn, entries.c.kind), ids):
            key = (row.rule, row.period)
            if row.kind == "granted":
                turns[row.tenant_id][key] = row.turn
                grants[row.tenant_id][key] = Grant(row.entry_id, _earned(row), row.turn)
            else:  # sorted: the grant of a turn comes before what revokes it
                del grants[row.tenant_id][key]
        denied = await self._denied(ids)
        return {
            key: Ledger(grants[key], turns[key], frozenset(denied[key]), funds.get(key, {}))
            for key in ids["ids"]
        }

    async def _denied(self, ids: Mapping[str, Any]) -> defaultdict[UUID, set[Key]]:
        found: defaultdict[UUID, set[Key]] = defaultdict(set)
        query = sa.select(denials).where(denials.c.tenant_id == sa.any_(_IDS))
        for row in await self._connection.execute(query, ids):
            found[row.tenant_id].add((row.rule, row.period))
        return found

    async def funds(self, tenant_ids: Iterable[UUID] | None = None) -> dict[UUID, dict[str, Funds]]:
        """What tenants have, by currency: the last entry of each says it."""
        key = entries.c.tenant_id, entries.c.currency
        query = (
            sa.select(*key, entries.c.balance_cents, entries.c.shortfall_cents, entries.c.sequence)
            .ext(distinct_on(*key))
            .order_by(*key, entries.c.sequence.desc())
        )
        if tenant_ids is not None:
            query = query.where(entries.c.tenant_id == sa.any_(_IDS))
        ids = {} if tenant_ids is None else {"ids": list(set(tenant_ids))}
        found: defaultdict[UUID, dict[str, Funds]] = defaultdict(dict)
        for row in await self._connection.execute(query, ids):
            funds = Funds(row.balance_cents, row.shortfall_cents, row.sequence)
            found[row.tenant_id][row.currency] = funds
        return dict(found)

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add entries to ledgers whose tenants are locked."""
        if rows:
            await self._connection.execute(_ADD_ENTRIES, columnar(rows, _ENTRY))

    async def keep_records(self, records: Sequence[Record], judged_on: Mapping[UUID, date]) -> None:
        """Write down what each tenant's months count as; only what is different is written."""
        rows = [
            {
                "tenant_id": record.tenant_id,
                "period": month.period,
                "verdict": month.verdict.value,
                "why": month.why.value,
                "streak": month.streak,
                "property_id": month.home.property_id,
            }
            for record in records
            for month in record.months
        ]
        await self._connection.execute(_KEEP_MONTHS, columnar(rows, _MONTH))
        judged = [
            {"tenant_id": item.tenant_id, "streak": item.streak, "judged_on": judged_on[item.tenant_id]}
            for item in records
        ]
        await self._connection.execute(_JUDGED, given(judged, ("tenant_id", "streak", "judged_on")))

    async def deny(self, row: Mapping[str, Any]) -> None:
        """Keep that a person has taken back a rule's grant for good."""
        await self._connection.execute(insert(denials).values(**row).on_conflict_do_nothing())

    async def entries_of(self, tenant_id: UUID, period: str | None = None) -> list[dict[str, Any]]:
        """A tenant's ledger, or what of it is of a month, in order."""
        query = sa.select(entries).where(entries.c.tenant_id == tenant_id)
        if period is not None:
            query = query.where(entries.c.period == period)
        query = query.order_by(entries.c.currency, entries.c.sequence)
        return [dict(row) for row in (await self._connection.execute(query)).mappings()]

    async def entry(self, entry_id: UUID) -> dict[str, Any] | None:
        """One entry."""
        query = sa.select(entries).where(entries.c.entry_id == entry_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else dict(row)

    async def judgements(self, tenant_ids: Iterable[UUID] | None = None) -> dict[UUID, Judgement]:
        """The streaks of tenants, as of their last evaluation."""
        query = sa.select(tenants).order_by(tenants.c.tenant_id)
        if tenant_ids is not None:
            query = query.where(tenants.c.tenant_id.in_(list(tenant_ids)))
        rows = await self._connection.execute(query)
        return {row.tenant_id: Judgement(row.streak, row.judged_on) for row in rows}

    async def totals(self, tenant_ids: Iterable[UUID] | None = None) -> dict[UUID, dict[str, int]]:
        """What was granted, revoked, redeemed and restored to each tenant, all together."""
        total = sa.cast(sa.func.sum(entries.c.amount_cents), sa.BigInteger)
        query = sa.select(entries.c.tenant_id, entries.c.kind, total.label("cents"))
        if tenant_ids is not None:
            query = query.where(entries.c.tenant_id.in_(list(tenant_ids)))
        found: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
        rows = await self._connection.execute(query.group_by(entries.c.tenant_id, entries.c.kind))
        for row in rows:
            found[row.tenant_id][row.kind] = row.cents
        return dict(found)


def _earned(row: sa.Row[Any]) -> Earned:
    return Earned(
        kind=row.kind_of_rule,
        rule=row.rule,
        period=row.period,
        amount_cents=row.amount_cents,
        currency=row.currency,
        property_id=row.property_id,
        lease_id=row.lease_id,
        months=row.months,
        paid_ahead_cents=row.paid_ahead_cents,
    )


def _keep_months() -> Any:
    statement = insert_rows(months, _MONTH)
    values = tuple(name for name in _MONTH if name not in {"tenant_id", "period"})
    return statement.on_conflict_do_update(
        index_elements=["tenant_id", "period"],
        set_={name: statement.excluded[name] for name in values},
        where=sa.or_(*(months.c[name] != statement.excluded[name] for name in values)),
    )


def _judged() -> sa.Update:
    rows = given_rows(tenants, ("tenant_id", "streak", "judged_on"))
    return (
        sa.update(tenants)
        .where(tenants.c.tenant_id == rows.c.tenant_id)
        .values(streak=rows.c.streak, judged_on=rows.c.judged_on)
    )


_NEW_TENANTS: Final = insert_rows(tenants, ("tenant_id",)).on_conflict_do_nothing()
_ADD_ENTRIES: Final = insert_rows(entries, _ENTRY)
_KEEP_MONTHS: Final = _keep_months()
_JUDGED: Final = _judged()
