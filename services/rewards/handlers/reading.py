"""How tenants stand, for whoever only looks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.domain.earning import Record, record_of
from services.rewards.domain.facts import Facts, Today
from services.rewards.domain.ledgers import Funds
from services.rewards.domain.policies import PolicyBook
from services.rewards.store import FactStore, LedgerStore, PolicyStore


@dataclass(frozen=True, slots=True)
class Standing:
    """A tenant's streak and money, as of the last evaluation and the last entry."""

    streak: int = 0
    balance_cents: int = 0
    shortfall_cents: int = 0
    granted_cents: int = 0
    revoked_cents: int = 0
    redeemed_cents: int = 0
    """Less what billing could not book."""
    judged_on: date | None = None
    funds: tuple[tuple[str, Funds], ...] = ()
    """By currency; the sums above are over all of them."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that a month of a tenant follows from."""

    record: Record
    policies: PolicyBook
    entries: Sequence[dict[str, Any]]
    """What of the ledger is about the month."""
    today: Today


async def standings(
    connection: AsyncConnection, tenant_ids: Iterable[UUID] | None = None
) -> dict[UUID, Standing]:
    """How tenants stand, in three statements however many they are; all that were ever judged by default."""
    ids = None if tenant_ids is None else list(tenant_ids)
    store = LedgerStore(connection)
    judged, funds, totals = await store.judgements(ids), await store.funds(ids), await store.totals(ids)
    return {
        key: Standing(
            streak=found.streak,
            balance_cents=sum(item.balance_cents for item in funds.get(key, {}).values()),
            shortfall_cents=sum(item.shortfall_cents for item in funds.get(key, {}).values()),
            granted_cents=totals.get(key, {}).get("granted", 0),
            revoked_cents=totals.get(key, {}).get("revoked", 0),
            redeemed_cents=totals.get(key, {}).get("redeemed", 0) - totals.get(key, {}).get("restored", 0),
            judged_on=found.judged_on,
            funds=tuple(sorted(funds.get(key, {}).items())),
        )
        for key, found in judged.items()
    }


async def explain_month(connection: AsyncConnection, tenant_id: UUID, period: str, today: Today) -> Explained:
    """What a month counts as for a tenant and why, from the facts as they are now."""
    facts = (await FactStore(connection).of_tenants([tenant_id])).by_tenant().get(tenant_id, Facts())
    policies = await PolicyStore(connection).book()
    record = record_of(tenant_id, facts, policies, today)
    return Explained(record, policies, await LedgerStore(connection).entries_of(tenant_id, period), today)
