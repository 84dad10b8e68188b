"""What each order about a work order does, what others hear of it, and what the history keeps."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from services.leasing import handlers
from services.leasing.domain.leases import Lease
from services.leasing.domain.refusals import Invalid, NotPossible, Refusal, Unknown
from services.leasing.domain.work_orders import Assignee, Decision, WorkOrder, WorkOrderDetails
from services.leasing.handlers import Report
from services.leasing.schema import work_order_history, work_orders
from services.leasing.store import work_orders as store
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.leasing.orders import a_lease, a_property, a_tenant, do, terms
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers

MAY = datetime(2026, 5, 4, 15, tzinfo=UTC)
RAPID = Assignee("Rapid Plumbing", "jobs@rapid.example")


def by(reason: str | None = None, *, hours: float | None = 0) -> Decision:
    """Olga's word, so many hours after that day in May; None is now."""
    return Decision("Olga", reason, None if hours is None else MAY + timedelta(hours=hours))


def a_report(**values: Any) -> Report:
    return Report(**{"details": WorkOrderDetails(title="Kitchen tap drips", category="plumbing")} | values)


async def opened(transactions: Transactions, decision: Decision | None = None, **values: Any) -> WorkOrder:
    found = await do(transactions, handlers.open_work_order, a_report(**values), decision or by())
    assert isinstance(found.order, WorkOrder)
    return found.order


async def said(transactions: Transactions) -> list[dict[str, Any]]:
    """What was said of work orders, with the topic's own word."""
    return [
        fact | {"topic": topic}
        for topic, fact in await emitted(transactions)
        if topic.startswith("leasing.work_order_")
    ]


async def history(transactions: Transactions, order: WorkOrder) -> list[store.Entry]:
    async with transactions.engine.connect() as connection:
        return await store.history_of(connection, order.id)


async def through_all(transactions: Transactions, order: WorkOrder) -> None:
    await do(transactions, handlers.assign_work_order, order.id, RAPID, by(hours=1))
    hours = (time(9), time(12))
    await do(transactions, handlers.schedule_work_order, order.id, date(2026, 5, 6), hours, by(hours=2))
    await do(transactions, handlers.complete_work_order, order.id, by("New washer", hours=50))


async def test_an_opened_work_order_is_announced_to_the_unit_s_tenants(transactions: Transactions) -> None:
    lease = await a_lease(transactions)

    order = await opened(transactions, unit_id=lease.unit_id)

    [fact] = await said(transactions)
    assert (fact["topic"], fact["work_order_id"]) == ("leasing.work_order_opened.v1", str(order.id))
    assert (fact["number"], fact["version"], fact["change"]) == ("WO-2026-000001", 1, "opened")
    assert (fact["property_id"], fact["unit_label"]) == (str(lease.property_id), "1A")
    assert fact["tenant_ids"] == [str(lease.tenant_ids[0])]
    assert (fact["occurred_at"], fact["time_zone"]) == ("2026-05-04T15:00:00Z", "America/New_York")


async def test_a_whole_story_is_said_with_versions_and_kept_line_by_line(transactions: Transactions) -> None:
    lease = await a_lease(transactions)
    order = await opened(transactions, unit_id=lease.unit_id)

    await through_all(transactions, order)

    facts = await said(transactions)
    assert [(fact["version"], fact["change"], fact["state"]) for fact in facts] == [
        (1, "opened", "open"),
        (2, "assigned", "assigned"),
        (3, "scheduled", "scheduled"),
        (4, "completed", "done"),
    ]
    assert facts[2]["scheduled_from"] == "2026-05-06T13:00:00Z"
    kept = await history(transactions, order)
    assert [(entry.action, entry.by, entry.version) for entry in kept] == [
        ("opened", "Olga", 1),
        ("assigned", "Olga", 2),
        ("scheduled", "Olga", 3),
        ("completed", "Olga", 4),
    ]
    assert kept[1].changes["assignee_name"] == [None, "Rapid Plumbing"]
    assert (kept[3].at, kept[3].reason) == (MAY + timedelta(hours=50), "New washer")


