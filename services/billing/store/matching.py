"""What billing knows of the names and amounts on a bank's statement: one query for each kind."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.bank_matching import Known, KnownInvoice, KnownLease, Names
from services.billing.schema import accounts, invoices, leases, payments

_BALANCE: Final = sa.func.greatest(invoices.c.total_cents, 0) - invoices.c.paid_cents
_INVOICE: Final = (
    invoices.c.invoice_id,
    invoices.c.number,
    invoices.c.account_id,
    invoices.c.currency,
    sa.case((invoices.c.state == "void", 0), else_=_BALANCE).label("balance_cents"),
)


class MatchingStore:
    """Reads over one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def known(
        self,
        names: Sequence[Names],
        amounts: Collection[int],
        references: Collection[str],
        *,
        source: str,
        currency: str,
    ) -> Known:
        """All that a statement names, as far as we know it."""
        words = {word for item in names for word in item.words}
        return Known(
            invoices=await self._invoices({number for item in names for number in item.numbers}),
            leases=await self._leases({lease_id for item in names for lease_id in item.lease_ids}),
            payments=await self._payments({*references, *words, *(f"{source}:{word}" for word in words)}),
            open_by_amount=await self._open_by_amount(amounts, currency),
        )

    async def _invoices(self, numbers: Collection[str]) -> dict[str, KnownInvoice]:
        query = sa.select(*_INVOICE).where(invoices.c.number == _any(numbers, sa.Text()))
        rows = await self._connection.execute(query)
        return {row.number: KnownInvoice(**row._asdict()) for row in rows}

    async def _leases(self, ids: Collection[UUID]) -> dict[UUID, KnownLease]:
        query = (
            sa.select(leases.c.lease_id, leases.c.account_id, accounts.c.currency)
            .join(accounts, accounts.c.account_id == leases.c.account_id)
            .where(leases.c.lease_id == _any(ids, sa.Uuid()))
        )
        rows = await self._connection.execute(query)
        return {row.lease_id: KnownLease(**row._asdict()) for row in rows}

    async def _payments(self, references: Collection[str]) -> dict[str, UUID]:
        query = sa.select(payments.c.reference, payments.c.account_id).where(
            payments.c.reference == _any(references, sa.Text())
        )
        return {row.reference: row.account_id for row in await self._connection.execute(query)}

    async def _open_by_amount(self, amounts: Collection[int], currency: str) -> dict[int, list[KnownInvoice]]:
        query = (
            sa.select(*_INVOICE)
            .where(
                invoices.c.state == "open",
                invoices.c.currency == currency,
                _any({cents for cents in amounts if cents > 0}, sa.BigInteger()) == _BALANCE,
            )
            .order_by(invoices.c.due_on, invoices.c.number)
        )
        found: defaultdict[int, list[KnownInvoice]] = defaultdict(list)
        for row in await self._connection.execute(query):
            found[row.balance_cents].append(KnownInvoice(**row._asdict()))
        return dict(found)


def _any(values: Collection[Any], kind: sa.types.TypeEngine[Any]) -> Any:
    return sa.any_(sa.bindparam(None, list(values), type_=ARRAY(kind), unique=True))
