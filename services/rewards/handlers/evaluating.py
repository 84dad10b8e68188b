"""The evaluation: tenants' records are replayed from zero, and what their ledgers lack is posted.

Nothing depends on how often it runs: only the facts and the date decide what a ledger says in the end.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from uuid import UUID

from services.rewards.domain.earning import Record, record_of
from services.rewards.domain.facts import Facts, Today
from services.rewards.domain.ledgers import Ledger, differences
from services.rewards.domain.policies import PolicyBook
from services.rewards.domain.redeeming import Underway, uses_by_itself
from services.rewards.handlers.posting import Entry, add_entries, entries_for, funds_after
from services.rewards.handlers.redeeming import Redeemed, apply_by_itself
from services.rewards.store import CopyStore, FactStore, LedgerStore, PolicyStore, RedemptionStore, RunStore
from services.rewards.store.runs import Run
from shared.contracts.rewards import CalculateRewards
from shared.contracts.scheduler import RewardsDue, TriggerOutcome
from shared.db import plan_for_values
from shared.messaging.router import Router
from shared.messaging.transaction import Tx
from shared.runs import started

CHUNK: Final = 500
"""How many tenants one command is about."""

router = Router("rewards")


@dataclass(frozen=True, slots=True)
class Case:
    """What evaluating one tenant is about."""

    facts: Facts
    policies: PolicyBook
    today: Today
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What evaluating one tenant came to."""

    case: Case
    record: Record
    entries: tuple[Entry, ...]
    redeemed: tuple[Redeemed, ...] = ()

    @property
    def tenant_id(self) -> UUID:
        """Who it is about."""
        return self.record.tenant_id

    @property
    def judged_on(self) -> date:
        """The day it is now; of several, at the place where it comes last."""
        today, invoices = self.case.today, self.case.facts.invoices
        return min((today.at(item.property_id) for item in invoices), default=today.otherwise)

    @property
    def counts(self) -> Counter[str]:
        """How much of each kind there is."""
        kinds: list[str] = [entry.posted.posting.kind for entry in self.entries]
        return Counter(kinds + ["redeemed"] * len(self.redeemed))


@router.on(RewardsDue)
async def request_rewards(due: RewardsDue, tx: Tx) -> None:
    """Split everybody who was ever billed into chunks; a dry run does each here, and takes it back."""
    tenants = await CopyStore(tx.connection).tenants(
        property_id=due.property_id, tenant_id=due.tenant_id, zone=due.only_zone
    )
    orders = [
        _chunk(due, number, tenants[start : start + CHUNK])
        for number, start in enumerate(range(0, len(tenants), CHUNK), start=1)
    ]
    tried = await _rehearse(tx, orders) if due.dry_run else Counter()
    given = [] if due.dry_run else orders
    run = Run(
        run_id=due.occurrence_id,
        trigger=due.topic,
        as_of=due.as_of,
        chunks_expected=len(given),
        examined=len(tenants),
        started_at=tx.at,
        finished_at=None if given else tx.at,
        granted=tried["granted"],
        revoked=tried["revoked"],
        redeemed=tried["redeemed"],
    )
    if not await RunStore(tx.connection).open(run):
        return
    tx.emit(*given)
    if run.finished:
        tx.emit(_outcome(run, tx))
    else:
        tx.emit(started(run, "rewards", tx.at))


def _chunk(due: RewardsDue, number: int, tenants: Sequence[UUID]) -> CalculateRewards:
    return CalculateRewards(
        run_id=due.occurrence_id, chunk=number, as_of=due.as_of, period=due.period, tenant_ids=tuple(tenants)
    )


async def _rehearse(tx: Tx, orders: Sequence[CalculateRewards]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for order in orders:
        async with tx.rehearsal():
            counts += await _calculate(order, tx)
    return counts


@router.on(CalculateRewards, prefetch=1)
async def calculate_rewards(command: CalculateRewards, tx: Tx) -> None:
    """Evaluate one chunk; the one that completes the run reports it, once."""
    counts = await _calculate(command, tx)
    run = await RunStore(tx.connection).finish_chunk(command.run_id, counts=counts, problems=(), at=tx.at)
    if run is not None and run.finished:
        tx.emit(_outcome(run, tx))


async def _calculate(command: CalculateRewards, tx: Tx) -> Counter[str]:
    await plan_for_values(tx.connection)
    today = await CopyStore(tx.connection).today(command.as_of)
    counts: Counter[str] = Counter()
    for evaluation in await evaluate(tx, command.tenant_ids, today, period=command.period):
        counts += evaluation.counts
    return counts


async def evaluate(
    tx: Tx, tenant_ids: Sequence[UUID], today: Today, *, period: str | None = None
) -> list[Evaluation]:
    """Post what the ledgers of these tenants lack; in a fixed number of statements, however many they are.

    A tenant is never judged for a day before the last one they were judged for: a trigger that comes late
    would find months unsettled that are settled long since.
    """
    ledgers = LedgerStore(tx.connection)
    judged = await ledgers.lock(tenant_ids)
    facts = (await FactStore(tx.connection).of_tenants(tenant_ids)).by_tenant()
    policies = await PolicyStore(tx.connection).book()
    posted = await ledgers.load(tenant_ids)
    found = []
    for tenant_id in sorted(judged):
        on = today.not_before(judged[tenant_id].judged_on)
        case = Case(facts.get(tenant_id, Facts()), policies, on, posted[tenant_id])
        found.append(_evaluate_one(tenant_id, case, period))
    await add_entries(tx, [entry for item in found for entry in item.entries])
    await ledgers.keep_records(
        [item.record for item in found], {item.tenant_id: item.judged_on for item in found}
    )
    return found if period else await _apply(tx, found)


def _evaluate_one(tenant_id: UUID, case: Case, period: str | None) -> Evaluation:
    record = record_of(tenant_id, case.facts, case.policies, case.today)
    postings = differences(record, case.ledger, period=period)
    entries = entries_for(tenant_id, postings, case.ledger.funds, case.today)
    return Evaluation(case, record, tuple(entries))


async def _apply(tx: Tx, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Use by themselves the balances that a policy wants used."""
    accounts = {invoice.account_id for item in evaluations for invoice in item.case.facts.invoices}
    store = RedemptionStore(tx.connection)
    underway, restored_on = await store.on_their_way(accounts), await store.restored_on(accounts)
    found = []
    for item in evaluations:
        case, so_far = item.case, Underway(underway, restored_on)
        funds = funds_after(item.entries, case.ledger.funds)
        uses = uses_by_itself(item.tenant_id, case.facts, funds, case.policies, case.today, so_far)
        redeemed = await apply_by_itself(tx, item.tenant_id, uses, funds, case.today)
        for done in redeemed:  # so that those who rent together do not pay the same rent twice
            underway[done.redemption.account_id] += done.redemption.amount_cents
        found.append(replace(item, redeemed=tuple(redeemed)))
    return found


def _outcome(run: Run, tx: Tx) -> TriggerOutcome:
    return TriggerOutcome(
        occurrence_id=run.run_id,
        trigger=run.trigger,
        consumer="rewards",
        state="succeeded" if run.failed == 0 else "partial",
        counts=run.counts,
        problems=run.problems,
        finished_at=tx.at,
    )
