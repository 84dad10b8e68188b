"""Adding to a tenant's reward ledger, and saying so. Whoever posts has locked the tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.rewards.domain.facts import Today
from services.rewards.domain.ledgers import Funds, Posted, Posting, post
from services.rewards.store import LedgerStore
from shared.contracts.rewards import RewardGranted, RewardRevoked
from shared.identity import derived_id
from shared.messaging.transaction import Tx


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided something that no rule asks for, and why."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was added."""

    entry_id: UUID
    tenant_id: UUID
    posted: Posted
    posted_on: date
    decision: Decision | None = None

    def row(self, tx: Tx) -> dict[str, Any]:
        """What the table keeps of it."""
        posting, earned, funds = self.posted.posting, self.posted.posting.earned, self.posted.funds
        of_a_rule = posting.kind in {"granted", "revoked"}
        return {
            "entry_id": self.entry_id,
            "tenant_id": self.tenant_id,
            "currency": earned.currency,
            "sequence": funds.sequence,
            "kind": posting.kind,
            "kind_of_rule": earned.kind if of_a_rule else None,
            "rule": earned.rule,
            "period": earned.period,
            "turn": posting.turn,
            "amount_cents": earned.amount_cents,
            "balance_cents": funds.balance_cents,
            "shortfall_cents": funds.shortfall_cents,
            "missing_cents": self.posted.missing_cents,
            "property_id": earned.property_id,
            "lease_id": earned.lease_id,
            "months": earned.months,
            "paid_ahead_cents": earned.paid_ahead_cents,
            "granted_entry_id": posting.granted_entry_id,
            "cause": posting.cause,
            "cause_period": posting.cause_period,
            "reason": self.decision.reason if self.decision else None,
            "decided_by": self.decision.by if self.decision else None,
            "posted_on": self.posted_on,
            "posted_at": tx.at,
        }

    def stated(self) -> dict[str, Any]:
        """What every fact about an entry says."""
        earned, funds = self.posted.posting.earned, self.posted.funds
        return {
            "entry_id": self.entry_id,
            "tenant_id": self.tenant_id,
            "sequence": funds.sequence,
            "property_id": earned.property_id,
            "lease_id": earned.lease_id,
            "currency": earned.currency,
            "amount_cents": earned.amount_cents,
            "balance_cents": funds.balance_cents,
            "shortfall_cents": funds.shortfall_cents,
            "posted_on": self.posted_on,
        }


def entries_for(
    tenant_id: UUID,
    postings: Sequence[Posting],
    funds: Mapping[str, Funds],
    today: Today,
    decision: Decision | None = None,
) -> list[Entry]:
    """Postings as entries, each with the id that it always has."""
    return [
        Entry(
            _entry_id(tenant_id, posted.posting),
            tenant_id,
            posted,
            today.at(posted.posting.earned.property_id),
            decision,
        )
        for posted in post(postings, funds)
    ]


async def add_entries(tx: Tx, entries: Sequence[Entry]) -> None:
    """Write entries, in one statement, and say what was granted and revoked."""
    await LedgerStore(tx.connection).add([entry.row(tx) for entry in entries])
    for entry in entries:
        tx.emit(*_facts(entry))


def funds_after(entries: Sequence[Entry], funds: Mapping[str, Funds]) -> dict[str, Funds]:
    """What a tenant has after these entries of theirs."""
    return {**funds, **{entry.posted.posting.earned.currency: entry.posted.funds for entry in entries}}


def _entry_id(tenant_id: UUID, posting: Posting) -> UUID:
    earned = posting.earned
    return derived_id("reward", tenant_id, earned.rule, earned.period, posting.kind, posting.turn)


def _facts(entry: Entry) -> list[RewardGranted | RewardRevoked]:
    posting, earned = entry.posted.posting, entry.posted.posting.earned
    stated = entry.stated() | {
        "kind_of_rule": earned.kind,
        "rule": earned.rule,
        "period": earned.period,
        "months": earned.months,
        "paid_ahead_cents": earned.paid_ahead_cents,
        "reason": entry.decision.reason if entry.decision else None,
    }
    if posting.kind == "granted":
        return [RewardGranted(**stated)]
    if posting.kind != "revoked":  # redemptions are said by those who make them
        return []
    taken_back = {
        "granted_entry_id": posting.granted_entry_id,
        "cause": posting.cause,
        "cause_period": posting.cause_period,
        "missing_cents": entry.posted.missing_cents,
    }
    return [RewardRevoked(**stated, **taken_back)]
