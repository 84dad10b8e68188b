"""Using a balance, by somebody's wish or by itself; and having back what billing did not book or keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast
from uuid import UUID

from services.rewards.domain.earning import Earned
from services.rewards.domain.facts import Today, month_of
from services.rewards.domain.ledgers import EntryKind, Funds, Posting, refuse_more_than
from services.rewards.domain.policies import Redemption as Against
from services.rewards.domain.redeeming import Use
from services.rewards.handlers.posting import Decision, add_entries, entries_for
from services.rewards.store import CopyStore, LedgerStore, PolicyStore, RedemptionStore
from services.rewards.store.redemptions import Redemption
from shared.contracts.billing import PaymentReversed, RewardCreditRefused
from shared.contracts.rewards import RewardRedeemed, RewardRestored
from shared.identity import derived_id, new_id
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("rewards")


class TenantUnknown(LookupError):
    """Rewards knows no lease of that tenant, or not that one."""

    def __init__(self, tenant_id: UUID, lease_id: UUID | None = None) -> None:
        which = "no lease" if lease_id is None else f"no lease {lease_id}"
        super().__init__(f"{which} of a tenant {tenant_id}")


class ReferenceUsed(Exception):
    """The reference was used for something else."""

    code = "reference_used"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRedemption:
    """What somebody wants to use of a tenant's balance."""

    tenant_id: UUID
    amount_cents: int | None = None
    """Without it, all there is."""
    lease_id: UUID | None = None
    """Without it, the tenant's newest lease."""
    currency: str = "USD"
    reference: str | None = None
    """Given twice, it is the same redemption."""
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What became of it: redeemed now, or found redeemed before."""

    redemption: Redemption
    funds: Funds
    repeated: bool = False


async def redeem(tx: Tx, new: NewRedemption) -> Redeemed:
    """Use a balance as the policy of the lease's property has it; the same reference again changes nothing.

    Billing books it, and may have no use for it: what it cannot book comes back. Raises `TenantUnknown`,
    `NotEnough`, and `ReferenceUsed` for a reference of another redemption.
    """
    copies = CopyStore(tx.connection)
    leases = await copies.leases_of(new.tenant_id)
    lease = next((item for item in leases if new.lease_id in {None, item.lease_id}), None)
    if lease is None:
        raise TenantUnknown(new.tenant_id, new.lease_id)
    today = await copies.today(tx.at)
    await LedgerStore(tx.connection).lock([new.tenant_id])
    funds = await _funds(tx, new.tenant_id)
    identity = derived_id("redemption", new.tenant_id, new.reference) if new.reference else new_id()
    known = await RedemptionStore(tx.connection).find(identity)
    if known is not None:
        return _redeemed_before(known, new, funds)
    of_currency = funds.get(new.currency, Funds())
    amount_cents = of_currency.balance_cents if new.amount_cents is None else new.amount_cents
    refuse_more_than(of_currency, amount_cents)
    policy = (await PolicyStore(tx.connection).book()).policy(lease.property_id, today.at(lease.property_id))
    ids = lease.account_id, lease.lease_id, lease.property_id
    use = Use(*ids, new.currency, amount_cents, policy.uses)
    redemption = _redemption(identity, new.tenant_id, use, today, automatic=False)
    return await _carry_out(tx, redemption, funds, today, new.decision)


async def apply_by_itself(
    tx: Tx, tenant_id: UUID, uses: Sequence[Use], funds: Mapping[str, Funds], today: Today
) -> list[Redeemed]:
    """Use a locked tenant's balance by policy; at most once a day for an account."""
    found, left = [], dict(funds)
    for use in uses:
        identity = derived_id("redemption", tenant_id, use.account_id, today.at(use.property_id))
        redemption = _redemption(identity, tenant_id, use, today, automatic=True)
        if await RedemptionStore(tx.connection).find(identity) is None:
            redeemed = await _carry_out(tx, redemption, left, today, None)
            left[use.currency] = redeemed.funds
            found.append(redeemed)
    return found


@router.on(RewardCreditRefused)
async def restore_refused(fact: RewardCreditRefused, tx: Tx) -> None:
    """Give back what billing could not book; hearing of it again changes nothing."""
    redemption = await _locked(tx, fact.redemption_id)
    if redemption is None or redemption.refusal is not None or fact.refused_cents <= 0:
        return
    today = await CopyStore(tx.connection).today(tx.at)
    on = today.at(redemption.property_id)
    back = _Back(fact.refused_cents, fact.reason, _rule(redemption), on, fact.redemption_id, refused=True)
    await _give_back(tx, redemption, back, today)


