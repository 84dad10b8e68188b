"""Which periods are billed, when, and under which terms: on a real PostgreSQL."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.billing.handlers import router
from services.billing.schema import billed_charges, invoices, terms
from services.billing.store import PolicyStore
from services.billing.store.billed import TERMS_BEFORE_POLICIES
from shared.contracts.leasing import LeaseChanged, LeaseEnded, RecurringCharge, RentChange
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.policies import LONG_AGO
from tests.billing.runs import INVOICE, agree, bill, billed, know, lines, of_topic
from tests.support.builders import a_lease, billing_due
from tests.support.messages import count_rows, deliver

DECEMBER_20 = datetime(2026, 12, 20, 17, tzinfo=UTC)


def a_plain_lease(**changes: Any) -> Any:
    """A lease of $1,500.00 without charges."""
    return a_lease(**{"charges": ()} | changes)


def a_charge(**changes: Any) -> RecurringCharge:
    values: dict[str, Any] = {"code": "key", "description": "Key", "amount_cents": 5_000, "frequency": "once"}
    return RecurringCharge(**values | changes)


async def test_weeks_are_billed_that_have_begun_and_lie_in_the_month(transactions: Transactions) -> None:
    await know(
        transactions,
        a_plain_lease(frequency="weekly", starts_on=date(2026, 11, 26), rent_cents=35_000),
    )

    await bill(transactions, period=None, as_of=DECEMBER_20)

    assert await billed(transactions) == [
        ("2026-11-26", 35_000),
        ("2026-12-03", 35_000),
        ("2026-12-10", 35_000),
        ("2026-12-17", 35_000),
    ]
    assert [item["due_on"] for item in await of_topic(transactions, INVOICE)][-1] == "2026-12-17"


async def test_a_month_by_name_bills_every_week_that_begins_in_it(transactions: Transactions) -> None:
    await know(
        transactions,
        a_plain_lease(frequency="four_weekly", starts_on=date(2026, 11, 5), rent_cents=140_000),
    )

    await bill(transactions, period="2026-12", as_of=DECEMBER_20)
    await bill(transactions, period="2026-12", as_of=DECEMBER_20)

    assert await billed(transactions) == [("2026-12-03", 140_000), ("2026-12-31", 140_000)]
    periods = [(item["period"], item["period_ends_on"]) for item in await of_topic(transactions, INVOICE)]
    assert periods == [("2026-12", "2026-12-30"), ("2026-12", "2027-01-27")]


async def test_a_period_is_invoiced_so_many_days_ahead_as_the_policy_says(transactions: Transactions) -> None:
    ahead, on_the_day = a_plain_lease(), a_plain_lease()
    await know(transactions, ahead, on_the_day)
    await agree(transactions, {"lead_days": 5}, scope="property", scope_id=ahead.property_id)

    await bill(transactions, period=None, as_of=datetime(2026, 11, 26, 17, tzinfo=UTC))
    await bill(transactions, period=None, as_of=datetime(2026, 11, 27, 17, tzinfo=UTC))

    assert await billed(transactions, ahead.lease_id) == [("2026-11-01", 150_000), ("2026-12-01", 150_000)]
    assert await billed(transactions, on_the_day.lease_id) == [("2026-11-01", 150_000)]


async def test_what_is_not_invoiced_by_itself_waits_for_a_person(transactions: Transactions) -> None:
    lease = a_plain_lease()
    await know(transactions, lease)
    await agree(transactions, {"auto_generate": False}, scope="lease", scope_id=lease.lease_id)

    by_schedule = await bill(transactions)
    by_hand = await bill(transactions, origin="manual")

    assert by_schedule["counts"] == {"examined": 1, "created": 0, "skipped": 1, "failed": 0}
    assert by_hand["counts"]["created"] == 1


@pytest.mark.parametrize(
    ("as_of", "starts_on"),
    [
        (datetime(2026, 12, 1, 4, 59, tzinfo=UTC), "2026-11-01"),
        (datetime(2026, 12, 1, 5, 1, tzinfo=UTC), "2026-12-01"),
    ],
)
async def test_a_minute_before_and_after_midnight_at_the_property_are_different_months(
    transactions: Transactions, as_of: datetime, starts_on: str
) -> None:
    await know(transactions, a_plain_lease())

    await bill(transactions, period=None, as_of=as_of)

    assert await billed(transactions) == [(starts_on, 150_000)]


async def test_a_month_of_the_past_or_the_future_can_be_billed(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease(starts_on=date(2026, 2, 15)))

    for month in ("2026-02", "2027-06"):
        await bill(transactions, period=month)

    assert await billed(transactions) == [("2026-02-01", 75_000), ("2027-06-01", 150_000)]
    assert {item["issued_on"] for item in await of_topic(transactions, INVOICE)} == {"2026-12-01"}


async def test_a_corrected_time_zone_moves_no_due_date_that_was_announced(transactions: Transactions) -> None:
    lease = a_plain_lease(time_zone="Pacific/Auckland", due_day=1)
    await know(transactions, lease)
    await bill(transactions)
    await know(
        transactions, LeaseChanged(**lease.model_dump() | {"version": 2, "time_zone": "Pacific/Honolulu"})
    )

    await bill(transactions)

    async with transactions.engine.connect() as connection:
        assert list(await connection.scalars(sa.select(invoices.c.due_on))) == [date(2026, 12, 1)]


async def test_the_policy_prorates_and_the_invoice_keeps_it(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease(starts_on=date(2026, 12, 15), rent_cents=180_000))
    await agree(transactions, {"proration": "thirty", "due_day": 20})
    await bill(transactions)
    await agree(transactions, {"proration": "actual"}, version=2, effective_on=date(2026, 12, 2))

    async with transactions.engine.connect() as connection:
        [(due_on, terms_id)] = await connection.execute(sa.select(invoices.c.due_on, invoices.c.terms_id))
        kept = (await PolicyStore(connection).snapshots([terms_id]))[terms_id]

    assert await billed(transactions) == [("2026-12-01", 96_000)]
    assert (due_on, kept.proration) == (date(2026, 12, 20), "thirty")


async def test_the_policy_of_the_period_s_first_day_holds_for_it(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease())
    await agree(transactions, {"due_day": 5})
    await agree(transactions, {"due_day": 10}, version=2, effective_on=date(2026, 12, 1))

    for month in ("2026-11", "2026-12"):
        await bill(transactions, period=month, as_of=datetime(2026, 11, 15, tzinfo=UTC))

    assert [item["due_on"] for item in await of_topic(transactions, INVOICE)] == ["2026-11-05", "2026-12-10"]


async def test_a_rent_change_and_a_free_month_come_with_the_lease_fact(transactions: Transactions) -> None:
    await know(
        transactions,
        a_plain_lease(
            rent_changes=(RentChange(effective_on=date(2026, 12, 16), rent_cents=160_000),),
            free_periods=("2027-01",),
        ),
    )

    for month in ("2026-12", "2027-01"):
        await bill(transactions, period=month)

    assert await lines(transactions) == [
        [("Rent 2026-12-01 to 2026-12-15", 72_581), ("Rent 2026-12-16 to 2026-12-31", 82_580)],
        [("Rent 2027-01", 160_000), ("Free of rent 2027-01", -160_000)],
    ]


async def test_an_invoice_of_nothing_is_born_paid(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease(free_periods=("2026-12",)))

    await bill(transactions)

    columns = (
        invoices.c.state,
        invoices.c.total_cents,
        invoices.c.next_check_on,
        invoices.c.next_reminder_on,
    )
    async with transactions.engine.connect() as connection:
        assert (await connection.execute(sa.select(*columns))).one() == ("paid", 0, None, None)


async def test_a_one_time_charge_is_billed_once_in_its_month(transactions: Transactions) -> None:
    await know(transactions, a_lease(charges=(a_charge(starts_on=date(2026, 11, 30)),)))

    for month in ("2026-10", "2026-11", "2026-12"):
        await bill(transactions, period=month)

    assert [total for _, total in await billed(transactions)] == [150_000, 155_000, 150_000]


async def test_a_charge_that_was_added_after_its_month_s_invoice_comes_on_the_next_one(
    transactions: Transactions,
) -> None:
    lease = a_plain_lease()
    await know(transactions, lease)
    await bill(transactions, period="2026-11")
    charges = (a_charge(starts_on=date(2026, 11, 20)), a_charge(code="parking", frequency="monthly"))
    await know(transactions, LeaseChanged(**lease.model_dump() | {"version": 2, "charges": charges}))

    for month in ("2026-12", "2027-01"):
        await bill(transactions, period=month)

    assert (await lines(transactions))[1:] == [
        [("Rent 2026-12", 150_000), ("Key (2026-11)", 5_000), ("Key (2026-11)", 5_000), ("Key", 5_000)],
        [("Rent 2027-01", 150_000), ("Key", 5_000)],
    ]


async def test_a_one_time_charge_is_billed_once_also_where_its_month_is_billed_late(
    transactions: Transactions,
) -> None:
    await know(transactions, a_lease(charges=(a_charge(starts_on=date(2026, 11, 20)),)))

    for month in ("2026-10", "2026-12", "2026-11", "2027-01"):
        await bill(transactions, period=month)

    assert [total for _, total in await billed(transactions)] == [150_000, 155_000, 150_000, 150_000]


async def test_what_is_on_an_invoice_of_before_policies_is_not_guessed_and_not_billed_again(
    transactions: Transactions,
) -> None:
    await know(transactions, a_lease())
    await bill(transactions, period="2026-11")
    async with transactions.engine.begin() as connection:  # as the migration leaves what was there before it
        old = insert(terms).values(terms_id=TERMS_BEFORE_POLICIES, document={})
        await connection.execute(old.on_conflict_do_nothing())
        await connection.execute(sa.delete(billed_charges))
        await connection.execute(sa.update(invoices).values(terms_id=TERMS_BEFORE_POLICIES))

    await bill(transactions, period="2026-12")

    assert (await lines(transactions))[1] == [("Rent 2026-12", 150_000), ("Parking", 7_500)]


async def test_two_missed_weeks_in_one_run_take_a_missed_charge_along_once(
    transactions: Transactions,
) -> None:
    lease = a_plain_lease(frequency="weekly", starts_on=date(2026, 12, 3), rent_cents=35_000)
    await know(transactions, lease)
    await bill(transactions, period=None, as_of=datetime(2026, 12, 3, 17, tzinfo=UTC))
    charges = (a_charge(starts_on=date(2026, 12, 4)),)
    await know(transactions, LeaseChanged(**lease.model_dump() | {"version": 2, "charges": charges}))

    await bill(transactions, period=None, as_of=DECEMBER_20)

    assert [total for _, total in await billed(transactions)] == [35_000, 40_000, 35_000]


async def test_a_lease_that_is_announced_after_the_month_s_run_is_billed_by_the_next(
    transactions: Transactions,
) -> None:
    early, late = a_plain_lease(), a_plain_lease(starts_on=date(2026, 12, 10))
    await know(transactions, early)
    await bill(transactions, period=None)
    await know(transactions, late)

    outcome = await bill(transactions, period=None, as_of=DECEMBER_20)

    assert outcome["counts"] == {"examined": 2, "created": 1, "skipped": 1, "failed": 0}
    assert await billed(transactions, late.lease_id) == [("2026-12-01", 106_452)]


async def test_the_schedule_leaves_months_alone_that_were_before_it(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease(starts_on=date(2020, 1, 1)))

    await bill(transactions, period=None)

    assert await billed(transactions) == [("2026-12-01", 150_000)]


async def test_a_lease_that_rolls_over_is_billed_until_it_is_ended(transactions: Transactions) -> None:
    lease = a_plain_lease(ends_on=date(2026, 10, 31), rolls_over=True)
    await know(transactions, lease)
    await bill(transactions, period="2026-11")
    await know(transactions, LeaseEnded(**lease.model_dump() | {"version": 2, "ends_on": date(2026, 12, 15)}))

    for month in ("2026-12", "2027-01"):
        await bill(transactions, period=month)

    assert await billed(transactions) == [("2026-11-01", 150_000), ("2026-12-01", 72_581)]


async def test_a_renewal_takes_over_in_mid_month_on_the_same_account(transactions: Transactions) -> None:
    before = a_plain_lease(rolls_over=True, ends_on=date(2026, 6, 30))
    after = a_plain_lease(
        starts_on=date(2026, 12, 16),
        rent_cents=160_000,
        renewal_of=before.lease_id,
        account_id=before.lease_id,
    )
    await know(transactions, after, before)

    await bill(transactions)

    assert await billed(transactions, before.lease_id) == [("2026-12-01", 72_581)]
    assert await billed(transactions, after.lease_id) == [("2026-12-01", 82_581)]
    accounts = {item["account_id"] for item in await of_topic(transactions, INVOICE)}
    assert accounts == {str(before.lease_id)}


async def test_tenants_of_one_lease_share_one_invoice_and_two_leases_are_two_accounts(
    transactions: Transactions,
) -> None:
    tenant, other = new_id(), new_id()
    await know(transactions, a_plain_lease(tenant_ids=(tenant, other)), a_plain_lease(tenant_ids=(tenant,)))

    await bill(transactions)

    found = await of_topic(transactions, INVOICE)
    assert sorted(len(item["tenant_ids"]) for item in found) == [1, 2]
    assert len({item["account_id"] for item in found}) == 2


async def test_a_lease_that_cannot_be_billed_is_named_and_stops_nobody(transactions: Transactions) -> None:
    bad = a_lease(charges=(a_charge(amount_cents=-200_000, frequency="monthly"),))
    lost = a_plain_lease(time_zone="Mars/Olympus")
    await know(transactions, a_plain_lease(), bad, lost)

    outcome = await bill(transactions)

    assert outcome["state"] == "partial"
    assert outcome["counts"] == {"examined": 3, "created": 1, "skipped": 0, "failed": 2}
    assert sorted(outcome["problems"]) == [
        f"lease {bad.lease_id}: its lines for 2026-12 sum to -500.00, less than nothing",
        "leases in that zone: 'Mars/Olympus' is not an IANA time zone, such as America/New_York",
    ]


async def test_days_that_were_billed_under_another_rhythm_are_not_billed_again(
    transactions: Transactions,
) -> None:
    lease = a_plain_lease()
    await know(transactions, lease)
    await bill(transactions)
    changes = {"version": 2, "frequency": "weekly", "starts_on": date(2026, 12, 3), "rent_cents": 35_000}
    await know(transactions, LeaseChanged(**lease.model_dump() | changes))

    outcome = await bill(transactions, period=None, as_of=datetime(2026, 12, 9, 17, tzinfo=UTC))

    assert outcome["counts"]["created"] == 0
    [problem] = outcome["problems"]
    assert f"lease {lease.lease_id}: 2026-12-03 to 2026-12-09 shares days with INV-2026-000001" in problem


async def test_six_whole_runs_at_once_issue_one_invoice_per_lease_and_period(
    transactions: Transactions,
) -> None:
    weekly = {"frequency": "weekly", "starts_on": date(2026, 12, 1), "rent_cents": 35_000}
    some = [a_lease(charges=(a_charge(starts_on=date(2026, 12, 5)),)) for _ in range(20)]
    await know(transactions, *some, *(a_plain_lease(**weekly) for _ in range(10)))

    outcomes = await asyncio.gather(
        *(bill(transactions, period="2026-12", as_of=DECEMBER_20) for _ in range(6))
    )

    assert len(await billed(transactions)) == 20 + 10 * 5
    assert sum(total for _, total in await billed(transactions)) == 20 * 155_000 + 50 * 35_000
    assert {outcome["state"] for outcome in outcomes} == {"succeeded"}


async def test_a_dry_run_by_trigger_writes_no_invoice(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease())

    await deliver(transactions, router, billing_due(dry_run=True))

    assert await count_rows(transactions, invoices) == 0


async def test_a_policy_of_long_ago_holds_from_then_on(transactions: Transactions) -> None:
    await know(transactions, a_plain_lease())
    await agree(transactions, {"due_day": 31}, effective_on=LONG_AGO)

    for month in ("2027-01", "2027-02", "2027-03"):
        await bill(transactions, period=month)

    due = [item["due_on"] for item in await of_topic(transactions, INVOICE)]
    assert due == ["2027-01-31", "2027-02-28", "2027-03-31"]
