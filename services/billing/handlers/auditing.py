"""Auditing accounts: everything that is kept is worked out anew; repairing is settling."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.auditing import Drift, drifts
from services.billing.handlers.settling import settle
from services.billing.store import LedgerStore
from shared.messaging.transaction import Tx

CHUNK = 500
"""How many accounts are looked at at once."""


async def audit_accounts(connection: AsyncConnection, account_ids: Collection[UUID]) -> list[Drift]:
    """Every drift of these accounts; the connection has to see one moment, or what moves looks like drift."""
    store = LedgerStore(connection)
    lines = await store.line_sums(account_ids)
    return [drift for ledger in await store.load(account_ids) for drift in drifts(ledger, lines)]


async def repair_accounts(tx: Tx, account_ids: Collection[UUID]) -> None:
    """Write what their facts come to, and say what that changed."""
    await settle(tx, account_ids)