async def restore_reversed(tx: Tx, reversals: Sequence[PaymentReversed]) -> None:
    """Give back what somebody took off an account again; each reversal is new, and of any payment."""
    redeemed = await RedemptionStore(tx.connection).find_all(fact.payment_id for fact in reversals)
    today = await CopyStore(tx.connection).today(tx.at) if redeemed else Today()
    await LedgerStore(tx.connection).lock({item.tenant_id for item in redeemed.values()})
    for fact in reversals:
        if fact.payment_id not in redeemed:
            continue
        redemption = await RedemptionStore(tx.connection).find(fact.payment_id)
        if redemption is not None:  # as it stands now that nobody else posts for its tenant
            rule = f"reversal:{fact.reversal_id}"
            back = _Back(fact.amount_cents, "payment_reversed", rule, fact.known_on, fact.reversal_id)
            await _give_back(tx, redemption, back, today)


@dataclass(frozen=True, slots=True)
class _Back:
    """Something of a redemption that comes back, and by what it is known."""

    cents: int
    reason: str
    rule: str
    on: date
    key: UUID
    refused: bool = False
    """It was never booked, which billing says once."""


async def _locked(tx: Tx, redemption_id: UUID) -> Redemption | None:
    """A redemption as it stands once nobody else posts for its tenant."""
    store = RedemptionStore(tx.connection)
    known = await store.find(redemption_id)
    if known is not None:
        await LedgerStore(tx.connection).lock([known.tenant_id])
    return await store.find(redemption_id)


async def _give_back(tx: Tx, redemption: Redemption, back: _Back, today: Today) -> None:
    """Add to a locked tenant's balance what comes back: never more than was redeemed."""
    cents = min(back.cents, redemption.amount_cents - redemption.restored_cents)
    if cents <= 0:
        return
    on, refusal = today.at(redemption.property_id), back.reason if back.refused else None
    await RedemptionStore(tx.connection).restore(redemption.redemption_id, cents, on, refusal)
    posting = _posting("restored", redemption, cents, back.rule, back.on)
    funds, decision = await _funds(tx, redemption.tenant_id), Decision(back.reason, "billing")
    [entry] = entries_for(redemption.tenant_id, [posting], funds, today, decision)
    await add_entries(tx, [entry])
    tx.emit(
        RewardRestored(**entry.stated(), redemption_id=redemption.redemption_id, reason=back.reason),
        message_id=derived_id("restored", back.key),
    )


async def _carry_out(
    tx: Tx, redemption: Redemption, funds: Mapping[str, Funds], today: Today, decision: Decision | None
) -> Redeemed:
    await RedemptionStore(tx.connection).add(redemption)
    posting = _posting(
        "redeemed", redemption, redemption.amount_cents, _rule(redemption), redemption.redeemed_on
    )
    [entry] = entries_for(redemption.tenant_id, [posting], funds, today, decision)
    await add_entries(tx, [entry])
    tx.emit(
        RewardRedeemed(
            **entry.stated(),
            redemption_id=redemption.redemption_id,
            account_id=redemption.account_id,
            against=cast("Against", redemption.against),
            redeemed_on=redemption.redeemed_on,
            automatic=redemption.automatic,
        ),
        message_id=derived_id("redeemed", redemption.redemption_id),
    )
    return Redeemed(redemption, entry.posted.funds)


def _redeemed_before(known: Redemption, new: NewRedemption, funds: Mapping[str, Funds]) -> Redeemed:
    same_lease = new.lease_id in {None, known.lease_id}
    if new.amount_cents not in {None, known.amount_cents} or not same_lease:
        raise ReferenceUsed(f"reference {new.reference!r} was used for another redemption")
    return Redeemed(known, funds.get(known.currency, Funds()), repeated=True)


def _redemption(identity: UUID, tenant_id: UUID, use: Use, today: Today, *, automatic: bool) -> Redemption:
    return Redemption(
        redemption_id=identity,
        tenant_id=tenant_id,
        account_id=use.account_id,
        lease_id=use.lease_id,
        property_id=use.property_id,
        currency=use.currency,
        amount_cents=use.amount_cents,
        against=use.against,
        automatic=automatic,
        redeemed_on=today.at(use.property_id),
    )


def _rule(redemption: Redemption) -> str:
    return f"redemption:{redemption.redemption_id}"


def _posting(kind: EntryKind, redemption: Redemption, cents: int, rule: str, on: date) -> Posting:
    """An entry about a redemption; with the same rule, of the same month, it is the same entry."""
    about = Earned(
        kind="by_hand",
        rule=rule,
        period=month_of(on),
        amount_cents=cents,
        currency=redemption.currency,
        property_id=redemption.property_id,
        lease_id=redemption.lease_id,
    )
    return Posting(kind, about, 1)


async def _funds(tx: Tx, tenant_id: UUID) -> dict[str, Funds]:
    return (await LedgerStore(tx.connection).funds([tenant_id])).get(tenant_id, {})
