"""Saying again how invoices are: as issued, and as they stand."""

from datetime import date

import pytest

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.republishing import republish_invoices
from services.billing.store.invoices import Selection
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.office import Office
from tests.billing.runs import bill, know
from tests.support.builders import a_lease


async def say_again(desk: Desk, selection: Selection | None = None, limit: int = 500) -> list[int]:
    """Page by page; how many each page said."""
    counts, after, more = [], None, True
    while more:
        async with desk.transactions.command("test") as tx:
            page = await republish_invoices(tx, selection or Selection(), after, limit)
        counts.append(page.count)
        after, more = page.last, page.last is not None
    return counts


@pytest.fixture
async def desk(transactions: Transactions) -> Desk:
    """October late and paid with its fee, November void, December open."""
    found = await a_desk(transactions)
    await found.bill("2026-10", policy=BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),)))
    found.clock.today = date(2026, 10, 20)
    await found.pay(157_500, "R1")
    await found.pay(5_000, "R2")
    found.clock.today = date(2026, 12, 1)
    await found.bill("2026-11", "2026-12")
    await found.void("INV-2026-000002")
    return found


async def test_an_invoice_is_said_again_exactly_as_it_was_issued(desk: Desk) -> None:
    issued = [item for item in await desk.said("invoice_created") if item["period"] != "2026-11"]

    await say_again(desk)

    assert (await desk.said("invoice_created"))[3:] == issued


async def test_how_it_stands_is_said_after_it(desk: Desk) -> None:
    paid, covered = await desk.said("invoice_paid"), await desk.said("rent_standing_changed")

    await say_again(desk)

    assert (await desk.said("invoice_paid"))[len(paid) :] == paid[-1:]
    assert (await desk.said("rent_standing_changed"))[len(covered) :] == [covered[-1] | {"balance_cents": 0}]


async def test_pages_say_each_once_and_void_ones_are_left_out(desk: Desk) -> None:
    before = len(await desk.said("invoice_created"))

    counts = await say_again(desk, limit=1)

    assert counts == [1, 1, 0]
    assert len(await desk.said("invoice_created")) == before + 2


async def test_only_what_is_chosen_is_said(desk: Desk) -> None:
    before = len(await desk.said("invoice_created"))

    await say_again(desk, Selection(period="2026-12", property_id=desk.lease.property_id))
    await say_again(desk, Selection(property_id=desk.account_id))

    assert [item["period"] for item in (await desk.said("invoice_created"))[before:]] == ["2026-12"]


async def test_the_command_says_how_many_and_a_dry_run_writes_nothing(office: Office) -> None:
    await know(office.transactions, a_lease(), a_lease())
    await bill(office.transactions)
    before = await office.rows()
    dry = await office.run("republish", "--month", "2026-12", "--dry-run", "--json")
    between = await office.rows()
    real = await office.run("republish", "--json")

    assert (dry.json, real.json) == ({"invoices": 2, "dry_run": True}, {"invoices": 2, "dry_run": False})
    assert before == between
    assert (await office.rows())["outbox"] == before["outbox"] + 2
