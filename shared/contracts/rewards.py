"""The facts of rewards: what a tenant was granted for paying on time or ahead, and what became of it."""

from datetime import date
from typing import Literal
from uuid import UUID

from shared.contracts.base import Cents, Currency, Fact, Instant, Period, RunStep
from shared.contracts.cleaning import CleaningStep

RewardKind = Literal["streak", "prepayment", "by_hand"]


class RewardFact(Fact):
    """One entry of a tenant's reward ledger, which only ever grows.

    The entries of a tenant add up to `balance_cents - shortfall_cents`, of which one is always nothing.
    """

    entry_id: UUID
    """Derived from what the entry is for, so that it is never announced under two ids."""
    tenant_id: UUID
    sequence: int
    """Its place in the ledger of this tenant and currency, from 1."""
    property_id: UUID
    lease_id: UUID
    currency: Currency
    amount_cents: Cents
    """What the entry is about; never negative."""
    balance_cents: Cents
    """What the tenant can redeem afterwards; never negative."""
    shortfall_cents: Cents = 0
    """What was revoked after it had been redeemed; the next grants make it good first."""
    posted_on: date
    """The business date at the property."""


class RuleFact(RewardFact):
    """An entry that a rule of the policy asks for, or a person."""

    kind_of_rule: RewardKind
    rule: str
    """Which rule, such as `streak:6`; with tenant and period it is granted once."""
    period: Period
    """The month it was earned with."""
    months: int | None = None
    """Of a streak: how many months on time in a row it was for."""
    paid_ahead_cents: Cents | None = None
    """Of a prepayment: how much had been paid ahead, all together."""
    reason: str | None = None
    """What a person wrote who granted or revoked it."""


class RewardGranted(RuleFact, subject="tenant_id"):
    """A tenant earned a reward, or was given one."""


class RewardRevoked(RuleFact, subject="tenant_id"):
    """A reward is taken back, because what it was for is not so, or by a person."""

    granted_entry_id: UUID
    cause: Literal["late", "unpaid", "not_counted", "not_ahead", "policy", "amount", "by_hand"]
    """late: the rent of a month came late; unpaid: it is open again; not_counted: a month does not count;
    not_ahead: the money paid ahead is less; policy: there is no such rule; amount: it is granted again with
    another amount."""
    cause_period: Period | None = None
    """The month that broke the streak."""
    missing_cents: Cents = 0
    """What of it had been redeemed already: it became shortfall."""


class RewardRedeemed(RewardFact, subject="redemption_id"):
    """A tenant uses a reward; billing books it as a payment with the method `reward`."""

    redemption_id: UUID
    account_id: UUID
    """The ledger at billing that it is for."""
    against: Literal["rent", "fees", "off_ledger"]
    """rent: whatever is owed, by billing's order; fees: fees only; off_ledger: billing books nothing."""
    redeemed_on: date
    automatic: bool = False
    """By the policy, without anybody having asked."""


class RewardRestored(RewardFact, subject="redemption_id"):
    """What billing did not book of a redemption, or took back, is on the tenant's reward balance again."""

    redemption_id: UUID
    reason: str
    """Billing's word for what it could not book, such as nothing_open; or payment_reversed."""


class CalculateRewards(RunStep, subject="run_id"):
    """Evaluate the tenants of one chunk: post what their ledgers should say and do not."""

    run_id: UUID
    chunk: int
    as_of: Instant
    period: Period | None = None
    """Only differences of this month."""
    tenant_ids: tuple[UUID, ...]


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""