async def test_taking_it_from_somebody_calls_an_appointment_off_and_is_else_the_office_s_business(
    transactions: Transactions,
) -> None:
    order = await opened(transactions, property_id=(await a_property(transactions)).id)
    await do(transactions, handlers.assign_work_order, order.id, RAPID, by(hours=1))
    await do(transactions, handlers.unassign_work_order, order.id, by("Too slow", hours=2))
    await do(transactions, handlers.assign_work_order, order.id, RAPID, by(hours=3))
    hours = (time(9), time(12))
    await do(transactions, handlers.schedule_work_order, order.id, date(2026, 5, 6), hours, by(hours=4))

    await do(transactions, handlers.unassign_work_order, order.id, by("He is ill", hours=5))

    facts = [fact for fact in await said(transactions) if fact["change"] in {"unassigned", "called_off"}]
    assert [(fact["change"], fact["reason"], fact["scheduled_from"]) for fact in facts] == [
        ("unassigned", None, None),
        ("called_off", "He is ill", None),
    ]


async def test_no_fact_names_a_contractor_a_note_or_a_remark_of_the_office(
    transactions: Transactions,
) -> None:
    lease = await a_lease(transactions)
    details = WorkOrderDetails(title="Tap", description="Key is with Zoe Zimmer")
    order = await opened(transactions, unit_id=lease.unit_id, details=details)

    await do(transactions, handlers.assign_work_order, order.id, RAPID, by("Zoe knows him", hours=1))
    await do(transactions, handlers.note_on_work_order, order.id, by("Zoe called", hours=2))

    text = str(await said(transactions))
    assert not any(word in text for word in ("Rapid", "rapid.example", "Zoe"))
    assert [entry.action for entry in await history(transactions, order)] == ["opened", "assigned", "noted"]


async def test_who_reported_it_is_told_beside_the_unit_s_tenants_while_they_live_here(
    transactions: Transactions,
) -> None:
    lease = await a_lease(transactions)
    neighbour, stranger = await a_tenant(transactions, "bob"), await a_tenant(transactions, "cy")
    unit = await do(transactions, handlers.add_unit, lease.property_id, "2A")
    await do(transactions, handlers.sign_lease, unit.id, [neighbour.id], terms())

    await opened(transactions, unit_id=lease.unit_id, reported_by=neighbour.id)
    await opened(transactions, unit_id=lease.unit_id, reported_by=stranger.id)
    await opened(transactions, property_id=lease.property_id, reported_by=neighbour.id)

    told = [set(fact["tenant_ids"]) for fact in await said(transactions)]
    both = {str(lease.tenant_ids[0]), str(neighbour.id)}
    assert told == [both, {str(lease.tenant_ids[0])}, {str(neighbour.id)}]


@pytest.mark.parametrize(("day", "told"), [(1, 0), (2, 1), (4, 1), (5, 0)])
async def test_those_are_told_who_have_the_unit_on_the_day_at_its_place(
    transactions: Transactions, day: int, told: int
) -> None:
    lease = await a_lease(transactions, terms("2026-05-02", "2026-05-04"))
    late_that_day_in_new_york = datetime(2026, 5, day + 1, 3, 30, tzinfo=UTC)

    await opened(transactions, Decision("Olga", None, late_that_day_in_new_york), unit_id=lease.unit_id)

    [fact] = await said(transactions)
    assert len(fact["tenant_ids"]) == told


async def test_tenants_of_a_lease_that_rolls_over_are_told_after_its_agreed_end(
    transactions: Transactions,
) -> None:
    lease: Lease = await a_lease(transactions, terms("2025-01-01", "2025-12-31", rolls_over=True))

    await opened(transactions, unit_id=lease.unit_id)

    [fact] = await said(transactions)
    assert fact["tenant_ids"] == [str(lease.tenant_ids[0])]


async def test_the_same_reference_again_opens_and_says_nothing(transactions: Transactions) -> None:
    place = await a_property(transactions)
    first = await opened(transactions, property_id=place.id, reference="portal-17")

    again = await do(
        transactions, handlers.open_work_order, a_report(property_id=place.id, reference="portal-17"), by()
    )

    assert (again.order, again.repeated) == (first, True)
    assert len(await said(transactions)) == len(await history(transactions, first)) == 1


async def test_two_who_open_under_one_reference_at_once_open_one(transactions: Transactions) -> None:
    place = await a_property(transactions)
    report = a_report(property_id=place.id, reference="portal-17")

    ended = await asyncio.gather(
        *(do(transactions, handlers.open_work_order, report, by()) for _ in range(4)), return_exceptions=True
    )

    assert await count_rows(transactions, work_orders) == 1
    assert all(not isinstance(item, BaseException) or isinstance(item, Refusal) for item in ended)


