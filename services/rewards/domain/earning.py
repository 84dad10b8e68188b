"""What a tenant's record earns under the policies: what the reward ledger should say, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from services.rewards.domain.facts import (
    NOT_PAID_AHEAD,
    Facts,
    Receipt,
    RentInvoice,
    Today,
    first_day,
    month_of,
)
from services.rewards.domain.months import Month, Verdict, months_of
from services.rewards.domain.policies import PolicyBook, PrepaymentTier, RewardPolicy, StreakTier

Kind = Literal["streak", "prepayment", "by_hand"]


@dataclass(frozen=True, slots=True)
class Earned:
    """A reward that a rule asks for; a tenant gets one for each rule and month."""

    kind: Kind
    rule: str
    period: str
    amount_cents: int
    currency: str
    property_id: UUID
    lease_id: UUID
    months: int | None = None
    paid_ahead_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """A payment, and what of it exceeded all that was owed when it was received."""

    receipt: Receipt
    ahead_cents: int


@dataclass(frozen=True, slots=True)
class Record:
    """A tenant as the facts have it."""

    tenant_id: UUID
    months: tuple[Month, ...]
    ahead: tuple[Ahead, ...]
    earned: tuple[Earned, ...]

    @property
    def streak(self) -> int:
        """How many months on time in a row there are."""
        return self.months[-1].streak if self.months else 0

    def month(self, period: str) -> Month | None:
        """One month of the record; None where there was no rent."""
        return next((month for month in self.months if month.period == period), None)


def record_of(tenant_id: UUID, facts: Facts, policies: PolicyBook, today: Today) -> Record:
    """Everything that is to be known of a tenant, from zero; `facts` are those of their accounts."""
    months = months_of(tenant_id, facts.invoices, policies, today)
    ahead = [item for item in paid_ahead(facts) if tenant_id in item.receipt.tenant_ids]
    earned = [
        *earned_by_streaks(tenant_id, months, policies),
        *earned_by_prepaying(tenant_id, ahead, policies),
    ]
    # What is split among so many that a share is nothing earns nothing.
    found = tuple(item for item in earned if item.amount_cents > 0)
    return Record(tenant_id, tuple(months), tuple(ahead), found)


def earned_by_streaks(tenant_id: UUID, months: Sequence[Month], policies: PolicyBook) -> Iterator[Earned]:
    """What each month on time earns. After a break a streak begins anew, and earns again what it earned."""
    paid_once: set[str] = set()
    for month in months:
        if month.verdict is not Verdict.ON_TIME:
            continue
        policy = policies.policy(month.home.property_id, first_day(month.period))
        for tier in policy.streaks:
            if not _reached(tier, month.streak) or (tier.pays == "once" and tier.rule in paid_once):
                continue
            paid_once.add(tier.rule)
            yield Earned(
                kind="streak",
                rule=tier.rule,
                period=month.period,
                amount_cents=share(tier.amount_cents, tenant_id, month.home.tenant_ids, policy),
                currency=month.home.currency,
                property_id=month.home.property_id,
                lease_id=month.home.lease_id,
                months=month.streak,
            )


def earned_by_prepaying(tenant_id: UUID, ahead: Sequence[Ahead], policies: PolicyBook) -> Iterator[Earned]:
    """What money that was paid ahead earns; each cent of it counts once, and reaches each multiple once."""
    sums: Counter[int] = Counter()
    for item in ahead:
        receipt = item.receipt
        policy = policies.policy(receipt.property_id, receipt.received_on.replace(day=1))
        for tier in policy.prepayments:
            before = sums[tier.ahead_cents]
            sums[tier.ahead_cents] = total = before + item.ahead_cents
            for ordinal in _passed(tier, before, total):
                yield Earned(
                    kind="prepayment",
                    rule=tier.rule(ordinal),
                    period=month_of(receipt.received_on),
                    amount_cents=share(tier.amount_cents, tenant_id, receipt.tenant_ids, policy),
                    currency=receipt.currency,
                    property_id=receipt.property_id,
                    lease_id=receipt.lease_id,
                    paid_ahead_cents=tier.ahead_cents * ordinal,
                )


def share(amount_cents: int, tenant_id: UUID, tenant_ids: Iterable[UUID], policy: RewardPolicy) -> int:
    """One tenant's part of a grant; the shares of those who rent together add up to it."""
    if policy.co_tenants == "each":
        return amount_cents
    those = sorted(set(tenant_ids))
    part, left = divmod(amount_cents, len(those))
    return part + (those.index(tenant_id) < left)


