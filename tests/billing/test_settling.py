"""Settling: what is kept of an account becomes what its facts amount to, and is said once."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.billing.domain.periods import first_day
from services.billing.handlers import router
from services.billing.handlers.converging import settle_new_invoices
from services.billing.handlers.issuing import issue_chunk
from services.billing.handlers.planning import Key
from services.billing.handlers.settling import Settlement, settle
from services.billing.schema import accounts, allocations, invoice_lines, invoices, payments
from shared.contracts.leasing import LeaseActivated
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.support.builders import DECEMBER, a_lease
from tests.support.messages import count_rows, deliver_batch, emitted

DAY = datetime(2026, 12, 5, 12, tzinfo=UTC)


@pytest.fixture
async def lease(transactions: Transactions) -> LeaseActivated:
    """A lease of $1,575.00 a month that billing knows."""
    lease = a_lease()
    await deliver_batch(transactions, router, [lease])
    return lease


async def bill(transactions: Transactions, leases: Sequence[LeaseActivated], period: str = "2026-12") -> None:
    async with transactions.command("test") as tx:
        await issue_chunk(tx, [Key(lease.lease_id, first_day(period)) for lease in leases], as_of=DECEMBER)


async def receive(
    transactions: Transactions, account_id: UUID, cents: int, on: date = date(2026, 12, 1)
) -> None:
    """A payment's row as it is before anybody settles."""
    payment_id = new_id()
    row = {
        "payment_id": payment_id,
        "reference": str(payment_id),
        "account_id": account_id,
        "amount_cents": cents,
        "applied_cents": 0,
        "currency": "USD",
        "method": "check",
        "received_on": on,
        "recorded_at": DAY,
    }
    async with transactions.engine.begin() as connection:
        await connection.execute(sa.insert(payments).values(row))


async def settled(transactions: Transactions, *account_ids: UUID) -> Settlement:
    async with transactions.command("test") as tx:
        return await settle(tx, account_ids)


async def row_of(transactions: Transactions, table: sa.Table, *names: str) -> tuple[Any, ...]:
    async with transactions.engine.connect() as connection:
        return tuple((await connection.execute(sa.select(*(table.c[name] for name in names)))).one())


async def said(transactions: Transactions, topic: str) -> list[dict[str, Any]]:
    return [body for name, body in await emitted(transactions) if name == f"billing.{topic}.v1"]


async def test_an_invoice_that_is_paid_leaves_the_schedules_and_is_said(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await bill(transactions, [lease])
    await receive(transactions, lease.lease_id, 157_500)

    await settled(transactions, lease.lease_id)

    kept = await row_of(transactions, invoices, "state", "paid_cents", "next_check_on", "next_reminder_on")
    assert kept == ("paid", 157_500, None, None)
    [fact] = await said(transactions, "invoice_paid")
    assert (fact["paid_on"], fact["rent_paid_on"], fact["balance_cents"]) == ("2026-12-01", "2026-12-01", 0)


async def test_settling_again_changes_and_says_nothing(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await bill(transactions, [lease])
    await receive(transactions, lease.lease_id, 200_000)
    await settled(transactions, lease.lease_id)
    before = await emitted(transactions)

    again = await settled(transactions, lease.lease_id)

    assert not again.invoices
    assert await emitted(transactions) == before


async def test_rent_that_is_covered_is_said_while_charges_are_still_open(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await bill(transactions, [lease])
    await receive(transactions, lease.lease_id, 150_000)

    await settled(transactions, lease.lease_id)

    [fact] = await said(transactions, "rent_standing_changed")
    assert (fact["covered_on"], fact["balance_cents"]) == ("2026-12-01", 7_500)
    assert await said(transactions, "invoice_paid") == []


async def test_credit_pays_the_next_invoice_by_itself_from_the_day_it_came(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await receive(transactions, lease.lease_id, 200_000, date(2026, 11, 28))
    await settled(transactions, lease.lease_id)
    await bill(transactions, [lease])

    async with transactions.command("test") as tx:
        await settle_new_invoices(tx, {lease.lease_id: date(2026, 12, 1)})

    assert await row_of(transactions, invoices, "state", "paid_on") == ("paid", date(2026, 11, 28))
    assert await row_of(transactions, accounts, "credit_cents") == (42_500,)
    assert [fact["amount_cents"] for fact in await said(transactions, "credit_issued")] == [200_000]


async def test_new_invoices_of_accounts_without_credit_are_not_even_loaded(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await bill(transactions, [lease])

    async with transactions.command("test") as tx:
        settlement = await settle_new_invoices(tx, {lease.lease_id: date(2026, 12, 1)})

    assert not settlement.ledgers


async def test_a_fee_line_alone_makes_the_total_and_opens_the_invoice_again(
    transactions: Transactions, lease: LeaseActivated
) -> None:
    await bill(transactions, [lease])
    await receive(transactions, lease.lease_id, 157_500)
    await settled(transactions, lease.lease_id)
    (invoice_id,) = await row_of(transactions, invoices, "invoice_id")
    fee = {"invoice_id": invoice_id, "position": 9, "kind": "late_fee", "bucket": "fee"}
    fee |= {"description": "Late fee", "amount_cents": 5_000, "counts_on": date(2026, 12, 1)}
    async with transactions.engine.begin() as connection:
        await connection.execute(sa.insert(invoice_lines).values(fee))

    settlement = await settled(transactions, lease.lease_id)

    kept = await row_of(transactions, invoices, "state", "total_cents", "fee_cents", "next_check_on")
    assert kept == ("open", 162_500, 5_000, date(2026, 12, 2))
    assert settlement.reopened == (invoice_id,)


async def test_a_void_invoice_gives_its_money_back(transactions: Transactions, lease: LeaseActivated) -> None:
    await bill(transactions, [lease])
    await receive(transactions, lease.lease_id, 157_500)
    await settled(transactions, lease.lease_id)
    async with transactions.command("test") as tx:
        await tx.connection.execute(sa.update(invoices).values(state="void"))
        await settle(tx, [lease.lease_id], credit_reason="void")

    assert await row_of(transactions, invoices, "state", "paid_cents", "paid_on") == ("void", 0, None)
    assert await row_of(transactions, accounts, "credit_cents") == (157_500,)
    assert await count_rows(transactions, allocations) == 0
    assert (await said(transactions, "credit_issued"))[-1]["reason"] == "void"


async def test_the_number_of_statements_does_not_depend_on_the_number_of_accounts(
    transactions: Transactions,
) -> None:
    assert await statements_to_settle(transactions, 1) == await statements_to_settle(transactions, 20)


async def statements_to_settle(transactions: Transactions, count: int) -> int:
    leases = [a_lease() for _ in range(count)]
    await deliver_batch(transactions, router, leases)
    await bill(transactions, leases)
    for lease in leases:
        await receive(transactions, lease.lease_id, 200_000)
    seen: list[str] = []

    def note(*call: Any) -> None:
        seen.append(call[2])

    engine = transactions.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    await settled(transactions, *(lease.lease_id for lease in leases))
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)
