"""Runs of reminders, on a real PostgreSQL: from the trigger to what is said."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy
from services.billing.domain.policy_book import Place
from services.billing.handlers import router
from services.billing.handlers.policies import keep_policy, plan_policy
from services.billing.handlers.reminders import remind_chunk
from services.billing.handlers.runs import CHUNK
from services.billing.handlers.settling import lock_accounts
from services.billing.schema import holds, invoices, reminder_messages, reminders, runs
from services.billing.store import AutopayStore
from services.billing.store.autopay import Enrolment
from services.billing.store.reminders import due_query
from shared.contracts.billing import InvoiceToJudge, SendReminders
from shared.identity import new_id
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.billing.policies import LONG_AGO
from tests.billing.reminding import (
    DUE,
    REMINDER,
    SEND,
    a_place,
    an_invoice,
    change,
    next_look,
    remind,
    reminders_due,
)
from tests.billing.runs import OUTCOME, agree, know, of_topic, others
from tests.support.builders import a_lease
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows, deliver
from tests.support.query_plans import Explain

FEES = BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),))


def day(offset: int) -> date:
    return DUE + timedelta(days=offset)


def about(messages: list[dict[str, Any]]) -> list[list[tuple[str, int]]]:
    return [[(item["invoice_id"], item["stage"]) for item in message["items"]] for message in messages]


async def decided(transactions: Transactions) -> dict[int, tuple[str, str | None]]:
    async with transactions.engine.connect() as connection:
        rows = await connection.execute(sa.select(reminders).order_by(reminders.c.due_on, reminders.c.stage))
        return {row.stage: (row.state, row.reason) for row in rows}


async def set_policy(transactions: Transactions, terms: dict[str, Any], on: date = LONG_AGO) -> None:
    """As the command does."""
    async with transactions.command("test") as tx:
        planned = await plan_policy(tx.connection, Place(), on, terms)
        await keep_policy(tx, planned.change, reason="test", by="ada")


async def test_a_reminder_carries_everything_its_message_needs(transactions: Transactions) -> None:
    place = await a_place(transactions)
    invoice = await an_invoice(transactions, place, policy=FEES)

    [said] = await remind(transactions, day(-3))

    assert said == {
        "reminder_id": said["reminder_id"],
        "tenant_id": str(invoice["tenant_ids"][0]),
        "property_id": str(place),
        "currency": "USD",
        "as_of_on": "2026-12-07",
        "items": [
            {
                "invoice_id": str(invoice["invoice_id"]),
                "number": invoice["number"],
                "period": "2026-12",
                "due_on": "2026-12-10",
                "stage": -3,
                "balance_cents": 150_000,
                "first_fee_on": "2026-12-16",
                "fee_cents": 0,
                "charge_on": None,
            }
        ],
        "total_cents": 150_000,
        "autopay": False,
        "charge_on": None,
    }


async def test_each_stage_is_said_once_however_often_the_day_is_run(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))

    first = await remind(transactions, day(-3))
    again = await remind(transactions, day(-3))
    later = [await remind(transactions, day(offset)) for offset in (-2, -1, 0, 1, 7, 30, 60)]

    assert (len(first), again) == (1, [])
    assert [len(said) for said in later] == [0, 1, 0, 1, 1, 1, 0]
    assert await next_look(transactions, invoice) is None


async def test_the_next_look_is_the_day_of_the_next_stage(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))

    assert await remind(transactions, day(-9)) == []
    assert await next_look(transactions, invoice) == day(-3)
    await remind(transactions, day(-3))
    assert await next_look(transactions, invoice) == day(-1)


async def test_stages_missed_in_a_downtime_are_recorded_as_part_of_the_latest(
    transactions: Transactions,
) -> None:
    await an_invoice(transactions, await a_place(transactions))

    [said] = await remind(transactions, day(9))

    assert said["items"][0]["stage"] == 7
    assert await decided(transactions) == {
        -3: ("collapsed", "into 7"),
        -1: ("collapsed", "into 7"),
        1: ("collapsed", "into 7"),
        7: ("said", None),
    }


async def test_two_invoices_of_one_tenant_make_one_message_and_co_tenants_get_one_each(
    transactions: Transactions,
) -> None:
    place, ann, bob = await a_place(transactions), new_id(), new_id()
    late = await an_invoice(transactions, place, tenant_ids=[ann], due_on=day(-4))
    soon = await an_invoice(transactions, place, tenant_ids=[ann, bob])

    said = {message["tenant_id"]: message for message in await remind(transactions, day(-3))}

    assert about([said[str(ann)]]) == [[(str(late["invoice_id"]), 1), (str(soon["invoice_id"]), -3)]]
    assert about([said[str(bob)]]) == [[(str(soon["invoice_id"]), -3)]]
    assert said[str(ann)]["total_cents"] == 300_000


async def test_a_tenant_who_was_told_today_is_told_the_rest_tomorrow(transactions: Transactions) -> None:
    place, ann = await a_place(transactions), new_id()
    await an_invoice(transactions, place, tenant_ids=[ann])
    await remind(transactions, day(1))
    other = await an_invoice(transactions, place, tenant_ids=[ann])

    assert await remind(transactions, day(1)) == []
    assert about(await remind(transactions, day(2))) == [[(str(other["invoice_id"]), 1)]]


async def test_all_invoices_of_a_tenant_are_in_one_chunk(transactions: Transactions) -> None:
    place = await a_place(transactions)
    ann = new_id()
    for number in range(CHUNK + 2):
        tenants = [ann] if number in {0, CHUNK + 1} else [new_id()]
        await an_invoice(transactions, place, tenant_ids=tenants)

    await deliver(transactions, router, reminders_due(day(-3)))
    commands = await of_topic(transactions, SEND)
    for command in commands:
        await deliver(transactions, router, SendReminders.model_validate(command))

    assert len(commands) == 2
    assert sum(len(found) == 2 for found in about(await of_topic(transactions, REMINDER))) == 1
    [outcome] = await of_topic(transactions, OUTCOME)
    assert outcome["counts"] == {"examined": 502, "created": 502, "skipped": 0, "failed": 0}


@pytest.mark.parametrize("state", ["paid", "void"])
async def test_what_was_paid_or_voided_between_choice_and_decision_is_not_reminded_of(
    transactions: Transactions, state: str
) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))
    await deliver(transactions, router, reminders_due(day(-3)))
    await change(transactions, invoice, state=state, paid_cents=150_000 if state == "paid" else 0)

    [command] = await of_topic(transactions, SEND)
    await deliver(transactions, router, SendReminders.model_validate(command))

    assert await of_topic(transactions, REMINDER) == []
    assert await decided(transactions) == {}
    assert await next_look(transactions, invoice) is None


async def test_a_decision_waits_for_a_payment_that_is_being_booked(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))
    chunk = SendReminders(
        run_id=new_id(),
        chunk=0,
        as_of=reminders_due(day(-3)).as_of,
        invoices=(InvoiceToJudge(invoice_id=invoice["invoice_id"], on=day(-3)),),
    )
    async with transactions.command("test") as tx:
        await lock_accounts(tx, [invoice["account_id"]])
        running = asyncio.create_task(deliver(transactions, router, chunk))
        await asyncio.sleep(0.2)
        paid = sa.update(invoices).values(state="paid", paid_cents=150_000)
        await tx.connection.execute(paid.where(invoices.c.invoice_id == invoice["invoice_id"]))

    assert await running == "done"
    assert await of_topic(transactions, REMINDER) == []


async def test_the_same_chunk_twice_under_any_id_reminds_once(transactions: Transactions) -> None:
    await an_invoice(transactions, await a_place(transactions))
    await deliver(transactions, router, reminders_due(day(-3)))
    [command] = await of_topic(transactions, SEND)
    order, message_id = SendReminders.model_validate(command), new_id()

    answers = [await deliver(transactions, router, order, message_id=message_id) for _ in range(2)]
    answers.append(await deliver(transactions, router, order))

    assert answers == ["done", "repeat", "done"]
    assert len(await of_topic(transactions, REMINDER)) == 1


async def test_two_runs_at_once_remind_once(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))

    async def once() -> None:
        async with transactions.command("test") as tx:
            await remind_chunk(tx, {invoice["invoice_id"]: day(-3)})

    await asyncio.gather(*(once() for _ in range(4)))

    assert len(await of_topic(transactions, REMINDER)) == 1
    assert await count_rows(transactions, reminder_messages) == 1


async def test_two_runs_at_once_for_two_homes_of_one_tenant_tell_them_once(
    transactions: Transactions,
) -> None:
    place, ann = await a_place(transactions), new_id()
    homes = [await an_invoice(transactions, place, tenant_ids=[ann]) for _ in range(2)]
    orders = [
        SendReminders(
            run_id=new_id(),
            chunk=0,
            as_of=reminders_due(day(-3)).as_of,
            invoices=(InvoiceToJudge(invoice_id=home["invoice_id"], on=day(-3)),),
        )
        for home in homes
    ]

    await asyncio.gather(*(deliver(transactions, router, order) for order in orders))

    assert len(await of_topic(transactions, REMINDER)) == 1
    assert await count_rows(transactions, reminders) == 1
    assert sorted([await next_look(transactions, home) for home in homes], key=str) == [day(-2), day(-1)]


async def test_who_has_moved_out_is_reminded_of_what_they_owe(transactions: Transactions) -> None:
    lease = a_lease(ends_on=date(2026, 12, 5))
    await know(transactions, lease)
    place = await a_place(transactions, property_id=lease.property_id)
    await an_invoice(transactions, place, account_id=lease.lease_id, tenant_ids=list(lease.tenant_ids))

    [said] = await remind(transactions, day(30))

    assert said["tenant_id"] == str(lease.tenant_ids[0])


async def test_the_same_occurrence_again_opens_no_second_run(transactions: Transactions) -> None:
    await an_invoice(transactions, await a_place(transactions))
    due = reminders_due(day(-3))

    await deliver(transactions, router, due)
    await deliver(transactions, router, due)

    assert len(await of_topic(transactions, SEND)) == 1
    assert await count_rows(transactions, runs) == 1


async def test_a_run_without_work_says_its_outcome_at_once(transactions: Transactions) -> None:
    await remind(transactions, day(-3))

    [outcome] = await of_topic(transactions, OUTCOME)
    assert (outcome["state"], outcome["counts"]["examined"]) == ("succeeded", 0)


async def test_a_dry_run_trigger_counts_and_reminds_nobody(transactions: Transactions) -> None:
    await an_invoice(transactions, await a_place(transactions))

    assert await remind(transactions, day(-3), dry_run=True) == []

    assert await count_rows(transactions, reminders) == 0
    await remind(transactions, day(-3))
    [tried, done] = [outcome["counts"] for outcome in await of_topic(transactions, OUTCOME)]
    assert tried == done == {"examined": 1, "created": 1, "skipped": 0, "failed": 0}


async def test_what_fails_leaves_neither_reminder_nor_message_nor_inbox(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions), period="of the past")
    chunk = SendReminders(
        run_id=new_id(),
        chunk=0,
        as_of=reminders_due(day(-3)).as_of,
        invoices=(InvoiceToJudge(invoice_id=invoice["invoice_id"], on=day(-3)),),
    )

    assert await deliver(transactions, router, chunk) != "done"

    assert await count_rows(transactions, reminders) == await count_rows(transactions, reminder_messages) == 0
    assert [said["state"] for said in await of_topic(transactions, OUTCOME)] == ["failed"]
    assert await count_rows(transactions, outbox) == 1
    assert await next_look(transactions, invoice) == date(2026, 12, 1)


async def test_an_invoice_that_cannot_be_decided_is_named_and_stops_no_other(
    transactions: Transactions,
) -> None:
    place = await a_place(transactions)
    bad = await an_invoice(transactions, place, policy=BillingPolicy(jurisdiction="atlantis"))
    await an_invoice(transactions, place)

    assert len(await remind(transactions, day(-3))) == 1

    [outcome] = await of_topic(transactions, OUTCOME)
    assert outcome["counts"] == {"examined": 2, "created": 1, "skipped": 0, "failed": 1}
    assert outcome["problems"][0].startswith(bad["number"])


async def test_the_schedule_waits_for_the_hour_of_the_property_s_day(transactions: Transactions) -> None:
    await agree(transactions, {"reminder_hour": 9})
    place = await a_place(transactions, time_zone="America/Los_Angeles")
    await an_invoice(transactions, place)
    early, late = (datetime(2026, 12, 7, hour, 30, tzinfo=UTC) for hour in (16, 17))

    assert await remind(transactions, day(-3), as_of=early) == []
    assert len(await remind(transactions, day(-3), as_of=late)) == 1


async def test_a_person_may_remind_at_any_hour(transactions: Transactions) -> None:
    await an_invoice(transactions, await a_place(transactions))

    night = datetime(2026, 12, 7, 5, 30, tzinfo=UTC)

    assert len(await remind(transactions, day(-3), as_of=night, origin="manual")) == 1


async def test_whoever_has_a_home_in_two_zones_gets_one_message(transactions: Transactions) -> None:
    ann = new_id()
    east = await an_invoice(transactions, await a_place(transactions), tenant_ids=[ann])
    west = await an_invoice(
        transactions, await a_place(transactions, time_zone="America/Los_Angeles"), tenant_ids=[ann]
    )

    said = await remind(transactions, day(-3), as_of=datetime(2026, 12, 7, 14, 30, tzinfo=UTC))

    assert {item for message in about(said) for item, _ in message} == {
        str(east["invoice_id"]),
        str(west["invoice_id"]),
    }
    assert len(said) == 1


async def test_what_day_it_is_is_decided_at_the_property(transactions: Transactions) -> None:
    there = await an_invoice(transactions, await a_place(transactions, time_zone="Pacific/Honolulu"))
    here = await an_invoice(transactions, await a_place(transactions, time_zone="Europe/Berlin"))

    said = await remind(transactions, day(1), as_of=datetime(2026, 12, 11, 8, 30, tzinfo=UTC))

    assert about(said) == [[(str(here["invoice_id"]), 1)]]
    assert await next_look(transactions, there) == day(1)


async def test_an_invoice_under_a_hold_is_not_reminded_of_until_it_ends(transactions: Transactions) -> None:
    place = await a_place(transactions)
    invoice = await an_invoice(transactions, place)
    await hold(transactions, "property", place, day(-3), day(3))

    said = [await remind(transactions, day(offset)) for offset in (-3, 1, 3, 4)]

    assert [len(found) for found in said] == [0, 0, 0, 1]
    assert about(said[-1]) == [[(str(invoice["invoice_id"]), 1)]]


async def hold(transactions: Transactions, scope: str, scope_id: UUID, start: date, end: date) -> None:
    values = {
        "hold_id": new_id(),
        "scope": scope,
        "scope_id": scope_id,
        "kind": "dispute",
        "starts_on": start,
        "ends_on": end,
        "reason": "talks",
        "placed_by": "ada",
        "placed_at": reminders_due(start).as_of,
    }
    async with transactions.command("test") as tx:
        await tx.connection.execute(sa.insert(holds).values(values))


async def test_a_changed_due_date_begins_the_stages_anew(transactions: Transactions) -> None:
    invoice = await an_invoice(transactions, await a_place(transactions))
    await remind(transactions, day(-3))
    await change(transactions, invoice, due_on=day(5), next_reminder_on=day(-2))

    said = [await remind(transactions, day(offset)) for offset in (-2, -1, 2, 3)]

    assert [[item["stage"] for message in found for item in message["items"]] for found in said] == [
        [],
        [],
        [-3],
        [],
    ]


async def test_turning_reminders_on_covers_open_invoices_and_editing_them_repeats_none(
    transactions: Transactions,
) -> None:
    await set_policy(transactions, {"reminder_stages": []})
    await an_invoice(transactions, await a_place(transactions))
    assert await remind(transactions, day(1)) == []

    await set_policy(transactions, {"reminder_stages": [1, 7]}, on=day(2))
    [said] = await remind(transactions, day(2))
    await set_policy(transactions, {"reminder_stages": [-5, 1, 4]}, on=day(3))
    later = [await remind(transactions, day(offset)) for offset in (3, 4, 7)]

    assert said["items"][0]["stage"] == 1
    assert [[item["stage"] for message in found for item in message["items"]] for found in later] == [
        [],
        [4],
        [],
    ]


async def test_a_policy_that_begins_later_is_not_missed(transactions: Transactions) -> None:
    await set_policy(transactions, {"reminder_stages": [1]})
    await set_policy(transactions, {"reminder_stages": [1, 20]}, on=day(10))
    invoice = await an_invoice(transactions, await a_place(transactions))

    assert len(await remind(transactions, day(1))) == 1
    assert await next_look(transactions, invoice) == day(10)
    assert await remind(transactions, day(10)) == []
    assert [len(await remind(transactions, day(offset))) for offset in (19, 20)] == [0, 1]


async def test_who_pays_by_autopay_is_told_that_they_will_be_charged(transactions: Transactions) -> None:
    place = await a_place(transactions)
    invoice = await an_invoice(transactions, place)
    async with transactions.command("test") as tx:
        await AutopayStore(tx.connection).enrol(
            Enrolment(new_id(), invoice["account_id"], "simulated", "c", "m", date(2026, 1, 1))
        )

    [said] = await remind(transactions, day(-3))
    under_way = await remind(transactions, day(1))

    assert (said["autopay"], said["charge_on"], said["items"][0]["charge_on"]) == (
        True,
        "2026-12-10",
        "2026-12-10",
    )
    assert under_way == []


async def test_stages_that_somebody_asks_for_take_the_place_of_the_policy_s(
    transactions: Transactions,
) -> None:
    place = await a_place(transactions)
    soon = await an_invoice(transactions, place)
    await remind(transactions, day(-9))

    asked = await remind(transactions, day(-5), days_before=5)
    again = await remind(transactions, day(-5), days_before=5)

    assert (about(asked), again) == ([[(str(soon["invoice_id"]), -5)]], [])
    assert await next_look(transactions, soon) == day(-3)
    assert len(await remind(transactions, day(-3))) == 1


async def test_only_the_property_asked_for_is_reminded(transactions: Transactions) -> None:
    here, there = await a_place(transactions), await a_place(transactions)
    wanted = await an_invoice(transactions, here)
    await an_invoice(transactions, there)

    assert about(await remind(transactions, day(-3), property_id=here)) == [[(str(wanted["invoice_id"]), -3)]]


async def test_the_scan_finds_what_is_due_by_its_index(
    transactions: Transactions, databases: TestDatabases
) -> None:
    await an_invoice(transactions, await a_place(transactions))
    async with transactions.engine.begin() as connection:
        await connection.execute(sa.text(others("next_reminder_on", 5_000)))
    await databases.analyze("billing")

    query = due_query({"America/New_York": day(-3)}, None, days_before=None)
    async with transactions.engine.connect() as connection:
        plan = "\n".join([row[0] for row in await connection.execute(Explain(query))])

    assert "ix_invoices_next_reminder_on" in plan
    assert "Seq Scan on invoices" not in plan
