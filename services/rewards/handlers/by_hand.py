"""What a person grants or takes back: with a reason and a name, and never undone by an evaluation."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.rewards.domain.earning import Earned
from services.rewards.domain.facts import month_of
from services.rewards.domain.ledgers import Funds, Grant, Key, Ledger, NothingGranted, Posting
from services.rewards.handlers.posting import Decision, Entry, add_entries, entries_for
from services.rewards.handlers.redeeming import ReferenceUsed, TenantUnknown
from services.rewards.store import CopyStore, LedgerStore
from shared.identity import new_id
from shared.messaging.transaction import Tx


class DecisionRefused(Exception):
    """A decision without a reason, or of nothing."""

    code = "decision_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What somebody wants to give a tenant."""

    tenant_id: UUID
    amount_cents: int
    decision: Decision
    lease_id: UUID | None = None
    currency: str = "USD"
    reference: str | None = None
    """Given twice, it is the same grant."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of it: posted now, or found posted before."""

    entry_id: UUID
    amount_cents: int
    currency: str
    funds: Funds
    missing_cents: int = 0
    repeated: bool = False


async def grant(tx: Tx, new: NewGrant) -> Decided:
    """Give a tenant something; the same reference again changes nothing.

    Raises `TenantUnknown`, `ReferenceUsed` for a reference of another grant, `DecisionRefused` for nothing,
    without a reason, or in money that the tenant is not billed in.
    """
    _refuse_empty(new.decision)
    if new.amount_cents <= 0:
        raise DecisionRefused("the amount has to be more than nothing")
    copies = CopyStore(tx.connection)
    leases = await copies.leases_of(new.tenant_id)
    lease = next((item for item in leases if new.lease_id in {None, item.lease_id}), None)
    if lease is None:
        raise TenantUnknown(new.tenant_id, new.lease_id)
    currencies = await copies.currencies_of(new.tenant_id)
    if currencies and new.currency not in currencies:
        raise DecisionRefused(f"the tenant is billed in {' and '.join(currencies)}, not in {new.currency}")
    today = await copies.today(tx.at)
    earned = Earned(
        kind="by_hand",
        rule=f"hand:{new.reference or new_id()}",
        period=month_of(today.at(lease.property_id)),
        amount_cents=new.amount_cents,
        currency=new.currency,
        property_id=lease.property_id,
        lease_id=lease.lease_id,
    )
    ledger = await _locked(tx, new.tenant_id)
    known = next((item for item in ledger.grants.values() if item.earned.rule == earned.rule), None)
    if known is not None:
        return _granted_before(known, new, ledger)
    if any(rule == earned.rule for rule, _ in ledger.turns):
        raise ReferenceUsed(f"reference {new.reference!r} was granted before, and taken back")
    posting = Posting("granted", earned, 1)
    entries = entries_for(new.tenant_id, [posting], ledger.funds, today, new.decision)
    return await _add(tx, entries)


async def revoke(tx: Tx, entry_id: UUID, decision: Decision) -> Decided:
    """Take a grant back for good: no evaluation grants this rule for this month again.

    What was redeemed of it already becomes shortfall. Raises `NothingGranted` where the entry is no grant or
    does not stand any more, and `DecisionRefused` without a reason.
    """
    _refuse_empty(decision)
    entry = await LedgerStore(tx.connection).entry(entry_id)
    if entry is None or entry["kind"] != "granted":
        raise NothingGranted(f"{entry_id} is no grant")
    tenant_id, key = entry["tenant_id"], (entry["rule"], entry["period"])
    ledger = await _locked(tx, tenant_id)
    standing = ledger.grants.get(key)
    if standing is None or standing.entry_id != entry_id:
        raise NothingGranted(f"{entry_id} was revoked before")
    await LedgerStore(tx.connection).deny(_denial(tx, tenant_id, key, decision))
    posting = Posting("revoked", standing.earned, standing.turn, entry_id, "by_hand")
    today = await CopyStore(tx.connection).today(tx.at)
    return await _add(tx, entries_for(tenant_id, [posting], ledger.funds, today, decision))


async def _locked(tx: Tx, tenant_id: UUID) -> Ledger:
    store = LedgerStore(tx.connection)
    await store.lock([tenant_id])
    return (await store.load([tenant_id]))[tenant_id]


async def _add(tx: Tx, entries: list[Entry]) -> Decided:
    await add_entries(tx, entries)
    [entry] = entries
    earned = entry.posted.posting.earned
    return Decided(
        entry.entry_id, earned.amount_cents, earned.currency, entry.posted.funds, entry.posted.missing_cents
    )


def _granted_before(known: Grant, new: NewGrant, ledger: Ledger) -> Decided:
    if (known.earned.amount_cents, known.earned.currency) != (new.amount_cents, new.currency):
        raise ReferenceUsed(f"reference {new.reference!r} was used for another grant")
    funds = ledger.funds.get(new.currency, Funds())
    return Decided(known.entry_id, new.amount_cents, new.currency, funds, repeated=True)


def _denial(tx: Tx, tenant_id: UUID, key: Key, decision: Decision) -> dict[str, Any]:
    rule, period = key
    return {
        "tenant_id": tenant_id,
        "rule": rule,
        "period": period,
        "reason": decision.reason.strip(),
        "decided_by": decision.by,
        "decided_at": tx.at,
    }


def _refuse_empty(decision: Decision) -> None:
    if not decision.reason.strip():
        raise DecisionRefused("a reason is needed")
