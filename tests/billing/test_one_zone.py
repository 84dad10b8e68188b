"""A trigger that is for one zone works on the properties there, and on no others."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.billing.handlers.autopay import plan_charges
from shared.contracts.leasing import LeaseChanged
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.autopay_desk import DUE, Desk
from tests.billing.late_ledger import LateLedger, noon, run_late_fees
from tests.billing.reminding import a_place, an_invoice, remind
from tests.billing.runs import bill, billed, know
from tests.support.builders import a_lease

pytestmark = pytest.mark.servers

EAST, WEST = "America/New_York", "America/Los_Angeles"
BEFORE = date(2026, 12, 7)
"""Three days before it is due."""
FIRST_IN_THE_EAST = datetime(2026, 12, 1, 5, tzinfo=UTC)
FIRST_IN_THE_WEST = datetime(2026, 12, 1, 8, tzinfo=UTC)


def named(said: list[dict[str, Any]]) -> list[set[str]]:
    """The invoices that each message is about."""
    return [{item["invoice_id"] for item in message["items"]} for message in said]


async def bill_zone(transactions: Transactions, zone: str, as_of: datetime) -> dict[str, Any]:
    return await bill(transactions, period=None, as_of=as_of, only_zone=zone, origin="schedule")


async def test_the_rent_of_a_month_is_billed_in_its_own_zone_s_run(transactions: Transactions) -> None:
    east, west = a_lease(time_zone=EAST), a_lease(time_zone=WEST)
    await know(transactions, east, west)

    first = await bill_zone(transactions, EAST, FIRST_IN_THE_EAST)
    assert (first["counts"]["created"], await billed(transactions, west.lease_id)) == (1, [])
    second = await bill_zone(transactions, WEST, FIRST_IN_THE_WEST)

    assert second["counts"]["created"] == 1
    assert [found for found, _ in await billed(transactions)] == ["2026-12-01", "2026-12-01"]


async def test_a_property_that_changes_zone_between_two_runs_is_billed_once(
    transactions: Transactions,
) -> None:
    lease = a_lease(time_zone=EAST)
    await know(transactions, lease)
    await bill_zone(transactions, EAST, FIRST_IN_THE_EAST)

    await know(transactions, LeaseChanged(**lease.model_dump() | {"version": 2, "time_zone": WEST}))
    outcome = await bill_zone(transactions, WEST, FIRST_IN_THE_WEST)

    assert (outcome["counts"]["created"], outcome["counts"]["skipped"]) == (0, 1)
    assert len(await billed(transactions)) == 1


async def test_a_property_that_changes_into_a_zone_whose_run_is_over_is_billed_by_the_next(
    transactions: Transactions,
) -> None:
    lease = a_lease(time_zone=WEST)
    await know(transactions, lease)
    await bill_zone(transactions, EAST, FIRST_IN_THE_EAST)

    await know(transactions, LeaseChanged(**lease.model_dump() | {"version": 2, "time_zone": EAST}))
    await bill_zone(transactions, WEST, FIRST_IN_THE_WEST)
    await bill_zone(transactions, EAST, datetime(2026, 12, 1, 17, 5, tzinfo=UTC))

    assert [found for found, _ in await billed(transactions)] == ["2026-12-01"]


async def test_a_zone_that_nobody_knows_is_reported_by_whichever_run_comes_by(
    transactions: Transactions,
) -> None:
    await know(transactions, a_lease(time_zone=EAST), a_lease(time_zone="Mars/Olympus"))

    outcome = await bill_zone(transactions, EAST, FIRST_IN_THE_EAST)

    assert (outcome["state"], outcome["counts"]["created"]) == ("partial", 1)
    assert "'Mars/Olympus' is not an IANA time zone" in outcome["problems"][0]


async def test_late_fees_are_judged_in_one_zone(transactions: Transactions) -> None:
    east = await LateLedger(transactions).open(EAST)
    west = await LateLedger(transactions, serial=100).open(WEST)
    invoices = [await east.invoice(), await west.invoice()]

    await run_late_fees(transactions, noon("2025-03-07"), only_zone=WEST)

    assert [len(await east.lines(invoice)) for invoice in invoices] == [0, 1]


async def test_autopay_charges_in_one_zone(desk: Desk) -> None:
    await desk.billed_and_enrolled()

    async with desk.transactions.engine.connect() as connection:
        found = {
            zone: await plan_charges(connection, DUE, only_zone=zone) for zone in (EAST, WEST, "Mars/Olympus")
        }

    assert {zone: len(wanted) for zone, wanted in found.items()} == {EAST: 1, WEST: 0, "Mars/Olympus": 0}


async def test_reminders_are_sent_in_one_zone(transactions: Transactions) -> None:
    east = await an_invoice(transactions, await a_place(transactions, time_zone=EAST))
    await an_invoice(transactions, await a_place(transactions, time_zone=WEST))

    said = await remind(transactions, BEFORE, as_of=datetime(2026, 12, 7, 19, tzinfo=UTC), only_zone=EAST)

    assert named(said) == [{str(east["invoice_id"])}]


async def test_whoever_has_a_home_in_two_zones_still_gets_one_message(transactions: Transactions) -> None:
    ann = new_id()
    await an_invoice(transactions, await a_place(transactions, time_zone=EAST), tenant_ids=[ann])
    await an_invoice(transactions, await a_place(transactions, time_zone=WEST), tenant_ids=[ann])
    ten = {EAST: datetime(2026, 12, 7, 15, tzinfo=UTC), WEST: datetime(2026, 12, 7, 18, tzinfo=UTC)}

    said = [await remind(transactions, BEFORE, as_of=at, only_zone=zone) for zone, at in ten.items()]

    assert [len(found) for found in said] == [1, 0]
    assert [len(invoices) for invoices in named(said[0])] == [2]
