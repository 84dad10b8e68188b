"""Redeemed rewards: booked as payments with a method of their own, as far as there is something to pay."""

from typing import Literal
from uuid import UUID

from services.billing.domain.payments import REWARD
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.handlers.settling import Settlement, lock_accounts, read_accounts
from services.billing.store import LedgerStore, PaymentStore
from shared.contracts.billing import RewardCreditRefused
from shared.contracts.rewards import RewardRedeemed
from shared.identity import derived_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

Refusal = Literal["nothing_open", "more_than_open", "account_unknown", "other_currency"]

router = Router("billing")


@router.on(RewardRedeemed)
async def book_reward(fact: RewardRedeemed, tx: Tx) -> None:
    """Let a reward pay what is open, and give back the rest; the same redemption again changes nothing.

    A reward never becomes credit: what it could not pay goes back to the tenant's reward balance. Against
    fees only, it pays no rent and no charge, whatever the policy's order. Off the ledger it is none of ours.
    """
    if fact.against == "off_ledger":
        return
    await lock_accounts(tx, [fact.account_id])
    open_cents, refusal = await _what_it_may_pay(fact, tx)
    booked_cents = min(fact.amount_cents, open_cents)
    row = (fact.redemption_id, fact.account_id, booked_cents, fact.amount_cents - booked_cents)
    if not await PaymentStore(tx.connection).add_reward(*row, at=tx.at):
        return
    if booked_cents:
        await record_payment(tx, _payment(fact, booked_cents))
    if booked_cents < fact.amount_cents:
        reason = refusal or ("more_than_open" if booked_cents else "nothing_open")
        tx.emit(_refused(fact, booked_cents, reason), message_id=_refusal_id(fact.redemption_id))


async def _what_it_may_pay(fact: RewardRedeemed, tx: Tx) -> tuple[int, Refusal | None]:
    holder = (await LedgerStore(tx.connection).holders([fact.account_id])).get(fact.account_id)
    if holder is None:
        return 0, "account_unknown"
    if holder.currency != fact.currency:
        return 0, "other_currency"
    settlement = await read_accounts(tx.connection, [fact.account_id])
    return (_open_fees if fact.against == "fees" else _open)(settlement), None


def _open(settlement: Settlement) -> int:
    """All that is open on the account."""
    return sum(
        standing.balance_cents
        for replay in settlement.replays.values()
        for standing in replay.standings.values()
    )


def _open_fees(settlement: Settlement) -> int:
    """What of its fees is open."""
    found = 0
    for replay in settlement.replays.values():
        for invoice_id, standing in replay.standings.items():
            paid = sum(
                step.amount_cents
                for step in replay.steps
                if step.invoice_id == invoice_id and step.bucket == "fee"
            )
            found += max(min(standing.fee_cents - paid, standing.balance_cents), 0)
    return found


def _payment(fact: RewardRedeemed, booked_cents: int) -> NewPayment:
    return NewPayment(
        reference=f"reward {fact.redemption_id}",
        payment_id=fact.redemption_id,
        amount_cents=booked_cents,
        account_id=fact.account_id,
        received_on=fact.redeemed_on,
        method=REWARD,
        recorded_by="rewards",
        fees_only=fact.against == "fees",
    )


def _refused(fact: RewardRedeemed, booked_cents: int, reason: Refusal) -> RewardCreditRefused:
    return RewardCreditRefused(
        redemption_id=fact.redemption_id,
        account_id=fact.account_id,
        tenant_id=fact.tenant_id,
        currency=fact.currency,
        refused_cents=fact.amount_cents - booked_cents,
        booked_cents=booked_cents,
        reason=reason,
    )


def _refusal_id(redemption_id: UUID) -> UUID:
    """Said twice, it is the same message."""
    return derived_id("reward-refused", redemption_id)
