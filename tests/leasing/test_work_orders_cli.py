"""Work orders as somebody types them."""

from datetime import timedelta
from typing import Any

import pytest

from services.leasing.schema import work_orders
from shared.clock import SystemClock
from shared.messaging.transaction import Transactions
from tests.leasing.typed import Run, a_lease, document
from tests.support.messages import count_rows

pytestmark = pytest.mark.servers

NEXT_WEEK = f"{SystemClock().now() + timedelta(days=7):%Y-%m-%d}"


async def an_order(run: Run, *words: str) -> str:
    unit, tenant, _ = await a_lease(run)
    made = await run(
        *("work-orders", "open", "--unit", unit, "--tenant", tenant, "--title", "Kitchen tap drips"), *words
    )
    assert made.exit_code == 0, made.output
    return str(made.stdout.strip())


async def shown(run: Run, number: str) -> Any:
    return document(await run("work-orders", "show", number, "--json"))


async def test_a_work_order_goes_its_way_from_the_command_line(run: Run) -> None:
    number = await an_order(run, "--category", "plumbing", "--priority", "high")
    steps = (
        ("assign", number, "--to", "Rapid Plumbing", "--email", "jobs@rapid.example", "--by", "Olga"),
        ("schedule", number, "--on", NEXT_WEEK, "--from", "9:00", "--to", "12:00"),
        ("note", number, "Ring twice"),
        ("complete", number, "--reason", "New washer"),
        ("reopen", number, "--reason", "It drips again"),
        ("cancel", number, "--reason", "The tenant mended it"),
    )

    for words in steps:
        result = await run("work-orders", *words)
        assert result.exit_code == 0, (words, result.output)

    found = await shown(run, number)
    assert (found["state"], found["version"], found["possible"]) == ("cancelled", 6, ["reopen"])
    assert [entry["action"] for entry in found["history"]] == [
        *("opened", "assigned", "scheduled", "noted", "completed", "reopened", "cancelled"),
    ]
    assert found["history"][1]["by"] == "Olga"


async def test_one_is_found_by_its_number_in_any_case_and_by_its_id(run: Run) -> None:
    number = await an_order(run)
    identity = (await shown(run, number))["id"]

    by_number, by_id = await shown(run, number.lower()), await shown(run, identity)

    assert by_number == by_id


async def test_the_list_has_what_is_not_finished_and_the_most_urgent_first(run: Run) -> None:
    number = await an_order(run)
    place = (await shown(run, number))["property_id"]
    for title, priority in (("Gate", "low"), ("Gas smell", "emergency"), ("Lamp", "normal")):
        await run("work-orders", "open", "--property", place, "--title", title, "--priority", priority)
    await run("work-orders", "complete", number)

    listed = document(await run("work-orders", "list", "--json"))
    everything = document(await run("work-orders", "list", "--all", "--json"))
    done = document(await run("work-orders", "list", "--state", "done", "--json"))

    assert [row["title"] for row in listed] == ["Gas smell", "Lamp", "Gate"]
    assert [row["title"] for row in everything][3:] == ["Kitchen tap drips"]
    assert [row["number"] for row in done] == [number]


async def test_the_list_is_narrowed_by_assignee_unit_and_reporter(run: Run) -> None:
    number = await an_order(run)
    one = await shown(run, number)
    await run("work-orders", "open", "--property", one["property_id"], "--title", "Gate")
    await run("work-orders", "assign", number, "--to", "Rapid Plumbing", "--email", "jobs@rapid.example")

    for words in (
        ("--assignee", "JOBS@rapid.example"),
        ("--assignee", "rapid plumbing"),
        ("--unit", one["unit_id"]),
        ("--tenant", one["reported_by"]),
        ("--state", "assigned", "--property", one["property_id"]),
    ):
        listed = document(await run("work-orders", "list", *words, "--json"))
        assert [row["number"] for row in listed] == [number], words


async def test_people_read_tables_with_times_at_the_property(run: Run) -> None:
    number = await an_order(run, "--description", "Under the sink")
    await run("work-orders", "assign", number, "--to", "Rapid Plumbing")
    await run("work-orders", "schedule", number, "--on", NEXT_WEEK, "--from", "09:00", "--to", "12:00")

    listed, one = await run("work-orders", "list"), await run("work-orders", "show", number)

    assert f"{NEXT_WEEK} 09:00 to 12:00" in listed.stdout
    assert "Under the sink" in one.stdout
    assert "assignee name: none -> Rapid Plumbing" in one.stdout
    assert "possible     change, assign, unassign, schedule, complete, cancel, note" in one.stdout


async def test_a_dry_run_opens_and_moves_nothing(run: Run, transactions: Transactions) -> None:
    number = await an_order(run)
    place = (await shown(run, number))["property_id"]

    opened = await run("work-orders", "open", "--property", place, "--title", "Gate", "--dry-run")
    done = await run("work-orders", "complete", number, "--dry-run")

    assert (opened.exit_code, done.exit_code) == (0, 0)
    assert "Dry run: nothing was written." in done.output
    assert await count_rows(transactions, work_orders) == 1
    assert (await shown(run, number))["state"] == "open"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("schedule", "{}", "--on", NEXT_WEEK, "--from", "9:00", "--to", "12:00"),
            1,
            "is open: you cannot schedule",
        ),
        (("schedule", "{}", "--on", NEXT_WEEK, "--from", "9", "--to", "12:00"), 2, "from '9' is not a time"),
        (
            ("schedule", "{}", "--on", "2020-01-01", "--from", "9:00", "--to", "9:00"),
            2,
            "to 09:00 is not after",
        ),
        (("cancel", "{}", "--reason", " "), 2, "reason is missing"),
        (("cancel", "{}"), 2, "--reason"),
        (("assign", "{}", "--to", "Bo", "--email", "nobody"), 2, "email 'nobody' is not an address"),
        (("change", "{}", "--priority", "now"), 2, "priority 'now' is none of emergency"),
        (("complete", "WO-1999-000001"), 2, "There is no work order WO-1999-000001. See"),
        (("open", "--title", "Gate"), 2, "property is missing"),
        (("list", "--state", "broken"), 2, "state 'broken' is none of open"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(
    run: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    number = await an_order(run)

    result = await run("work-orders", *(word.format(number) for word in words))

    assert result.exit_code == code
    assert said in result.output
