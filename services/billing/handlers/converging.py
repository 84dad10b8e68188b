"""Settling an account together with its late fees: money pays, fees follow from it, and take money again."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from services.billing.handlers.late_fees import reconsider_fees
from services.billing.handlers.settling import Settlement, replay_accounts
from shared.messaging.transaction import Tx


async def converge(tx: Tx, account_ids: Collection[UUID], on: date) -> Settlement:
    """Settle accounts and bring their late fees to what is now known; the caller announces what came of it.

    `on` is the date it is at the property. Whoever adds a fact ends with this: a payment, a reversal, a void.
    """
    settlement = await replay_accounts(tx, account_ids)
    return settlement.then(await reconsider_fees(tx, account_ids, on))
