"""Reminders as an operator sends and explains them."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.clock import SystemClock, local_date
from tests.billing.office import Office
from tests.billing.reminding import REMINDER, a_place, an_invoice, remind
from tests.billing.runs import agree, of_topic

NOWHERE = "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80"
SEND = "send-payment-reminders"


def today() -> date:
    return local_date(SystemClock().now(), "America/New_York")


@pytest.fixture
async def invoice(office: Office) -> dict[str, Any]:
    """Overdue by eight days; nobody was reminded of it yet."""
    place = await a_place(office.transactions)
    due_on = today() - timedelta(days=8)
    return await an_invoice(
        office.transactions,
        place,
        number="INV-2026-000001",
        due_on=due_on,
        issued_on=due_on - timedelta(days=20),
        next_reminder_on=due_on - timedelta(days=20),
    )


async def test_a_dry_run_shows_what_the_real_run_does_and_writes_nothing(
    office: Office, invoice: Any
) -> None:
    before = await office.rows()

    dry = await office.run(SEND, "--dry-run", "--json")
    between = await office.rows()
    real = await office.run(SEND, "--json")

    assert dry.code == real.code == 0
    assert before == between
    assert {**dry.json, "dry_run": None} == {**real.json, "dry_run": None}
    assert [(item["stage"], item["collapsed"]) for item in real.json["reminders"]] == [(7, [-3, -1, 1])]
    assert len(await of_topic(office.transactions, REMINDER)) == real.json["messages"] == 1


async def test_a_second_run_says_that_there_is_nothing_to_do(office: Office, invoice: Any) -> None:
    await office.do(SEND)

    again = await office.do("send_payment_reminders")

    assert again.code == 0
    assert "Nothing to do" in again.err


async def test_without_a_broker_reminders_are_decided_and_leave_when_there_is_one(
    office: Office, invoice: Any
) -> None:
    office.environment["PROPMAN_RABBITMQ_URL"] = "amqp://127.0.0.1:9"

    ran = await office.do(SEND)

    assert ran.code == 0
    assert (await office.rows())["outbox"] == (await office.rows())["reminder_messages"] == 1


async def test_stages_can_be_asked_for(office: Office, invoice: Any) -> None:
    early = await office.do(SEND, "--days-after", "9", "--json")
    now = await office.do(SEND, "--days-before", "3", "--days-after", "8", "--json")

    assert early.json["reminders"] == []
    assert [item["stage"] for item in now.json["reminders"]] == [8]


async def test_what_was_looked_at_and_left_out_is_counted_with_its_reason(
    office: Office, invoice: Any
) -> None:
    found = await office.do(SEND, "--days-before", "3", "--dry-run", "--json")
    words = await office.do(SEND, "--days-before", "3", "--dry-run")

    assert sum(found.json["left_out"].values()) == found.json["examined"] == 1
    assert "Left out: 1 " in words.err
    assert "explain reminder" in words.err


async def test_enqueue_publishes_the_trigger_and_reminds_nobody_itself(office: Office, invoice: Any) -> None:
    ran = await office.do(SEND, "--enqueue", "--days-after", "8", "--json")

    [trigger] = await of_topic(office.transactions, "scheduler.payment_reminders_due.v1")
    assert (trigger["occurrence_id"], trigger["days_after"]) == (ran.json["occurrence_id"], 8)
    assert (await office.rows())["reminders"] == 0


async def test_explain_says_what_was_sent_what_became_part_of_it_and_what_comes(office: Office) -> None:
    place = await a_place(office.transactions)
    await an_invoice(office.transactions, place, number="INV-2026-000001", issued_on=date(2026, 12, 7))
    await remind(office.transactions, date(2026, 12, 18))

    told = (await office.do("explain", "reminder", "INV-2026-000001", "--on", "2026-12-19", "--json")).json

    assert [(item["stage"], item["day"], item["state"], item["reason"]) for item in told["stages"]] == [
        (-3, "2026-12-18", "dropped", "the invoice itself came on that day or later"),
        (-1, "2026-12-18", "collapsed", "into 7"),
        (1, "2026-12-18", "collapsed", "into 7"),
        (7, "2026-12-18", "sent", None),
        (30, "2027-01-09", "to come", None),
    ]
    assert told["next_on"] == "2027-01-09"


@pytest.mark.parametrize(
    ("on", "changes", "answer"),
    [
        ("2026-12-07", {}, "Stage -3 is due: its tenants are told by the next run."),
        ("2026-12-02", {}, "Nothing is due; the next look is on 2026-12-07."),
        ("2026-12-07", {"state": "void"}, "Nothing is sent: the invoice is void."),
        ("2026-12-07", {"state": "paid", "paid_cents": 150_000}, "Nothing is sent: nothing is owed on it."),
    ],
)
async def test_explain_says_why_and_why_not(
    office: Office, on: str, changes: dict[str, Any], answer: str
) -> None:
    await an_invoice(
        office.transactions, await a_place(office.transactions), number="INV-2026-000001", **changes
    )

    told = await office.do("explain", "reminder", "INV-2026-000001", "--on", on)

    assert answer in told.out


async def test_explain_says_that_a_policy_has_no_reminders(office: Office) -> None:
    await agree(office.transactions, {"reminder_stages": []})
    await an_invoice(office.transactions, await a_place(office.transactions), number="INV-2026-000001")

    told = await office.do("explain", "reminder", "INV-2026-000001", "--on", "2026-12-07")

    assert "Nothing is sent: every stage of its policy is decided." in told.out
    assert "Its policy has no reminders." in told.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((SEND, "--days-before", "-1"), 2, "--days-before"),
        ((SEND, "--days-after", "soon"), 2, "--days-after"),
        ((SEND, "--property", NOWHERE), 2, f"Billing knows no property {NOWHERE}."),
        (("explain", "reminder", "INV-1"), 2, "There is no invoice 'INV-1'."),
        (("explain", "reminder", "INV-1", "--on", "then"), 2, "'then' is not a date."),
    ],
)
async def test_bad_input_gets_one_readable_answer(
    office: Office, words: tuple[str, ...], code: int, sentence: str
) -> None:
    ran = await office.do(*words)

    assert (ran.code, "Traceback" in ran.err) == (code, False)
    assert sentence in " ".join(ran.err.split())
