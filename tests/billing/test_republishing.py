"""Saying again what was invoiced and paid: as it was, and as it stands."""

from datetime import date
from typing import Any

import pytest

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.republishing import republish_invoices, republish_payments
from services.billing.handlers.waivers import waive_fee
from services.billing.store.invoices import Selection
from shared.messaging.transaction import Transactions
from tests.billing.desk import Desk, a_desk
from tests.billing.office import Office
from tests.billing.runs import bill, know
from tests.support.builders import a_lease


async def say_again(
    desk: Desk, selection: Selection | None = None, limit: int = 500, pages: Any = republish_invoices
) -> list[int]:
    """Page by page; how many each page said."""
    counts, after, more = [], None, True
    while more:
        async with desk.transactions.command("test") as tx:
            page = await pages(tx, selection or Selection(), after, limit)
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
    issued = await desk.said("invoice_created")

    await say_again(desk)

    assert (await desk.said("invoice_created"))[3:] == issued


async def test_how_it_stands_is_said_after_it(desk: Desk) -> None:
    paid, covered = await desk.said("invoice_paid"), await desk.said("rent_standing_changed")

    await say_again(desk)

    assert (await desk.said("invoice_paid"))[len(paid) :] == paid[-1:]
    assert (await desk.said("rent_standing_changed"))[len(covered) :] == [covered[-1] | {"balance_cents": 0}]


async def test_pages_say_each_once(desk: Desk) -> None:
    before = len(await desk.said("invoice_created"))

    counts = await say_again(desk, limit=1)

    assert counts == [1, 1, 1, 0]
    assert len(await desk.said("invoice_created")) == before + 3


async def test_a_void_one_is_said_to_be_void_again_and_never_to_be_paid(desk: Desk) -> None:
    [void], paid = await desk.said("invoice_voided"), await desk.said("invoice_paid")

    await say_again(desk, Selection(period="2026-11"))

    assert (await desk.said("invoice_voided"))[1:] == [void | {"released_cents": 0}]
    assert await desk.said("invoice_paid") == paid


async def test_fees_and_waivers_are_said_again_under_their_ids(desk: Desk) -> None:
    async with desk.transactions.command("test") as tx:
        await waive_fee(tx, "INV-2026-000001", amount_cents=None, by="ada", reason="first time")
    fees, waivers = await desk.said("late_fee_applied"), await desk.said("late_fee_waived")

    await say_again(desk, Selection(period="2026-10"))

    for name, before in (("late_fee_applied", fees), ("late_fee_waived", waivers)):
        again = (await desk.said(name))[len(before) :]
        assert [_known(item) for item in again] == [_known(item) for item in before] != []


def _known(fact: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(fact[name] for name in ("fee_id", "amount_cents", "on", "rule", "formula", "fee_kind"))


async def test_payments_and_what_was_taken_back_are_said_again_under_their_ids(desk: Desk) -> None:
    await desk.take_back("R2", "B2", kind="charged_back")
    kept = {"payment_id", "amount_cents", "received_on", "method", "account_id", "tenant_ids", "reference"}
    kept |= {"reversal_id", "known_on", "reversal", "nsf_fee_cents", "lease_id", "property_id", "currency"}
    received, back = await desk.said("payment_recorded"), await desk.said("payment_reversed")

    counts = await say_again(desk, limit=1, pages=republish_payments)

    assert counts == [1, 1, 0]
    for name, before in (("payment_recorded", received), ("payment_reversed", back)):
        again = (await desk.said(name))[len(before) :]
        assert sorted(_only(item, kept) for item in again) == sorted(_only(item, kept) for item in before)
    assert (await desk.said("payment_reversed"))[-1]["reopened_invoice_ids"] == []


async def test_a_payment_that_is_said_again_says_how_its_money_stands_now(desk: Desk) -> None:
    first, _ = await desk.said("payment_recorded")

    await say_again(desk, pages=republish_payments)

    again = (await desk.said("payment_recorded"))[2]
    assert (again["reference"], again["amount_cents"]) == ("R1", first["amount_cents"])
    assert (first["balance_cents"], again["balance_cents"]) == (5_000, 0)


def _only(fact: dict[str, Any], names: set[str]) -> list[str]:
    return [f"{name}: {fact[name]}" for name in sorted(names & fact.keys())]


async def test_what_a_returned_payment_cost_is_said_again(transactions: Transactions) -> None:
    desk = await a_desk(transactions)
    await desk.bill("2026-12", policy=BillingPolicy(nsf_fee_cents=2_500))
    await desk.pay(1_000, "R3")
    await desk.take_back("R3", "B3")
    [back] = await desk.said("payment_reversed")

    await say_again(desk, Selection(period="2026-12"), pages=republish_payments)

    again = (await desk.said("payment_reversed"))[-1]
    assert (again["reversal_id"], again["nsf_fee_cents"]) == (back["reversal_id"], 2_500)


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

    said = {"invoices": 2, "payments": 0}
    assert (dry.json, real.json) == (said | {"dry_run": True}, said | {"dry_run": False})
    assert before == between
    assert (await office.rows())["outbox"] == before["outbox"] + 2
