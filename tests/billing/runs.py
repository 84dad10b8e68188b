"""Running a month of billing as the service does: the trigger, and every chunk it asked for."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.billing.handlers import router
from services.billing.schema import invoices
from services.billing.store import PolicyStore
from shared.contracts.billing import IssueInvoices
from shared.contracts.leasing import LeaseFact
from shared.messaging.transaction import Transactions
from tests.billing.policies import a_version
from tests.support.builders import billing_due
from tests.support.messages import deliver, deliver_batch, emitted

INVOICE = "billing.invoice_created.v1"
ISSUE = "billing.issue_invoices.v1"
OUTCOME = "scheduler.trigger_outcome.v1"


async def of_topic(transactions: Transactions, topic: str) -> list[dict[str, Any]]:
    """What was said on a topic, in order."""
    return [payload for found, payload in await emitted(transactions) if found == topic]


async def know(transactions: Transactions, *leases: LeaseFact) -> None:
    """Let billing hear of leases."""
    await deliver_batch(transactions, router, list(leases))


async def agree(transactions: Transactions, terms: dict[str, Any], **changes: Any) -> None:
    """Set a policy."""
    async with transactions.command("test") as tx:
        assert await PolicyStore(tx.connection).add(a_version(terms, **changes))


async def bill(transactions: Transactions, **changes: Any) -> dict[str, Any]:
    """The trigger, and every chunk it asked for; returns the outcome."""
    before = len(await of_topic(transactions, ISSUE))
    await deliver(transactions, router, billing_due(**changes))
    for command in (await of_topic(transactions, ISSUE))[before:]:
        await deliver(transactions, router, IssueInvoices.model_validate(command))
    return (await of_topic(transactions, OUTCOME))[-1]


async def billed(transactions: Transactions, lease_id: UUID | None = None) -> list[tuple[str, int]]:
    """First day and total of every invoice that is not void, of one lease or of all, in order of time."""
    query = sa.select(invoices.c.period_starts_on, invoices.c.total_cents).where(invoices.c.state != "void")
    if lease_id is not None:
        query = query.where(invoices.c.lease_id == lease_id)
    async with transactions.engine.connect() as connection:
        rows = await connection.execute(query.order_by(invoices.c.period_starts_on, invoices.c.total_cents))
        return [(str(day), total) for day, total in rows]


async def lines(transactions: Transactions) -> list[list[tuple[str, int]]]:
    """Description and amount of the lines of every invoice that was announced."""
    return [
        [(line["description"], line["amount_cents"]) for line in invoice["lines"]]
        for invoice in await of_topic(transactions, INVOICE)
    ]


def others(column: str, count: int) -> str:
    """So many invoices like the one there is, to be looked at in 2030; few rows are read in whatever way."""
    return f"""
        insert into invoices
        select (jsonb_populate_record(invoices, jsonb_build_object(
            'invoice_id', gen_random_uuid(), 'number', 'N-' || n, '{column}', '2030-01-01',
            'period_starts_on', date '1900-01-01' + n))).*
        from invoices, generate_series(1, {count}) as n"""
