"""The reward ledger: entries that are only ever added, and what has to be added so that it is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from services.rewards.domain.earning import Earned, Record
from services.rewards.domain.months import Verdict, Why

EntryKind = Literal["granted", "revoked", "redeemed", "restored"]
Cause = Literal["late", "unpaid", "not_counted", "not_ahead", "policy", "amount", "by_hand"]
Key = tuple[str, str]
"""Rule and period: what a tenant is granted once."""


class NotEnough(Exception):
    """The tenant has less than that on the reward balance."""

    code = "not_enough"


class NothingGranted(Exception):
    """There is no such grant that stands."""

    code = "nothing_granted"


@dataclass(frozen=True, slots=True)
class Funds:
    """What a tenant has in one currency; of the two, one is always nothing."""

    balance_cents: int = 0
    shortfall_cents: int = 0
    """Revoked after it had been redeemed; what is granted next makes it good."""
    sequence: int = 0
    """How many entries there are."""

    def after(self, kind: EntryKind, amount_cents: int) -> "Funds":
        """The funds after one more entry."""
        sign = 1 if kind in {"granted", "restored"} else -1
        total = self.balance_cents - self.shortfall_cents + sign * amount_cents
        return Funds(max(total, 0), max(-total, 0), self.sequence + 1)


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant that stands: posted, and not revoked."""

    entry_id: UUID
    earned: Earned
    turn: int
    """1 for the first time that this rule and month were granted, 2 after it was revoked once, and so on."""


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry that has to be added."""

    kind: EntryKind
    earned: Earned
    turn: int
    granted_entry_id: UUID | None = None
    cause: Cause | None = None
    cause_period: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A posting in its place."""

    posting: Posting
    funds: Funds
    missing_cents: int
    """Of what is revoked: what could not be taken, because it had been redeemed."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is posted for a tenant so far, as far as it matters for what has to be posted."""

    grants: Mapping[Key, Grant] = field(default_factory=dict)
    """Those that stand, by rule and period."""
    turns: Mapping[Key, int] = field(default_factory=dict)
    """How often each was granted."""
    denied: frozenset[Key] = frozenset()
    """What a person has taken back for good."""
    funds: Mapping[str, Funds] = field(default_factory=dict)
    """By currency."""


def differences(record: Record, ledger: Ledger, *, period: str | None = None) -> list[Posting]:
    """What has to be posted so that the ledger says what the record earns: grants, then what is revoked.

    Grants come first: where one takes the place of another, what was redeemed of the other is no shortfall.
    With a period, only what is of that month.
    """
    should = {(item.rule, item.period): item for item in record.earned}
    grants, revocations = [], []
    for key in sorted(should.keys() | ledger.grants.keys(), key=lambda item: (item[1], item[0])):
        if period is not None and key[1] != period:
            continue
        wanted = None if key in ledger.denied else should.get(key)
        standing = ledger.grants.get(key)
        if standing is not None and standing.earned.kind == "by_hand":
            continue
        if standing is not None and not _same(standing.earned, wanted):
            revocations.append(_revocation(standing, wanted, record, denied=key in ledger.denied))
        if wanted is not None and (standing is None or not _same(standing.earned, wanted)):
            grants.append(Posting("granted", wanted, ledger.turns.get(key, 0) + 1))
    return grants + revocations


def post(postings: Sequence[Posting], funds: Mapping[str, Funds]) -> list[Posted]:
    """Postings in their places, with what there is after each."""
    now, found = dict(funds), []
    for posting in postings:
        currency, amount = posting.earned.currency, posting.earned.amount_cents
        before = now.get(currency, Funds())
        now[currency] = before.after(posting.kind, amount)
        missing = max(amount - before.balance_cents, 0) if posting.kind == "revoked" else 0
        found.append(Posted(posting, now[currency], missing))
    return found


def refuse_more_than(funds: Funds, amount_cents: int) -> None:
    """Raise `NotEnough` where a tenant wants to use more than there is, or nothing."""
    if amount_cents <= 0:
        raise NotEnough("the amount has to be more than nothing")
    if amount_cents > funds.balance_cents:
        raise NotEnough("that is more than the reward balance")


def _same(standing: Earned, wanted: Earned | None) -> bool:
    return wanted is not None and (standing.amount_cents, standing.currency) == (
        wanted.amount_cents,
        wanted.currency,
    )


def _revocation(standing: Grant, wanted: Earned | None, record: Record, *, denied: bool) -> Posting:
    cause, cause_period = _cause(standing.earned, wanted, record, denied=denied)
    return Posting("revoked", standing.earned, standing.turn, standing.entry_id, cause, cause_period)


def _cause(
    granted: Earned, wanted: Earned | None, record: Record, *, denied: bool
) -> tuple[Cause, str | None]:
    """Why a grant does not stand any more, and which month is to blame."""
    if denied:
        return "by_hand", None
    if wanted is not None:
        return "amount", None
    return ("not_ahead", None) if granted.kind == "prepayment" else _what_broke(granted, record)


def _what_broke(granted: Earned, record: Record) -> tuple[Cause, str | None]:
    """Why a streak is not as long as it was when its grant was posted."""
    month = record.month(granted.period)
    if month is None or month.verdict in {Verdict.NOT_COUNTED, Verdict.PENDING}:
        return "not_counted", granted.period
    if month.verdict is Verdict.ON_TIME and month.streak >= (granted.months or 0):
        return "policy", None
    late = [item for item in record.months if item.verdict is Verdict.LATE and item.period <= month.period]
    if not late:
        return "not_counted", None
    return ("unpaid" if late[-1].why is Why.UNPAID else "late"), late[-1].period
