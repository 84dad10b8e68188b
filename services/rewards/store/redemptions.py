"""What tenants have used of their balances."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rewards.schema import payments, redemptions

_IDS: Final = sa.bindparam("ids", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """So much of a tenant's balance, for one account at billing."""

    redemption_id: UUID
    tenant_id: UUID
    account_id: UUID
    lease_id: UUID
    property_id: UUID
    currency: str
    amount_cents: int
    against: str
    automatic: bool
    redeemed_on: date
    restored_cents: int = 0
    """What came back to the balance, because billing did not book it or has taken it back."""
    restored_on: date | None = None
    refusal: str | None = None
    """Billing's word for why it could not book all of it."""


class RedemptionStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, redemption: Redemption) -> bool:
        """Keep a redemption; False where it is here already."""
        statement = insert(redemptions).values(asdict(redemption)).on_conflict_do_nothing()
        returned = statement.returning(redemptions.c.redemption_id)
        return await self._connection.scalar(returned) is not None

    async def find(self, redemption_id: UUID) -> Redemption | None:
        """One redemption."""
        query = sa.select(redemptions).where(redemptions.c.redemption_id == redemption_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _redemption(row)

    async def find_all(self, redemption_ids: Iterable[UUID]) -> dict[UUID, Redemption]:
        """Those of some ids that are redemptions."""
        query = sa.select(redemptions).where(redemptions.c.redemption_id == sa.any_(_IDS))
        rows = await self._connection.execute(query, {"ids": list(set(redemption_ids))})
        return {row.redemption_id: _redemption(row) for row in rows}

    async def restore(self, redemption_id: UUID, cents: int, on: date, refusal: str | None = None) -> None:
        """Keep that so much of a redemption, whose tenant is locked, came back; with `refusal`, unbooked."""
        values: dict[str, Any] = {
            "restored_cents": redemptions.c.restored_cents + cents,
            "restored_on": on,
        }
        if refusal is not None:
            values["refusal"] = refusal
        await self._connection.execute(
            sa.update(redemptions).where(redemptions.c.redemption_id == redemption_id).values(values)
        )

    async def on_their_way(self, account_ids: Iterable[UUID]) -> Counter[UUID]:
        """What was redeemed for accounts, and neither booked nor refused by billing yet."""
        booked = sa.select(payments.c.payment_id).where(payments.c.payment_id == redemptions.c.redemption_id)
        query = sa.select(redemptions.c.account_id, redemptions.c.amount_cents).where(
            redemptions.c.account_id == sa.any_(_IDS),
            redemptions.c.against != "off_ledger",
            redemptions.c.refusal.is_(None),
            ~booked.exists(),
        )
        sums: Counter[UUID] = Counter()
        for row in await self._connection.execute(query, {"ids": list(set(account_ids))}):
            sums[row.account_id] += row.amount_cents
        return sums

    async def restored_on(self, account_ids: Iterable[UUID]) -> dict[UUID, date]:
        """The last day on which a reward came back from each of these accounts."""
        query = (
            sa.select(redemptions.c.account_id, sa.func.max(redemptions.c.restored_on).label("restored_on"))
            .where(redemptions.c.account_id == sa.any_(_IDS), redemptions.c.restored_on.is_not(None))
            .group_by(redemptions.c.account_id)
        )
        rows = await self._connection.execute(query, {"ids": list(set(account_ids))})
        return {row.account_id: row.restored_on for row in rows}


def _redemption(row: sa.Row[Any]) -> Redemption:
    return Redemption(**{item.name: getattr(row, item.name) for item in fields(Redemption)})
