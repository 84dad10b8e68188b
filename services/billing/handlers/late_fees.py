"""Late fees in the ledger: judged under the account's lock, posted as the lines that are missing.

`judge_accounts` is all there is: runs, payments, reversals, waivers and holds end in it, so it does not
matter which of them noticed first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.fee_policy import fee_policy_of
from services.billing.domain.fee_postings import FeeLine, Postings, missing, postings
from services.billing.domain.late_terms import Case, LateTerms
from services.billing.domain.lawful_policies import profile_of
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.runs import Planned, Worked, chosen_zones, chunked, fan_out, finish_chunk
from services.billing.handlers.settling import Settlement, announce, lock_accounts, replay_accounts
from services.billing.handlers.stating import of_fee, stated
from services.billing.jurisdictions import profiles
from services.billing.store import FeeStore, PolicyStore
from services.billing.store.fees import DueInvoice, LateInvoice, NewLine
from shared.clock import local_date
from shared.contracts.billing import (
    ApplyLateFees,
    InvoiceOverdue,
    InvoiceToJudge,
)
from shared.contracts.scheduler import LateFeesDue
from shared.documents import BadDocument, decimal_text
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

MOST_ROUNDS: Final = 50
"""A fee may take money from a newer invoice, and so on: more rounds than an account has late invoices."""

_POSTED_BY: Final = "late fees"

router = Router("billing")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an invoice lacks, and when it is to be looked at again."""

    invoice: LateInvoice
    lines: tuple[FeeLine, ...] = ()
    next_check_on: date | None = None
    first_fee_on: date | None = None
    problem: str | None = None


@dataclass(slots=True)
class Judged:
    """What judging accounts came to."""

    verdicts: dict[UUID, Verdict] = field(default_factory=dict)
    """The last verdict on each invoice that was looked at."""
    posted: list[NewLine] = field(default_factory=list)
    overdue: list[LateInvoice] = field(default_factory=list)
    settlement: Settlement = field(default_factory=Settlement)
    unsettled: tuple[UUID, ...] = ()
    """Accounts that were still changing after all rounds: a defect, which must not stop the others."""

    @property
    def changed(self) -> set[UUID]:
        """Invoices on which something was posted, or that became overdue."""
        posted = {new.invoice.invoice_id for new in self.posted}
        return posted | {invoice.invoice_id for invoice in self.overdue}

    @property
    def problems(self) -> list[str]:
        """What could not be judged, each with the reason."""
        named = [verdict.problem for verdict in self.verdicts.values() if verdict.problem]
        return [*named, *(f"account {account_id}: its fees do not settle" for account_id in self.unsettled)]


@router.on(LateFeesDue)
async def request_late_fees(due: LateFeesDue, tx: Tx) -> None:
    """Split what is due for a look into chunks: replicas share it, and a crash resumes where it stood."""
    found = await due_invoices(tx.connection, due.as_of, property_id=due.property_id, only_zone=due.only_zone)
    orders = [
        ApplyLateFees(
            run_id=due.occurrence_id,
            chunk=number,
            as_of=due.as_of,
            invoices=tuple(InvoiceToJudge(invoice_id=item.invoice_id, on=item.on) for item in chunk),
        )
        for number, chunk in enumerate(chunked(found))
    ]
    await fan_out(tx, due, Planned(orders, len(found)), _apply)


@router.on(ApplyLateFees, prefetch=2)
async def apply_late_fees(command: ApplyLateFees, tx: Tx) -> None:
    """Judge one chunk; the chunk that completes the run reports its outcome, once."""
    await finish_chunk(tx, command.run_id, await _apply(command, tx))


async def _apply(command: ApplyLateFees, tx: Tx) -> Worked:
    done = await apply_chunk(tx, {item.invoice_id: item.on for item in command.invoices})
    skipped = len({item.invoice_id for item in command.invoices} - done.changed)
    return Worked(len(done.posted), skipped, done.problems)


async def due_invoices(
    connection: AsyncConnection, as_of: datetime, *, property_id: UUID | None, only_zone: str | None = None
) -> list[DueInvoice]:
    """The invoices to look at, each at the date it is at its property."""
    store = FeeStore(connection)
    zones = chosen_zones(await store.time_zones(), only_zone)
    today = {name: local_date(as_of, name) for name in zones}
    return await store.due(today, property_id)


async def apply_chunk(tx: Tx, wanted: Mapping[UUID, date]) -> Judged:
    """Judge the accounts of these invoices under their lock, and say what came of it."""
    accounts = await FeeStore(tx.connection).accounts_of(wanted)
    dates: dict[UUID, date] = {}
    for invoice_id, account_id in accounts.items():
        dates[account_id] = max(wanted[invoice_id], dates.get(account_id, wanted[invoice_id]))
    await lock_accounts(tx, dates)
    judged = await judge_accounts(tx, dates)
    await announce(tx, judged.settlement, "fee_reversal")
    return judged


async def reconsider_fees(tx: Tx, account_ids: Iterable[UUID], on: date | Mapping[UUID, date]) -> Settlement:
    """Bring the late fees of accounts to what is now known of them, after money came or went.

    The accounts are locked already. The caller announces the settlement together with its own.
    """
    ids = list(account_ids)
    dates = dict.fromkeys(ids, on) if isinstance(on, date) else {key: on[key] for key in ids}
    return (await judge_accounts(tx, dates)).settlement