async def test_numbers_are_counted_by_the_year_at_the_property_without_a_gap(
    transactions: Transactions,
) -> None:
    place = await a_property(transactions)
    new_year_in_london = datetime(2027, 1, 1, 2, tzinfo=UTC)

    with pytest.raises(Unknown):
        await opened(transactions, property_id=place.id, reported_by=new_id())
    old = await opened(transactions, Decision("Olga", at=new_year_in_london), property_id=place.id)
    new = await opened(
        transactions, Decision("Olga", at=new_year_in_london + timedelta(hours=4)), property_id=place.id
    )

    assert (old.number, new.number) == ("WO-2026-000001", "WO-2027-000001")


async def test_eight_who_open_at_once_get_eight_numbers(transactions: Transactions) -> None:
    place = await a_property(transactions)

    found = await asyncio.gather(*(opened(transactions, property_id=place.id) for _ in range(8)))

    assert sorted(order.number for order in found) == [f"WO-2026-00000{n}" for n in range(1, 9)]


async def test_of_two_who_finish_it_at_once_one_is_refused(transactions: Transactions) -> None:
    order = await opened(transactions, property_id=(await a_property(transactions)).id)

    ended = await asyncio.gather(
        do(transactions, handlers.complete_work_order, order.id, by(hours=None)),
        do(transactions, handlers.cancel_work_order, order.id, by("not needed", hours=None)),
        return_exceptions=True,
    )

    assert [type(item) for item in ended if isinstance(item, BaseException)] == [NotPossible]
    assert [entry.action for entry in await history(transactions, order)][1:] in (
        ["completed"],
        ["cancelled"],
    )


async def test_a_change_to_nothing_says_and_keeps_nothing(transactions: Transactions) -> None:
    order = await opened(transactions, property_id=(await a_property(transactions)).id)

    after = await do(transactions, handlers.change_work_order, order.id, by(hours=1), priority="normal")

    assert after == order
    assert len(await said(transactions)) == len(await history(transactions, order)) == 1


async def test_a_clock_that_is_a_little_behind_refuses_nothing(transactions: Transactions) -> None:
    ahead = transactions.clock.now() + timedelta(seconds=2)
    order = await opened(
        transactions, Decision("Olga", at=ahead), property_id=(await a_property(transactions)).id
    )

    after = await do(transactions, handlers.complete_work_order, order.id, by(hours=None))

    assert (after.state, after.closed_at) == ("done", ahead)


@pytest.mark.parametrize("missing", ["unit", "property", "both", "elsewhere"])
async def test_a_work_order_is_somewhere(transactions: Transactions, missing: str) -> None:
    lease = await a_lease(transactions)
    other = await a_property(transactions, "Oak House")
    places: dict[str, dict[str, Any]] = {
        "unit": {"unit_id": new_id()},
        "property": {"property_id": new_id()},
        "both": {},
        "elsewhere": {"unit_id": lease.unit_id, "property_id": other.id},
    }

    with pytest.raises((Unknown, Invalid)):
        await opened(transactions, **places[missing])

    assert await count_rows(transactions, work_orders) == 0


async def test_the_history_is_only_added_to_whoever_asks(transactions: Transactions) -> None:
    await opened(transactions, property_id=(await a_property(transactions)).id)

    with pytest.raises(DBAPIError, match="only ever added to"):
        async with transactions.engine.begin() as connection:
            await connection.execute(sa.update(work_order_history).values(by="Nobody"))


async def test_everything_is_said_again_with_unchanged_versions_and_as_no_news(
    transactions: Transactions,
) -> None:
    lease = await a_lease(transactions)
    order = await opened(transactions, unit_id=lease.unit_id)
    await through_all(transactions, order)
    before = len(await said(transactions))

    page = await do(transactions, handlers.REPUBLISHED["work orders"])

    [fact] = (await said(transactions))[before:]
    assert page.count == 1
    assert (fact["topic"], fact["change"], fact["version"]) == (
        "leasing.work_order_changed.v1",
        "republished",
        4,
    )
    assert fact["tenant_ids"] == [str(lease.tenant_ids[0])]
