"""Carrying out a plan that was saved: all of it, exactly as it was, or nothing."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.plans import PlanOutdated, SavedPlan, differences, planned
from services.billing.handlers.issuing import Drafted, draft_chunk, issue
from services.billing.handlers.planning import Plan, Request, chunked, plan_invoices
from services.billing.handlers.runs import CHUNK
from services.billing.handlers.settling import lock_accounts
from services.billing.store import InvoiceStore, LeaseStore
from services.billing.store.invoices import Issued
from shared.messaging.transaction import Tx


async def apply_plan(tx: Tx, saved: SavedPlan) -> tuple[Plan, list[Issued]]:
    """Issue what a plan says, in one transaction; raises `PlanOutdated` where that is no longer what is due.

    Every account is locked before the world is looked at again, so that it cannot change in between.
    """
    request = Request(tx.at, saved.month, saved.property_id)
    plan = await plan_invoices(tx.connection, request)
    terms = await LeaseStore(tx.connection).terms({item.lease_id for item in plan.to_bill})
    await lock_accounts(tx, {lease.account_id for lease in terms.values()})
    drafted = Drafted()
    for chunk in chunked(plan.to_bill):
        some = await draft_chunk(tx.connection, [item.key for item in chunk], as_of=tx.at, terms=terms)
        drafted.drafts += some.drafts
    found = differences(saved.invoices, [planned(draft) for draft in drafted.drafts])
    if found:
        raise PlanOutdated(found)
    issued: list[Issued] = []
    for start in range(0, len(drafted.drafts), CHUNK):
        issued += await issue(tx, drafted.drafts[start : start + CHUNK])
    return plan, issued


async def was_applied(connection: AsyncConnection, saved: SavedPlan) -> bool:
    """Whether every invoice of a plan stands already, with its days, its policy and its amount."""
    standing = await InvoiceStore(connection).standing({item.lease_id for item in saved.invoices})
    issued = {(*item[:6], item.rent_cents + item.charge_cents) for item in standing}
    return bool(saved.invoices) and all(
        (
            *(item.lease_id, item.starts_on, item.ends_on, item.due_on),
            *(item.currency, item.terms_id, item.total_cents),
        )
        in issued
        for item in saved.invoices
    )