def owed_by_account(facts: Facts) -> dict[UUID, int]:
    """What is open on each account, as far as billing has said; 0 where nothing is, or money waits."""
    sums: Counter[UUID] = Counter()
    for event in _all(facts):
        sums[event.account_id] -= event.cents
    return {key: max(cents, 0) for key, cents in sums.items()}


def fees_by_account(facts: Facts) -> dict[UUID, int]:
    """All fees there are on each account, whether they are paid or not."""
    sums: Counter[UUID] = Counter()
    for event in _fees(facts):
        sums[event.account_id] -= event.cents
    return dict(sums)


def paid_ahead(facts: Facts) -> list[Ahead]:
    """Which payments were more than all that was owed, in the order of their days.

    An account owes an invoice from the day it was issued or, issued late, due. Invoices and fees of a day
    come before its payments, and what was voided afterwards was owed until then: it makes no payment of
    before a prepayment. Rewards and goodwill pay what is owed, and are never ahead.
    """
    events: defaultdict[UUID, list[_Event]] = defaultdict(list)
    for event in _all(facts):
        events[event.account_id].append(event)
    found: list[Ahead] = []
    for of_account in events.values():
        balance = 0
        for event in sorted(of_account, key=lambda item: item.order):
            balance += event.cents
            receipt = event.receipt
            if receipt is not None and receipt.method not in NOT_PAID_AHEAD:
                ahead_cents = min(max(balance, 0), receipt.amount_cents)
                found += [Ahead(receipt, ahead_cents)] if ahead_cents > 0 else []
    return sorted(found, key=lambda item: (item.receipt.received_on, str(item.receipt.payment_id)))


@dataclass(frozen=True, slots=True)
class _Event:
    """What changes the balance of an account, in its favour where it is more than nothing."""

    account_id: UUID
    on: date
    kind: int
    """Its place in the day: 0 what is owed, 1 payments, 2 what is not owed any more."""
    cents: int
    key: str
    receipt: Receipt | None = None

    @property
    def order(self) -> tuple[date, int, str]:
        return self.on, self.kind, self.key


def _all(facts: Facts) -> Iterator[_Event]:
    yield from _owed(facts.invoices)
    yield from _fees(facts)
    yield from _received(facts.receipts)


def _owed(invoices: Iterable[RentInvoice]) -> Iterator[_Event]:
    """One that was issued anew in the place of a void one is owed since the first; the void one never was."""
    by_what: defaultdict[tuple[UUID, date | str], list[RentInvoice]] = defaultdict(list)
    for invoice in invoices:
        by_what[invoice.lease_id, invoice.starts_on or invoice.period].append(invoice)
    for same in by_what.values():
        since = min(min(item.issued_on, item.due_on) for item in same)
        standing = [item for item in same if not item.is_void]
        last = max(same, key=lambda item: (item.voided_on or date.max, str(item.invoice_id)))
        for item in standing or [last]:
            yield _Event(item.account_id, since, 0, -item.total_cents, str(item.invoice_id))
            if item.voided_on is not None:
                until = max(since, item.voided_on)
                yield _Event(item.account_id, until, 2, item.total_cents, str(item.invoice_id))


def _fees(facts: Facts) -> Iterator[_Event]:
    """Fees of invoices that stand; whatever is taken off, an invoice never has fees of less than nothing."""
    void = {item.invoice_id for item in facts.invoices if item.is_void}
    sums: Counter[UUID | None] = Counter()
    for fee in sorted(facts.fees, key=lambda item: (item.on, item.amount_cents < 0, item.amount_cents)):
        if fee.invoice_id in void:
            continue
        before = sums[fee.invoice_id]
        sums[fee.invoice_id] = max(before + fee.amount_cents, 0)
        kind = 0 if fee.amount_cents > 0 else 2
        key = f"fee {fee.invoice_id}"
        yield _Event(fee.account_id, fee.on, kind, before - sums[fee.invoice_id], key)


def _received(receipts: Iterable[Receipt]) -> Iterator[_Event]:
    for receipt in receipts:
        key = str(receipt.payment_id)
        yield _Event(receipt.account_id, receipt.received_on, 1, receipt.amount_cents, key, receipt)


def _reached(tier: StreakTier, streak: int) -> bool:
    if tier.pays == "every_time":
        return streak % tier.months == 0
    return streak == tier.months


def _passed(tier: PrepaymentTier, before: int, total: int) -> range:
    """The multiples that a sum reaches on its way."""
    first, last = before // tier.ahead_cents + 1, total // tier.ahead_cents
    return range(first, last + 1) if tier.pays == "every_time" else range(first, min(last, 1) + 1)