async def judge_accounts(tx: Tx, dates: Mapping[UUID, date]) -> Judged:
    """Post what is missing, settle, and judge again, until nothing is missing; then say what was posted."""
    judged = Judged()
    left = set(dates)
    for _ in range(MOST_ROUNDS):
        verdicts = await _judge(tx, left, dates)
        judged.verdicts |= {item.invoice.invoice_id: item for item in verdicts}
        fresh = [new for verdict in verdicts for new in _numbered(verdict)]
        if not fresh:
            break
        await FeeStore(tx.connection).add(fresh, by=_POSTED_BY, at=tx.at)
        judged.posted += fresh
        left = {new.invoice.account_id for new in fresh}
        judged.settlement = judged.settlement.then(await replay_accounts(tx, left))
    else:
        judged.unsettled = tuple(sorted(left))
    await _mark(tx, judged)
    _say(tx, judged)
    return judged


async def _judge(tx: Tx, account_ids: set[UUID], dates: Mapping[UUID, date]) -> list[Verdict]:
    found = await FeeStore(tx.connection).load(account_ids)
    late = [invoice for invoice in found if invoice.payable_on < dates[invoice.account_id]]
    policies = await PolicyStore(tx.connection).snapshots({invoice.terms_id for invoice in late})
    return [judge(invoice, policies[invoice.terms_id], dates[invoice.account_id]) for invoice in late]


def judge(invoice: LateInvoice, policy: BillingPolicy, on: date) -> Verdict:
    """What an invoice lacks at a date under the terms it was issued with."""
    try:
        found = posted_as(invoice, policy, on)
    except BadDocument as problem:  # a profile that is not there any more
        return Verdict(invoice, next_check_on=invoice.next_check_on, problem=f"{invoice.number}: {problem}")
    known = [line for line in invoice.lines if line.counts_on <= on]
    charges_anything = policy.late_fee_rules or policy.interest_apr
    return Verdict(
        invoice,
        lines=tuple(missing(found.lines, known, invoice.currency)),
        next_check_on=found.next_on if invoice.state == "open" else None,
        first_fee_on=found.found.first_fee_on if charges_anything else None,
    )


def posted_as(invoice: LateInvoice, policy: BillingPolicy, on: date) -> Postings:
    """The lines that an invoice should have at a date."""
    return postings(case_of(invoice, policy), on, profile_of(policy, profiles()))


def case_of(invoice: LateInvoice, policy: BillingPolicy) -> Case:
    """An invoice as late fees see it."""
    terms = LateTerms(
        due_on=invoice.payable_on,
        rent_cents=invoice.rent_cents,
        charges_cents=max(invoice.charge_cents, 0),
        period_starts_on=invoice.period_starts_on,
        period_ends_on=invoice.period_ends_on,
        units=policy.units_in_structure,
        currency=invoice.currency,
        policy=fee_policy_of(policy),
    )
    charges = invoice.charge_receipts if policy.late_basis == "rent_and_charges" else ()
    return Case(
        terms=terms,
        receipts=(*invoice.rent_receipts, *charges),
        holds=tuple(invoice.holds),
        waivers=tuple(invoice.waivers),
    )


def _numbered(verdict: Verdict) -> Iterator[NewLine]:
    positions = count(verdict.invoice.last_position + 1)
    return (NewLine(verdict.invoice, next(positions), line) for line in verdict.lines)


async def _mark(tx: Tx, judged: Judged) -> None:
    marks: list[dict[str, Any]] = []
    for verdict in judged.verdicts.values():
        invoice = verdict.invoice
        overdue = invoice.overdue_on is None and invoice.state == "open" and invoice.balance_cents > 0
        if overdue:
            judged.overdue.append(invoice)
        elif verdict.next_check_on == invoice.next_check_on:
            continue
        since = invoice.payable_on + timedelta(days=1) if overdue else invoice.overdue_on
        marks.append(
            {
                "invoice_id": invoice.invoice_id,
                "next_check_on": verdict.next_check_on,
                "overdue_on": since,
            }
        )
    await FeeStore(tx.connection).mark(marks)


def _say(tx: Tx, judged: Judged) -> None:
    for invoice in judged.overdue:
        first_fee_on = judged.verdicts[invoice.invoice_id].first_fee_on
        overdue_on = invoice.payable_on + timedelta(days=1)
        said = stated(invoice, invoice.balance_cents)
        tx.emit(InvoiceOverdue(**said, overdue_on=overdue_on, first_fee_on=first_fee_on))
    for new in judged.posted:
        invoice = judged.verdicts[new.invoice.invoice_id].invoice  # as it stands when all is posted
        facts = of_fee(
            stated(invoice, invoice.balance_cents),
            new.line,
            new.position,
            total_fee_cents=invoice.fee_cents,
            reason=invoice.reason_of(new.line),
            working=_working(new.line),
        )
        tx.emit(*facts)


def _working(line: FeeLine) -> dict[str, Any] | None:
    if line.working is None:
        return None
    percent = decimal_text(line.working.percent) if line.working.percent else None
    return asdict(line.working) | {"percent": percent}
