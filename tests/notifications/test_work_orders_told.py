"""What tenants and the office hear of work orders, and what of it is not sent because it is old news."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.notifications.handlers import events
from services.notifications.store import groups
from shared.contracts.leasing import WorkOrderChanged, WorkOrderFact, WorkOrderOpened
from shared.identity import new_id
from tests.notifications.office import Office, a_tenant
from tests.notifications.test_new_facts import states

pytestmark = pytest.mark.servers

STEPS = {
    "opened": ("work_order_opened", "open"),
    "assigned": (None, "assigned"),
    "amended": (None, "open"),
    "unassigned": (None, "open"),
    "scheduled": ("work_order_appointment", "scheduled"),
    "rescheduled": ("work_order_appointment", "scheduled"),
    "called_off": ("work_order_appointment", "open"),
    "completed": ("work_order_closed", "done"),
    "cancelled": ("work_order_closed", "cancelled"),
    "reopened": ("work_order_opened", "open"),
    "republished": (None, "done"),
}


def a_step(change: str, *tenant_ids: UUID, version: int = 1, **fields: Any) -> WorkOrderFact:
    """A fact of a work order; an appointment lies far ahead."""
    contract = WorkOrderOpened if change == "opened" else WorkOrderChanged
    given: dict[str, Any] = {
        "work_order_id": new_id(),
        "version": version,
        "number": "WO-2026-000123",
        "property_id": new_id(),
        "tenant_ids": tenant_ids,
        "time_zone": "America/New_York",
        "title": "Kitchen tap drips",
        "category": "plumbing",
        "priority": "high",
        "state": STEPS[change][1],
        "change": change,
        "occurred_at": datetime(2026, 9, 1, 15, tzinfo=UTC),
    }
    if STEPS[change][1] == "scheduled":
        given["scheduled_from"] = datetime(2099, 9, 3, 13, tzinfo=UTC)
        given["scheduled_until"] = datetime(2099, 9, 3, 16, tzinfo=UTC)
    return contract(**given | fields)


@pytest.mark.parametrize(
    ("change", "template"), [(change, template) for change, (template, _) in STEPS.items()]
)
async def test_each_step_tenants_care_for_is_told_once_and_the_others_never(
    office: Office, change: str, template: str | None
) -> None:
    ann = a_tenant()
    fact = a_step(change, ann.tenant_id, version=3)

    await office.hear(ann, fact, fact)

    assert [row["template"] for row in await office.told()] == ([template] if template else [])


async def test_an_appointment_is_read_in_the_property_s_time_and_the_tenant_s_language(
    office: Office,
) -> None:
    ann = a_tenant(locale="es")
    await office.hear(ann, a_step("scheduled", ann.tenant_id, reason="Quite la ropa"))

    await office.make_due()
    await office.send_once()

    [message] = office.mail_server.messages
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "No antes de: jue 3 sept, 09:00" in text
    assert "WO-2026-000123" in str(message["subject"])
    assert "Nota: Quite la ropa" in text


async def test_two_appointments_are_two_messages_and_the_first_is_dropped_where_it_waits(
    office: Office,
) -> None:
    ann, order = a_tenant(), new_id()

    await office.hear(
        ann,
        a_step("scheduled", ann.tenant_id, work_order_id=order, version=3),
        a_step("rescheduled", ann.tenant_id, work_order_id=order, version=4),
    )
    for _ in range(2):
        await office.make_due()
        await office.send_once()

    assert sorted(await states(office, "work_order_appointment"), key=str) == [
        ("canceled", "work_order_changed"),
        ("sent", None),
    ]
    assert len(office.mail_server.messages) == 1


async def test_what_arrives_after_newer_news_is_not_told(office: Office) -> None:
    ann, order = a_tenant(), new_id()
    done = a_step("completed", ann.tenant_id, work_order_id=order, version=4)
    opened = a_step("opened", ann.tenant_id, work_order_id=order)

    await office.hear(ann, done, opened)

    assert await states(office, "work_order_opened") == [("canceled", "work_order_changed")]
    assert [state for state, _ in await states(office, "work_order_closed")] == ["queued"]


async def test_a_step_nobody_is_told_of_drops_no_message(office: Office) -> None:
    ann, order = a_tenant(), new_id()
    await office.hear(ann, a_step("opened", ann.tenant_id, work_order_id=order))
    await office.hear(a_step("assigned", ann.tenant_id, work_order_id=order, version=2))

    await office.make_due()
    await office.send_once()

    assert await states(office, "work_order_opened") == [("sent", None)]


async def test_an_appointment_that_has_gone_by_is_not_announced(office: Office) -> None:
    ann, now = a_tenant(), office.transactions.clock.now()
    gone = a_step(
        "scheduled",
        ann.tenant_id,
        scheduled_from=now - timedelta(hours=3),
        scheduled_until=now - timedelta(seconds=1),
    )

    await office.hear(ann, gone)

    assert [reason for _, reason in await states(office, "work_order_appointment")] == ["expired"]


async def test_an_appointment_is_told_whoever_switched_maintenance_off(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann)
    async with office.transactions.command("wish") as tx:
        await tx.connection.exec_driver_sql(
            f"insert into preferences values ('{ann.tenant_id}', 'maintenance', 'email', false, now())"
        )

    await office.hear(a_step("scheduled", ann.tenant_id), a_step("completed", ann.tenant_id))

    assert [state for state, _ in await states(office, "work_order_appointment")] == ["queued"]
    assert [reason for _, reason in await states(office, "work_order_closed")] == ["category_off"]


async def test_the_office_can_subscribe_to_every_step(office: Office) -> None:
    async with office.transactions.command("office") as tx:
        olga = await groups.add_contact(tx.connection, tx.at, name="Olga", email="olga@example.com")
        group = await groups.add_group(tx.connection, "Maintenance", tx.at)
        assert group is not None
        await groups.add_member(tx.connection, group, olga)
        for event in ("work_order_opened", "work_order_changed"):
            await groups.subscribe(tx.connection, group, event, [])

    order = new_id()
    await office.hear(
        *(a_step(change, work_order_id=order, version=version) for version, change in enumerate(STEPS, 1))
    )

    assert {"work_order_opened", "work_order_changed"} <= set(events())
    assert len([row for row in await office.told() if row["template"] == "office"]) == len(STEPS) - 1
