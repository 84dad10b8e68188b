"""What billing does on each message, on a real PostgreSQL."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from services.billing.handlers import router
from services.billing.handlers.runs import CHUNK
from services.billing.schema import invoice_lines, invoices, leases, runs
from shared.contracts.billing import IssueInvoices
from shared.contracts.leasing import LeaseChanged
from shared.identity import new_id
from shared.messaging.tables import inbox, outbox
from shared.messaging.transaction import LARGEST_BODY, TooLarge, Transactions
from tests.support.builders import a_lease, a_property, billing_due
from tests.support.messages import count_rows, deliver, deliver_batch, emitted

INVOICE = "billing.invoice_created.v1"
ISSUE = "billing.issue_invoices.v1"
OUTCOME = "scheduler.trigger_outcome.v1"


async def of_topic(transactions: Transactions, topic: str) -> list[dict[str, Any]]:
    return [payload for found, payload in await emitted(transactions) if found == topic]


async def bill(transactions: Transactions, **changes: Any) -> None:
    """The trigger, and every chunk it asked for."""
    before = len(await of_topic(transactions, ISSUE))
    await deliver(transactions, router, billing_due(**changes))
    for command in (await of_topic(transactions, ISSUE))[before:]:
        await deliver(transactions, router, IssueInvoices.model_validate(command))


async def test_each_active_lease_gets_one_invoice_of_rent_and_charges(transactions: Transactions) -> None:
    lease = a_lease(due_day=5)
    await deliver_batch(transactions, router, [lease])

    await bill(transactions)

    [invoice] = await of_topic(transactions, INVOICE)
    assert invoice["lease_id"] == str(lease.lease_id)
    assert invoice["total_cents"] == 157_500
    assert invoice["due_on"] == "2026-12-05"
    assert invoice["number"] == "INV-2026-000001"
    assert [line["amount_cents"] for line in invoice["lines"]] == [150_000, 7_500]


async def test_second_run_for_the_same_month_issues_nothing(transactions: Transactions) -> None:
    await deliver_batch(transactions, router, [a_lease(), a_lease()])

    await bill(transactions)
    await bill(transactions)

    assert len(await of_topic(transactions, INVOICE)) == 2
    outcomes = await of_topic(transactions, OUTCOME)
    assert [outcome["counts"]["created"] for outcome in outcomes] == [2, 0]
    assert outcomes[1]["counts"]["skipped"] == 2


async def test_the_same_trigger_delivered_twice_is_skipped(transactions: Transactions) -> None:
    await deliver_batch(transactions, router, [a_lease()])
    due, message_id = billing_due(), new_id()

    first = await deliver(transactions, router, due, message_id=message_id)
    second = await deliver(transactions, router, due, message_id=message_id)

    assert (first, second) == ("done", "repeat")
    assert len(await of_topic(transactions, ISSUE)) == 1


async def test_the_same_occurrence_under_another_message_id_opens_no_second_run(
    transactions: Transactions,
) -> None:
    await deliver_batch(transactions, router, [a_lease()])
    due = billing_due()

    await deliver(transactions, router, due)
    await deliver(transactions, router, due)

    assert len(await of_topic(transactions, ISSUE)) == 1
    assert await count_rows(transactions, runs) == 1


async def test_a_lease_that_ended_before_the_month_is_not_billed(transactions: Transactions) -> None:
    ended = a_lease(ends_on=date(2026, 11, 30))
    last_day = a_lease(ends_on=date(2026, 12, 1))
    not_yet = a_lease(starts_on=date(2027, 1, 1))
    await deliver_batch(transactions, router, [ended, last_day, not_yet])

    await bill(transactions)

    assert [item["lease_id"] for item in await of_topic(transactions, INVOICE)] == [str(last_day.lease_id)]


async def test_without_a_period_each_lease_is_billed_for_the_month_at_its_property(
    transactions: Transactions,
) -> None:
    here, there = a_lease(time_zone="Pacific/Honolulu"), a_lease(time_zone="Europe/Berlin")
    await deliver_batch(transactions, router, [here, there])

    await bill(transactions, period=None, as_of=datetime(2026, 12, 1, 3, tzinfo=UTC))

    periods = {item["lease_id"]: item["period"] for item in await of_topic(transactions, INVOICE)}
    assert periods == {str(here.lease_id): "2026-11", str(there.lease_id): "2026-12"}


async def test_only_the_property_asked_for_is_billed(transactions: Transactions) -> None:
    one, other = a_lease(), a_lease()
    await deliver_batch(transactions, router, [one, other])

    await bill(transactions, property_id=one.property_id)

    assert [item["lease_id"] for item in await of_topic(transactions, INVOICE)] == [str(one.lease_id)]


async def test_a_dry_run_trigger_counts_and_issues_nothing(transactions: Transactions) -> None:
    await deliver_batch(transactions, router, [a_lease()])

    await bill(transactions, dry_run=True)

    assert await count_rows(transactions, invoices) == 0
    assert await of_topic(transactions, INVOICE) == []
    await bill(transactions)
    [tried, done] = [outcome["counts"] for outcome in await of_topic(transactions, OUTCOME)]
    assert tried == done == {"examined": 1, "created": 1, "skipped": 0, "failed": 0}


async def test_a_large_month_is_split_and_its_outcome_said_once(transactions: Transactions) -> None:
    await deliver_batch(transactions, router, [a_lease() for _ in range(CHUNK + 1)])

    await bill(transactions)

    assert len(await of_topic(transactions, ISSUE)) == 2
    [outcome] = await of_topic(transactions, OUTCOME)
    assert outcome["counts"] == {"examined": 501, "created": 501, "skipped": 0, "failed": 0}


async def test_an_older_version_of_a_lease_changes_nothing(transactions: Transactions) -> None:
    lease = a_lease()
    newer = LeaseChanged(**lease.model_dump() | {"version": 3, "rent_cents": 200_000})
    older = LeaseChanged(**lease.model_dump() | {"version": 2, "rent_cents": 100_000})

    await deliver_batch(transactions, router, [newer])
    await deliver_batch(transactions, router, [older])
    await deliver_batch(transactions, router, [lease])

    async with transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(leases.c.rent_cents)) == 200_000


async def test_two_versions_in_one_batch_keep_the_newer(transactions: Transactions) -> None:
    lease = a_lease()
    newer = LeaseChanged(**lease.model_dump() | {"version": 2, "rent_cents": 160_000})
    even_newer = LeaseChanged(**lease.model_dump() | {"version": 3, "rent_cents": 170_000})

    await deliver_batch(transactions, router, [even_newer, newer])

    async with transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(leases.c.rent_cents)) == 170_000


async def test_a_lease_unknown_to_billing_is_reported_and_stops_nobody(transactions: Transactions) -> None:
    known = a_lease()
    await deliver_batch(transactions, router, [known])
    await deliver(transactions, router, billing_due())
    [command] = await of_topic(transactions, ISSUE)
    command["leases"].append({"lease_id": str(new_id()), "period": "2026-12"})

    await deliver(transactions, router, IssueInvoices.model_validate(command))

    [outcome] = await of_topic(transactions, OUTCOME)
    assert outcome["state"] == "partial"
    assert outcome["counts"]["created"] == 1
    assert "unknown to billing" in outcome["problems"][0]


async def test_a_failing_chunk_leaves_nothing_behind(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver_batch(transactions, router, [a_lease()])
    await deliver(transactions, router, billing_due())
    [command] = await of_topic(transactions, ISSUE)
    before, handled = await emitted(transactions), await count_rows(transactions, inbox)

    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("services.billing.handlers.issuing.announcement", fail)
    outcome = await deliver(transactions, router, IssueInvoices.model_validate(command))

    assert outcome == "dead"
    assert await count_rows(transactions, invoices) == 0
    assert await count_rows(transactions, inbox) == handled
    [*others, (topic, said)] = await emitted(transactions)
    assert (others, topic, said["state"]) == (before, OUTCOME, "failed")


async def test_six_concurrent_chunks_of_one_month_issue_one_invoice_per_lease(
    transactions: Transactions,
) -> None:
    await deliver_batch(transactions, router, [a_lease() for _ in range(50)])
    await deliver(transactions, router, billing_due())
    [command] = await of_topic(transactions, ISSUE)

    await asyncio.gather(
        *(deliver(transactions, router, IssueInvoices.model_validate(command)) for _ in range(6))
    )

    assert await count_rows(transactions, invoices) == 50
    assert await count_rows(transactions, invoice_lines) == 100
    async with transactions.engine.connect() as connection:
        numbers = sorted(await connection.scalars(sa.select(invoices.c.number)))
    assert numbers == [f"INV-2026-{serial:06d}" for serial in range(1, 51)]


async def test_a_property_is_replaced_only_by_a_newer_version(transactions: Transactions) -> None:
    place = a_property(version=2, name="New name")
    await deliver(transactions, router, place)
    await deliver(transactions, router, place.model_copy(update={"version": 1, "name": "Old name"}))

    async with transactions.engine.connect() as connection:
        assert await connection.scalar(sa.text("select name from properties")) == "New name"


async def test_a_message_no_broker_should_carry_is_refused_where_it_is_emitted(
    transactions: Transactions,
) -> None:
    place = a_property(address="x" * LARGEST_BODY)

    with pytest.raises(TooLarge, match="property_registered"):
        async with transactions.command("test") as tx:
            tx.emit(place)

    assert await count_rows(transactions, outbox) == 0
