"""Billing what is due: planned, split into chunks, issued. The command line calls the same functions."""

from collections.abc import Sequence

from services.billing.domain.periods import first_day
from services.billing.handlers.issuing import issue_chunk
from services.billing.handlers.planning import Key, Request, Wanted, chunked, plan_invoices
from services.billing.handlers.runs import Planned, Worked, fan_out, finish_chunk
from shared.contracts.billing import IssueInvoices, LeaseToBill
from shared.contracts.scheduler import MonthlyBillingDue
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("billing")


@router.on(MonthlyBillingDue)
async def request_invoices(due: MonthlyBillingDue, tx: Tx) -> None:
    """Split the work into chunks, so that replicas share it and a crash resumes where it stood."""
    plan = await plan_invoices(tx.connection, request_of(due))
    orders = [
        IssueInvoices(run_id=due.occurrence_id, chunk=number, as_of=due.as_of, leases=_to_bill(chunk))
        for number, chunk in enumerate(chunked(plan.to_bill))
    ]
    skipped = plan.billed + plan.held_back
    await fan_out(tx, due, Planned(orders, plan.examined, skipped, plan.problems), _issue)


@router.on(IssueInvoices, prefetch=2)
async def issue_invoices(command: IssueInvoices, tx: Tx) -> None:
    """Bill one chunk; the chunk that completes the run reports its outcome, once."""
    await finish_chunk(tx, command.run_id, await _issue(command, tx))


async def _issue(command: IssueInvoices, tx: Tx) -> Worked:
    done = await issue_chunk(tx, keys_of(command), as_of=command.as_of)
    return Worked(len(done.issued), done.skipped, done.problems)


def request_of(due: MonthlyBillingDue) -> Request:
    """What a trigger asks for; by hand where a person published it."""
    by_hand = due.origin == "manual"
    return Request(due.as_of, due.period, due.property_id, by_hand=by_hand, only_zone=due.only_zone)


def keys_of(command: IssueInvoices) -> list[Key]:
    """The periods a command names; one of before they had a first day means the month."""
    return [Key(item.lease_id, item.starts_on or first_day(item.period)) for item in command.leases]


def _to_bill(chunk: Sequence[Wanted]) -> tuple[LeaseToBill, ...]:
    return tuple(
        LeaseToBill(lease_id=item.lease_id, period=item.period.label, starts_on=item.period.starts_on)
        for item in chunk
    )
