"""Cleaning up forgets what was said and by which way, and never that it was said."""

from typing import Any

import pytest
import sqlalchemy as sa

from services.notifications.handlers import router
from services.notifications.rendering import Templates
from services.notifications.schema import deliveries, delivery_history, notifications
from services.notifications.store import groups, inbox
from services.notifications.texting import rendered_row
from shared.clock import SystemClock
from shared.contracts.scheduler import TriggerOutcome
from shared.contracts.weather import WeatherAlertCleared, WeatherAlertRaised
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.test_new_facts import a_reminder, an_alert, an_item, an_overdue, at_home, paid, rows
from tests.support.cleaning import clean
from tests.support.messages import count_rows

pytestmark = pytest.mark.servers

FORTY_DAYS_LATER = (
    "update notifications set created_at = created_at - interval '40 days'",
    "update delivery_history set at = at - interval '40 days'",
    "update deliveries set updated_at = updated_at - interval '40 days'",
)


async def settle_and_age(office: Office) -> None:
    """Everything that waits was sent, and forty days go by."""
    async with office.transactions.engine.begin() as connection:
        await connection.execute(sa.text("update deliveries set state = 'sent' where state = 'queued'"))
        for statement in FORTY_DAYS_LATER:
            await connection.execute(sa.text(statement))


async def cleaned(office: Office, **changes: Any) -> TriggerOutcome:
    outcome, _ = await clean(office.transactions, router, SystemClock().now(), **changes)
    return outcome


async def archive_all(office: Office) -> None:
    async with office.transactions.engine.begin() as connection:
        await connection.execute(
            sa.text("update deliveries set archived_at = now() where channel = 'in_app'")
        )


async def test_what_was_cleaned_up_is_not_said_again(office: Office) -> None:
    ann, reminder = a_tenant(), a_reminder((ann_id := a_tenant()).tenant_id, an_item())
    invoice = an_invoice(ann.tenant_id)
    await office.hear(ann, ann_id, invoice, reminder)
    await settle_and_age(office)
    await archive_all(office)

    await cleaned(office)
    await office.hear(invoice, reminder)

    assert await count_rows(office.transactions, deliveries) == 0
    assert [row["context"] for row in await office.told()] == [{}, {}]


async def test_a_second_run_finds_nothing(office: Office) -> None:
    await office.queue_email()
    await settle_and_age(office)
    await archive_all(office)

    first, second = await cleaned(office), await cleaned(office)

    assert {kind: counts["removed"] for kind, counts in first.parts.items() if counts["removed"]} == {
        "texts": 1,
        "deliveries": 2,
    }
    assert second.counts["removed"] == second.counts["examined"] == 0
    assert await count_rows(office.transactions, delivery_history) == 0


async def test_what_lies_in_somebodys_inbox_stays_readable(office: Office) -> None:
    ann = await office.queue_email()
    await settle_and_age(office)

    outcome = await cleaned(office)

    async with office.transactions.engine.connect() as connection:
        [message] = await inbox.messages(connection, ann.tenant_id, limit=5)
    assert "INV-2026-000123" in rendered_row(Templates(), message, SystemClock().now()).subject
    assert outcome.parts["deliveries"] == {"examined": 2, "removed": 1, "kept": 1}
    assert outcome.parts["texts"]["kept"] == 1


async def test_what_is_under_way_stays_however_old(office: Office) -> None:
    await office.queue_email()
    async with office.transactions.engine.begin() as connection:
        for statement in FORTY_DAYS_LATER:
            await connection.execute(sa.text(statement))

    await cleaned(office)

    assert [row["state"] for row in await office.emails()] == ["queued"]


async def test_who_was_warned_still_hears_the_all_clear(office: Office) -> None:
    _, place = await at_home(office)
    raised = an_alert(WeatherAlertRaised, place)
    await office.hear(raised)
    await settle_and_age(office)
    await archive_all(office)

    await cleaned(office)
    await office.hear(an_alert(WeatherAlertCleared, place, incident_id=raised.incident_id, revision=2))

    assert len(await rows(office, "weather_cleared", "in_app")) == 1


async def test_who_owes_stays_in_the_group_of_those_who_owe(office: Office) -> None:
    ann, bob = a_tenant(), a_tenant()
    owed, settled = an_overdue(ann.tenant_id), an_overdue(bob.tenant_id)
    await office.hear(ann, bob, owed, settled, paid(settled.invoice_id))
    await settle_and_age(office)
    await archive_all(office)

    await cleaned(office)

    async with office.transactions.engine.connect() as connection:
        assert [item.tenant_id for item in await groups.tenants_overdue(connection)] == [ann.tenant_id]
        contexts = await connection.scalars(sa.select(notifications.c.context))
        assert sorted(bool(context) for context in contexts) == [False, True]


async def test_failures_only_forgets_the_deliveries_that_failed(office: Office) -> None:
    await office.queue_email()
    await settle_and_age(office)
    async with office.transactions.engine.begin() as connection:
        await connection.execute(
            sa.text("update deliveries set state = 'failed_permanent' where channel = 'email'")
        )

    outcome = await cleaned(office, failures_only=True)

    assert outcome.parts["deliveries"] == {"examined": 1, "removed": 1, "kept": 0}
    assert await office.emails() == []
