"""Late fees in the ledger: posted as what is missing, however often and whenever somebody looks."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from services.billing.domain.fee_rules import PercentOfRent, RecurringMonthly, Share
from services.billing.handlers import router
from services.billing.handlers.late_fees import due_invoices
from services.billing.schema import invoice_lines, invoices, runs, terms, waivers
from services.billing.store.fees import due_query
from shared.contracts.scheduler import LateFeesDue
from shared.identity import new_id
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.billing.late_ledger import (
    FIFTY,
    NOW,
    TEN_A_DAY,
    LateLedger,
    a_policy,
    chunks_of,
    noon,
    run_late_fees,
)
from tests.billing.runs import others
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, deliver, emitted
from tests.support.query_plans import Explain


@pytest.fixture
async def ledger(transactions: Transactions) -> LateLedger:
    """An account in New York."""
    return await LateLedger(transactions).open()


async def test_a_run_posts_the_fee_with_its_rule_and_says_it_once(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()

    await ledger.run("2025-03-07")
    await ledger.run("2025-03-07")
    await ledger.run("2025-03-20")

    assert await ledger.lines(invoice) == [("late_fee", "2025-03-07", 5_000)]
    [fact] = await ledger.said("late_fee_applied")
    assert (fact["amount_cents"], fact["rule"], fact["formula"]) == (5_000, "flat.1", "fixed amount = $50.00")
    assert (fact["working"]["way"], fact["working"]["comes_to_cents"]) == ("fixed", 5_000)
    assert (fact["on"], fact["total_fee_cents"], fact["balance_cents"]) == ("2025-03-07", 5_000, 105_000)
    assert await ledger.row(invoice, "fee_cents", "total_cents", "next_check_on") == (5_000, 105_000, None)


async def test_an_invoice_is_overdue_once_with_the_date_of_its_first_fee(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()

    await ledger.run("2025-03-01")
    assert await ledger.said("invoice_overdue") == []
    for day in ("2025-03-02", "2025-03-03", "2025-03-07"):
        await ledger.run(day)

    [fact] = await ledger.said("invoice_overdue")
    assert (fact["overdue_on"], fact["first_fee_on"], fact["balance_cents"]) == (
        "2025-03-02",
        "2025-03-07",
        100_000,
    )
    assert await ledger.row(invoice, "overdue_on") == (date(2025, 3, 2),)


async def test_nobody_is_late_with_an_invoice_that_did_not_exist(ledger: LateLedger) -> None:
    invoice = await ledger.invoice("2025-03-01", issued_on="2025-03-20")

    for day in ("2025-03-20", "2025-03-21", "2025-03-25"):
        await ledger.run(day)

    [fact] = await ledger.said("invoice_overdue")
    assert (fact["overdue_on"], fact["first_fee_on"]) == ("2025-03-21", "2025-03-26")
    assert await ledger.lines(invoice) == []
    await ledger.run("2025-03-26")
    assert await ledger.lines(invoice) == [("late_fee", "2025-03-26", 5_000)]


async def test_ten_days_of_downtime_post_what_ten_daily_runs_post(transactions: Transactions) -> None:
    policy = a_policy(FIFTY, TEN_A_DAY, interest_apr=Decimal(12))
    watched, neglected = [await LateLedger(transactions).open() for _ in range(2)]
    daily = await watched.invoice(policy=policy)
    for day in range(2, 18):
        await watched.run(f"2025-03-{day:02d}")
    once = await neglected.invoice(policy=policy)

    await neglected.run("2025-03-17")

    assert await neglected.lines(once) == await watched.lines(daily)
    assert await neglected.row(once, "fee_cents") == (5_000 + 10 * 1_000,)


async def test_a_day_is_the_day_at_the_property(transactions: Transactions) -> None:
    there = await LateLedger(transactions).open("Pacific/Honolulu")
    invoice = await there.invoice()

    await run_late_fees(transactions, noon("2025-03-07").replace(hour=9))  # still the 6th in Honolulu
    assert await there.lines(invoice) == []
    await run_late_fees(transactions, noon("2025-03-07").replace(hour=10))

    assert await there.lines(invoice) == [("late_fee", "2025-03-07", 5_000)]


async def test_who_paid_within_grace_is_charged_nothing(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    await ledger.pay(100_000, "2025-03-06")

    await ledger.run("2025-03-10")

    assert await ledger.lines(invoice) == []
    assert await ledger.row(invoice, "state", "next_check_on") == ("paid", None)


async def test_a_payment_entered_late_takes_the_fee_back_by_a_line_of_the_same_day(
    ledger: LateLedger,
) -> None:
    invoice = await ledger.invoice()
    await ledger.run("2025-03-07")

    await ledger.pay(100_000, received_on="2025-03-01", entered_on="2025-03-10")

    assert await ledger.lines(invoice) == [
        ("late_fee", "2025-03-07", 5_000),
        ("late_fee", "2025-03-07", -5_000),
    ]
    assert await ledger.row(invoice, "state", "fee_cents", "paid_on") == ("paid", 0, date(2025, 3, 1))
    assert [fact["amount_cents"] for fact in await ledger.said("late_fee_applied")] == [5_000, -5_000]


async def test_late_money_on_a_day_nobody_looked_still_owes_the_fee(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()

    await ledger.pay(100_000, "2025-03-09")

    assert await ledger.lines(invoice) == [("late_fee", "2025-03-07", 5_000)]
    assert await ledger.row(invoice, "state", "paid_cents") == ("open", 100_000)
    assert await ledger.said("invoice_paid") == []


async def test_a_bounced_payment_brings_the_fee_from_the_day_it_was_known(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    payment = await ledger.pay(100_000, "2025-03-02")
    await ledger.run("2025-03-10")

    await ledger.bounce(payment, 100_000, "2025-03-20")
    await ledger.run("2025-03-21")

    assert await ledger.lines(invoice) == [("late_fee", "2025-03-20", 5_000)]
    assert len(await ledger.said("invoice_overdue")) == 1


async def test_daily_fees_stop_when_the_rent_is_paid_and_the_fees_stay_open(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(TEN_A_DAY))
    await ledger.run("2025-03-08")

    await ledger.pay(100_000, "2025-03-09")
    await ledger.run("2025-03-31")

    assert await ledger.row(invoice, "fee_cents", "state", "next_check_on") == (2_000, "open", None)


async def test_a_monthly_fee_is_looked_for_on_its_day_only(ledger: LateLedger) -> None:
    rule = RecurringMonthly(amount=Share(Decimal(10)))
    invoice = await ledger.invoice(policy=a_policy(rule))

    await ledger.run("2025-03-07")

    assert await ledger.row(invoice, "next_check_on") == (date(2025, 4, 7),)
    await ledger.run("2025-04-07")
    assert [line[2] for line in await ledger.lines(invoice)] == [10_000, 10_000]


async def test_an_older_invoice_s_fee_takes_the_money_and_the_ledger_settles(ledger: LateLedger) -> None:
    """Oldest first: March's fee takes 50.00 of April's rent, so that April is late too."""
    march = await ledger.invoice()
    april = await ledger.invoice("2025-04-01")

    await ledger.pay(200_000, "2025-04-02")

    assert await ledger.lines(march) == [("late_fee", "2025-03-07", 5_000)]
    assert await ledger.row(april, "paid_cents", "state") == (95_000, "open")
    await ledger.run("2025-04-07")
    assert await ledger.lines(april) == [("late_fee", "2025-04-07", 5_000)]


async def test_where_rent_comes_first_an_old_fee_never_makes_new_rent_late(ledger: LateLedger) -> None:
    policy = a_policy(allocation="rent_first")
    march = await ledger.invoice(policy=policy)
    april = await ledger.invoice("2025-04-01", policy=policy)

    await ledger.pay(200_000, "2025-04-02")
    await ledger.run("2025-05-31")

    assert await ledger.lines(march) == [("late_fee", "2025-03-07", 5_000)]
    assert (await ledger.lines(april), await ledger.row(april, "state")) == ([], ("paid",))


async def test_an_invoice_keeps_the_terms_it_was_issued_under(ledger: LateLedger) -> None:
    cheap = await ledger.invoice()
    dear = await ledger.invoice("2025-04-01", policy=a_policy(PercentOfRent(amount=Share(Decimal(8)))))

    await ledger.run("2025-04-10")

    assert [line[2] for line in await ledger.lines(cheap)] == [5_000]
    assert [line[2] for line in await ledger.lines(dear)] == [8_000]


async def test_invoices_of_before_there_were_policies_are_charged_nothing(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(late_fee_rules=()))

    await ledger.run("2025-06-01")

    assert await ledger.lines(invoice) == []
    [fact] = await ledger.said("invoice_overdue")
    assert fact["first_fee_on"] is None
    assert await ledger.row(invoice, "next_check_on") == (None,)


async def test_the_law_of_the_place_clamps_what_is_posted(ledger: LateLedger) -> None:
    policy = a_policy(FIFTY, TEN_A_DAY, jurisdiction="new_york", jurisdiction_mode="clamp", grace_days=0)
    invoice = await ledger.invoice(policy=policy)

    await ledger.run("2025-06-01")

    assert await ledger.lines(invoice) == [("late_fee", "2025-03-07", 5_000)]
    assert await ledger.row(invoice, "next_check_on") == (None,)


async def test_voided_between_the_choice_and_the_posting_earns_nothing(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    occurrence = new_id()
    await deliver(
        ledger.transactions,
        router,
        LateFeesDue(occurrence_id=occurrence, schedule_key="x", as_of=noon("2025-03-07")),
    )
    async with ledger.transactions.engine.begin() as connection:
        await connection.execute(sa.update(invoices).values(state="void", next_check_on=None))

    [command] = await chunks_of(ledger.transactions, occurrence)
    await deliver(ledger.transactions, router, command)

    assert await ledger.lines(invoice) == []


async def test_a_payment_and_a_run_at_the_same_moment_end_as_one_after_the_other(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(TEN_A_DAY))

    await asyncio.gather(
        ledger.run("2025-03-12"),
        ledger.pay(100_000, "2025-03-09", entered_on="2025-03-12"),
        ledger.run("2025-03-12"),
    )

    assert await ledger.row(invoice, "fee_cents", "paid_cents") == (2_000, 100_000)


async def test_six_runs_at_once_post_each_fee_once(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(FIFTY, TEN_A_DAY))

    await asyncio.gather(*(ledger.run("2025-03-09") for _ in range(6)))

    assert [line[2] for line in await ledger.lines(invoice)] == [5_000, 1_000, 1_000]
    assert len(await ledger.said("late_fee_applied")) == 3


async def test_a_chunk_delivered_twice_has_one_effect(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    run = new_id()
    due = LateFeesDue(occurrence_id=run, schedule_key="late-fees", as_of=noon("2025-03-07"))
    await deliver(ledger.transactions, router, due)
    [command] = await chunks_of(ledger.transactions, run)

    message_id = new_id()
    for again in (message_id, message_id, new_id()):
        await deliver(ledger.transactions, router, command, message_id=again)

    assert await ledger.lines(invoice) == [("late_fee", "2025-03-07", 5_000)]
    assert len(await ledger.said("late_fee_applied")) == 1
    assert len(await ledger.said("invoice_overdue")) == 1


async def test_a_chunk_that_comes_days_late_takes_nothing_back(ledger: LateLedger) -> None:
    invoice = await ledger.invoice(policy=a_policy(TEN_A_DAY))
    stale = new_id()
    await deliver(
        ledger.transactions,
        router,
        LateFeesDue(occurrence_id=stale, schedule_key="x", as_of=noon("2025-03-07")),
    )
    await ledger.run("2025-03-09")

    for command in await chunks_of(ledger.transactions, stale):
        await deliver(ledger.transactions, router, command)

    assert await ledger.row(invoice, "fee_cents") == (3_000,)


async def test_the_outcome_of_a_run_is_said_once_when_all_chunks_are_done(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.billing.handlers.runs.CHUNK", 2)
    for _ in range(5):
        await (await LateLedger(transactions).open()).invoice()

    run = await run_late_fees(transactions, noon("2025-03-07"))

    outcomes = [body for name, body in await emitted(transactions) if name == "scheduler.trigger_outcome.v1"]
    assert len(await chunks_of(transactions, run)) == 3
    [outcome] = outcomes
    assert (outcome["state"], outcome["counts"]) == (
        "succeeded",
        {"examined": 5, "created": 5, "skipped": 0, "failed": 0},
    )


async def test_a_run_that_finds_nothing_says_so_at_once(ledger: LateLedger) -> None:
    await ledger.run("2025-03-01")

    [outcome] = [body for name, body in await emitted(ledger.transactions) if name.startswith("scheduler.")]
    assert outcome["counts"]["examined"] == 0


async def test_a_dry_run_of_the_trigger_asks_for_nothing(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()

    run = await run_late_fees(ledger.transactions, noon("2025-03-07"), dry_run=True)

    assert await chunks_of(ledger.transactions, run) == []
    assert await ledger.lines(invoice) == []


async def test_an_invoice_whose_law_is_unknown_is_named_and_stops_no_other(
    transactions: Transactions,
) -> None:
    bad, good = [await LateLedger(transactions).open() for _ in range(2)]
    odd = await bad.invoice(policy=a_policy(jurisdiction="atlantis"))
    fine = await good.invoice()

    await run_late_fees(transactions, noon("2025-03-07"))

    assert (await bad.lines(odd), len(await good.lines(fine))) == ([], 1)
    async with transactions.engine.connect() as connection:
        run = (await connection.execute(sa.select(runs))).one()
    assert run.failed == 1
    assert "jurisdiction: 'atlantis' is none of" in run.problems[0]
    assert await bad.row(odd, "next_check_on") == (date(2025, 3, 2),)


async def test_an_account_that_does_not_settle_is_named_and_stops_no_other(
    ledger: LateLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "services.billing.handlers.late_fees.MOST_ROUNDS", 1
    )  # one round never sees that nothing is missing
    invoice = await ledger.invoice()

    await ledger.run("2025-03-07")

    assert len(await ledger.lines(invoice)) == 1
    async with ledger.transactions.engine.connect() as connection:
        run = (await connection.execute(sa.select(runs))).one()
    assert run.problems == [f"account {ledger.account_id}: its fees do not settle"]


async def test_a_chunk_that_fails_leaves_nothing_behind(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    async with ledger.transactions.engine.begin() as connection:
        await connection.execute(sa.update(terms).values(document={"grace_days": "five"}))

    run = await run_late_fees(ledger.transactions, noon("2025-03-07"))

    assert await ledger.lines(invoice) == []
    assert await ledger.row(invoice, "overdue_on", "next_check_on") == (None, date(2025, 3, 2))
    async with ledger.transactions.engine.connect() as connection:
        row = (await connection.execute(sa.select(runs).where(runs.c.run_id == run))).one()
    assert row.chunks_done == 0


async def test_a_waiver_s_line_survives_every_later_run(ledger: LateLedger) -> None:
    invoice = await ledger.invoice()
    await ledger.run("2025-03-07")
    row: dict[str, Any] = {
        "waiver_id": new_id(),
        "invoice_id": invoice,
        "waived_on": date(2025, 3, 9),
        "reason": "first time",
        "waived_by": "Kim",
        "waived_at": NOW,
    }
    async with ledger.transactions.engine.begin() as connection:
        await connection.execute(sa.insert(waivers).values(row))
        await connection.execute(sa.update(invoices).values(next_check_on=date(2025, 3, 9)))

    for day in ("2025-03-09", "2025-03-10", "2025-06-10"):
        await ledger.run(day)

    assert await ledger.lines(invoice) == [
        ("late_fee", "2025-03-07", 5_000),
        ("waiver", "2025-03-09", -5_000),
    ]
    [fact] = await ledger.said("late_fee_waived")
    assert (fact["amount_cents"], fact["total_fee_cents"], fact["rule"]) == (5_000, 0, "flat.1")
    assert "Kim" not in str(fact)


async def test_only_invoices_that_are_due_for_a_look_are_read(
    ledger: LateLedger, databases: TestDatabases
) -> None:
    await ledger.invoice()
    async with ledger.transactions.engine.begin() as connection:
        await connection.execute(sa.text(others("next_check_on", 20_000)))
    await databases.analyze("billing")

    async with ledger.transactions.engine.connect() as connection:
        found = await due_invoices(connection, noon("2025-03-07"), property_id=None)
        query = due_query({"America/New_York": date(2025, 3, 7)}, None)
        plan = await connection.execute(Explain(query))
        text = "\n".join(row[0] for row in plan)

    assert len(found) == 1
    assert "ix_invoices_next_check_on" in text
    assert "Seq Scan on invoices" not in text


async def test_a_property_can_be_judged_alone(transactions: Transactions) -> None:
    here, there = [await LateLedger(transactions).open() for _ in range(2)]
    mine, other = await here.invoice(), await there.invoice()

    await run_late_fees(transactions, noon("2025-03-07"), property_id=here.property_id)

    assert (len(await here.lines(mine)), len(await there.lines(other))) == (1, 0)
    assert await count_rows(transactions, invoice_lines) == 5
    assert await count_rows(transactions, outbox) > 0
