"""Settling an account together with its late fees: money pays, fees follow from it, and take money again."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from services.billing.handlers.late_fees import reconsider_fees
from services.billing.handlers.settling import Settlement, announce, replay_accounts
from services.billing.store import LedgerStore
from shared.messaging.transaction import Tx


async def converge(tx: Tx, account_ids: Collection[UUID], on: date) -> Settlement:
    """Settle accounts and bring their late fees to what is now known; the caller announces what came of it.

    `on` is the date it is at the property. Whoever adds a fact ends with this: a payment, a reversal, a void.
    """
    settlement = await replay_accounts(tx, account_ids)
    return settlement.then(await reconsider_fees(tx, account_ids, on))


async def settle_new_invoices(tx: Tx, issued_on: Mapping[UUID, date]) -> Settlement:
    """Let what was just issued have its place on accounts that are locked; `issued_on` is by account.

    Only accounts with credit are loaded, and those on which something happened on that day or later: rent
    that is issued today comes before the old fee that a payment of today has paid, where rent comes first.
    """
    touched = await LedgerStore(tx.connection).touched_since(issued_on)
    if not touched:
        return Settlement()
    settlement = await replay_accounts(tx, touched)
    settlement = settlement.then(await reconsider_fees(tx, touched, issued_on))
    await announce(tx, settlement)
    return settlement
