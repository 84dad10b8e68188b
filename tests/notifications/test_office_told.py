"""What the office reads of a thing: the place and the people, and no id of a lease or a person."""

import re
from uuid import UUID

import pytest

from shared.contracts.base import Message
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.test_new_facts import a_reminder, an_item, an_overdue, staff_of
from tests.support.builders import a_lease, a_property

pytestmark = pytest.mark.servers

AN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


async def a_home(office: Office) -> dict[str, UUID]:
    """Two tenants who live in unit 2B of Oak House."""
    home = a_property(name="Oak House")
    ann, bob = a_tenant(), a_tenant(name="Bob Example", email="bob@example.com")
    lease = a_lease(
        property_id=home.property_id, tenant_ids=(bob.tenant_id, ann.tenant_id), unit_label="2B", version=3
    )
    await office.hear(home, ann, bob, lease)
    return {"property_id": home.property_id, "lease_id": lease.lease_id, "tenant_id": ann.tenant_id}


async def desk_reads(office: Office, event: str, about: Message) -> tuple[str, str]:
    """Subject and text of the mail that the desk gets of a message."""
    await staff_of(office, event, email="desk@example.com")
    await office.hear(about)
    await office.change_emails(next_attempt_at=office.transactions.clock.now())
    for row in await office.emails():
        if row["state"] == "queued":
            await office.send_once()
    [mail] = [item for item in office.mail_server.messages if item["To"] == "desk@example.com"]
    body = mail.get_body(("plain",))
    assert body is not None
    return mail["Subject"], body.get_content().replace("\r\n", "\n")


async def test_the_office_reads_unit_property_and_tenants_of_a_lease(office: Office) -> None:
    home = await a_home(office)
    place = {name: home[name] for name in ("property_id", "lease_id")}

    subject, text = await desk_reads(office, "invoice_overdue", an_overdue(home["tenant_id"], **place))

    assert subject == "Invoice overdue: INV-2026-000123, Oak House, 2B"
    assert "  Property: Oak House\n  Unit: 2B\n  Tenants: Ann Example, Bob Example\n" in text
    assert AN_ID.search(text) is None


async def test_a_lease_that_leasing_has_not_told_of_yet_is_named_by_no_id(office: Office) -> None:
    _, text = await desk_reads(office, "invoice_overdue", an_overdue(a_tenant().tenant_id))

    assert "INV-2026-000123" in text
    assert AN_ID.search(text) is None


async def test_whom_a_message_is_about_is_named(office: Office) -> None:
    home = await a_home(office)
    reminder = a_reminder(home["tenant_id"], an_item())

    _, text = await desk_reads(office, "payment_reminder_due", reminder)

    assert "  Tenant: Ann Example\n" in text


async def test_who_cannot_be_reached_is_named(office: Office) -> None:
    await office.hear(nobody := a_tenant(name="Cid Example", email=None))

    _, text = await desk_reads(office, "contact_unreachable", an_invoice(nobody.tenant_id))

    assert "  Tenant: Cid Example\n" in text
    assert AN_ID.search(text) is None


async def test_a_lease_that_was_kept_without_its_unit_gets_it_when_it_is_said_again(office: Office) -> None:
    lease = a_lease(unit_label="2B", version=3)
    await office.hear(lease)
    async with office.transactions.engine.begin() as connection:
        await connection.exec_driver_sql("update leases set unit_label = null")

    await office.hear(lease.model_copy(update={"version": 2, "unit_label": "old"}), lease)

    async with office.transactions.engine.connect() as connection:
        [row] = await connection.exec_driver_sql("select unit_label, version from leases")
    assert tuple(row) == ("2B", 3)
