"""What tenants and the office hear of money and weather, and what is not said because it is not true any more."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.notifications.domain.deliveries import Channel
from services.notifications.schema import deliveries, notifications
from services.notifications.store import groups
from shared.contracts.billing import (
    AutopayFailed,
    CreditIssued,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
    LateFeeApplied,
    LateFeeWaived,
    PaymentReminderDue,
    PaymentReversed,
    ReminderItem,
)
from shared.contracts.weather import WeatherAlertCleared, WeatherAlertRaised, WeatherAlertUpdated
from shared.identity import new_id
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.test_text_messages import Texts
from tests.notifications.text_provider import TextProvider
from tests.support.builders import a_lease, a_property

pytestmark = pytest.mark.servers


def about_invoice(*tenant_ids: UUID, **fields: Any) -> dict[str, Any]:
    given = {
        "invoice_id": new_id(),
        "number": "INV-2026-000123",
        "lease_id": new_id(),
        "account_id": new_id(),
        "property_id": new_id(),
        "tenant_ids": tenant_ids,
        "period": "2026-09",
        "due_on": date(2026, 9, 1),
        "currency": "USD",
        "balance_cents": 155_000,
    }
    return given | fields


def a_fee(*tenant_ids: UUID, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "fee_id": new_id(),
        "fee_kind": "late_fee",
        "amount_cents": 7_500,
        "rule": "5 % of the late rent",
        "formula": "5 % of $1,500.00",
        "on": date(2026, 9, 7),
        "total_fee_cents": 7_500,
    }
    return about_invoice(*tenant_ids) | given | fields


def an_overdue(*tenant_ids: UUID, **fields: Any) -> InvoiceOverdue:
    return InvoiceOverdue(**about_invoice(*tenant_ids, overdue_on=date(2026, 9, 2)) | fields)


def paid(invoice_id: UUID) -> InvoicePaid:
    return InvoicePaid(**about_invoice(invoice_id=invoice_id, balance_cents=0, paid_on=date(2026, 9, 3)))


def an_item(**fields: Any) -> ReminderItem:
    given = {
        "invoice_id": new_id(),
        "number": "INV-1",
        "period": "2026-09",
        "due_on": date(2026, 9, 1),
        "stage": 1,
        "balance_cents": 1_000,
    }
    return ReminderItem.model_validate(given | fields)


def a_reminder(tenant_id: UUID, *items: ReminderItem, **fields: Any) -> PaymentReminderDue:
    given: dict[str, Any] = {
        "reminder_id": new_id(),
        "tenant_id": tenant_id,
        "property_id": new_id(),
        "currency": "USD",
        "as_of_on": date(2026, 9, 2),
        "items": items,
        "total_cents": sum(item.balance_cents for item in items),
    }
    return PaymentReminderDue(**given | fields)


def an_alert(kind: Any, property_id: UUID, **fields: Any) -> Any:
    given = {
        "incident_id": new_id(),
        "property_id": property_id,
        "dedup_key": "nws:1",
        "revision": 1,
        "occurred_at": datetime.fromisoformat("2026-07-15T13:00:00+00:00"),
        "category": "severe_weather",
        "level": "warning",
        "source": "nws",
        "official": True,
        "event_name": "Severe Thunderstorm Warning",
        "summary": "Winds up to 70 mph.",
        "instruction": "Go inside.",
        "time_zone": "America/New_York",
    }
    if kind is WeatherAlertCleared:
        given["reason"] = "expired"
    return kind(**given | fields)


async def rows(office: Office, template: str, channel: str = "email") -> list[dict[str, Any]]:
    query = (
        sa.select(deliveries)
        .join(notifications, notifications.c.id == deliveries.c.notification_id)
        .where(notifications.c.template == template, deliveries.c.channel == channel)
        .order_by(deliveries.c.id)
    )
    async with office.transactions.engine.connect() as connection:
        return [row._asdict() for row in await connection.execute(query)]


async def states(office: Office, template: str, channel: str = "email") -> list[tuple[str, str | None]]:
    return [(row["state"], row["reason"]) for row in await rows(office, template, channel)]


@pytest.mark.parametrize(
    ("template", "fact"),
    [
        ("overdue", an_overdue),
        ("invoice_voided", lambda who: InvoiceVoided(**about_invoice(who), reason="twice", voided_on=date(2026, 9, 3))),
        ("late_fee", lambda who: LateFeeApplied(**a_fee(who))),
        ("late_fee_waived", lambda who: LateFeeApplied(**a_fee(who, amount_cents=-7_500))),
        ("late_fee_waived", lambda who: LateFeeWaived(**a_fee(who), reason="first time")),
        ("autopay_failed", lambda who: AutopayFailed(**about_invoice(who), charge_id=new_id(), attempt=1, amount_cents=5, failure="card_expired")),
        ("payment_reversed", lambda who: PaymentReversed(payment_id=new_id(), reversal_id=new_id(), account_id=new_id(), lease_id=new_id(), property_id=new_id(), tenant_ids=(who,), currency="USD", reversal="returned", amount_cents=5, known_on=date(2026, 9, 3))),
        ("credit", lambda who: CreditIssued(credit_id=new_id(), account_id=new_id(), lease_id=new_id(), property_id=new_id(), tenant_ids=(who,), currency="USD", amount_cents=5, reason="goodwill", balance_cents=5, issued_on=date(2026, 9, 3))),
        ("reminder", lambda who: a_reminder(who, an_item())),
    ],
)  # fmt: skip
async def test_each_fact_of_money_reaches_its_tenant_once_and_can_be_read(
    office: Office, template: str, fact: Any
) -> None:
    ann, message = a_tenant(locale="es"), None
    message = fact(ann.tenant_id)
    await office.hear(ann, message, message)

    assert len(await rows(office, template)) == 1
    await office.make_due()
    await office.send_once()

    assert await states(office, template) == [("sent", None)]
    assert len(office.mail_server.messages) == 1


async def test_credit_that_its_receipt_names_is_not_told_a_second_time(office: Office) -> None:
    ann = a_tenant()
    credit = CreditIssued(
        credit_id=new_id(), account_id=new_id(), lease_id=new_id(), property_id=new_id(), currency="USD",
        tenant_ids=(ann.tenant_id,), amount_cents=5, reason="overpayment", balance_cents=5, issued_on=date(2026, 9, 3),
    )  # fmt: skip

    await office.hear(ann, credit)

    assert await office.told() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("template", ["overdue", "late_fee", "reminder"])
async def test_what_asks_for_money_that_was_paid_is_dropped_with_its_reason(
    office: Office, when: str, template: str
) -> None:
    ann, invoice_id = a_tenant(), new_id()
    message: Any = {
        "overdue": an_overdue(ann.tenant_id, invoice_id=invoice_id),
        "late_fee": LateFeeApplied(**a_fee(ann.tenant_id, invoice_id=invoice_id)),
        "reminder": a_reminder(ann.tenant_id, an_item(invoice_id=invoice_id)),
    }[template]
    await office.hear(ann, *([message, paid(invoice_id)] if when == "after" else [paid(invoice_id), message]))

    if when == "after":
        await office.make_due()
        await office.send_once()

    assert await states(office, template) == [("canceled", "invoice_paid")]
    assert office.mail_server.messages == []


async def test_an_invoice_that_a_reversal_opened_is_asked_for_again(office: Office) -> None:
    ann, invoice_id = a_tenant(), new_id()
    reversal = PaymentReversed(
        payment_id=new_id(), reversal_id=new_id(), account_id=new_id(), lease_id=new_id(), property_id=new_id(),
        tenant_ids=(), currency="USD", reversal="returned", amount_cents=5, known_on=date(2026, 9, 3),
        reopened_invoice_ids=(invoice_id,),
    )  # fmt: skip

    await office.hear(ann, paid(invoice_id), reversal, an_overdue(ann.tenant_id, invoice_id=invoice_id))

    assert await states(office, "overdue") == [("queued", None)]


async def test_a_reminder_names_what_is_still_open_when_it_is_sent(office: Office) -> None:
    ann, first, second = a_tenant(), an_item(number="INV-1"), an_item(number="INV-2", balance_cents=2_500)
    await office.hear(ann, a_reminder(ann.tenant_id, first, second), paid(first.invoice_id))

    await office.make_due()
    await office.send_once()

    [message] = office.mail_server.messages
    assert message["Subject"] == "Overdue: $25.00 to pay"
    assert "INV-1" not in str(message.get_body(("plain",)))


async def test_an_early_reminder_is_not_sent_after_the_due_date(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann, a_reminder(ann.tenant_id, an_item(stage=-3), as_of_on=date(2026, 8, 29)))

    await office.make_due()
    await office.send_once()

    assert await states(office, "reminder") == [("canceled", "stage_passed")]


async def test_two_reminders_at_once_are_one_email(office: Office) -> None:
    ann = a_tenant()
    await office.hear(
        ann,
        a_reminder(ann.tenant_id, an_item(number="INV-1")),
        a_reminder(ann.tenant_id, an_item(number="INV-2")),
    )

    await office.make_due()
    await office.send_once()

    [message] = office.mail_server.messages
    text = str(message.get_body(("plain",)))
    assert message["Subject"].startswith("2 messages: ")
    assert "INV-1" in text
    assert "INV-2" in text
    assert sorted(await states(office, "reminder"), key=str) == [("merged", "digest"), ("sent", None)]


async def test_a_digest_that_is_tried_again_holds_the_same_messages(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann, a_reminder(ann.tenant_id, an_item()), a_reminder(ann.tenant_id, an_item()))
    office.mail_server.on_message = "451 later"
    await office.make_due()
    await office.send_once()

    office.mail_server.on_message = "250 OK"
    await office.change_emails(next_attempt_at=office.transactions.clock.now() - timedelta(seconds=1))
    await office.send_once()

    assert [message["Subject"][:10] for message in office.mail_server.messages] == ["2 messages"]


async def test_a_preference_that_changed_while_it_waited_counts(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann, a_reminder(ann.tenant_id, an_item()))
    async with office.transactions.command("wish") as tx:
        await tx.connection.exec_driver_sql(
            f"insert into preferences values ('{ann.tenant_id}', 'reminder', '*', false, now())"
        )

    await office.make_due()
    await office.send_once()

    assert await states(office, "reminder") == [("skipped", "category_off")]


async def test_co_tenants_are_told_once_each_and_a_shared_address_gets_one_copy(office: Office) -> None:
    ann, bob, cy = (
        a_tenant(email="home@example.com"),
        a_tenant(email="Home@example.com"),
        a_tenant(email="cy@example.com"),
    )
    await office.hear(ann, bob, cy)

    await office.hear(an_invoice(ann.tenant_id, bob.tenant_id, cy.tenant_id))

    assert sorted(await states(office, "invoice"), key=str) == [
        ("queued", None), ("queued", None), ("skipped", "shared_address"),
    ]  # fmt: skip
    assert len(await office.shown()) == 3


async def test_a_shared_address_gets_one_copy_also_when_its_people_become_known_later(office: Office) -> None:
    ann, bob = a_tenant(email="home@example.com"), a_tenant(email="home@example.com")
    await office.hear(an_invoice(ann.tenant_id, bob.tenant_id))

    await office.hear(ann, bob)

    assert sorted(await states(office, "invoice"), key=str) == [
        ("queued", None),
        ("skipped", "shared_address"),
    ]


async def test_who_becomes_known_and_chose_texts_is_texted(office: Office) -> None:
    ann = a_tenant(channel="sms", phone="212 555 0100")
    await office.hear(an_invoice(ann.tenant_id), ann)

    [text] = await rows(office, "invoice", "sms")
    assert text["address"] == "+12125550100"
    assert await states(office, "invoice") == [("skipped", "by_another_channel")]


async def test_a_bounce_leads_to_the_next_channel(office: Office) -> None:
    ann = a_tenant(phone="+12125550100")
    await office.hear(ann)
    async with office.transactions.command("consent") as tx:
        await tx.connection.exec_driver_sql("update contacts set sms_consent_at = now()")
    await office.hear(an_invoice(ann.tenant_id))
    office.mail_server.on_recipient = "550 5.1.1 no such user"

    await office.send_once()
    await office.hear(an_invoice(ann.tenant_id, number="INV-2"))

    assert await states(office, "invoice") == [
        ("failed_permanent", "recipient_refused"),
        ("suppressed", "hard_bounce"),
    ]
    assert len(await rows(office, "invoice", "sms")) == 2


async def test_a_refusal_by_policy_does_not_close_the_address(office: Office) -> None:
    await office.queue_email()
    office.mail_server.on_recipient = "550 5.7.1 blocked by policy"

    await office.send_once()
    await office.queue_email()

    assert [row["state"] for row in await office.emails()] == ["failed_permanent", "queued"]


async def staff_of(office: Office, event: str, **contact: Any) -> UUID:
    """Somebody of the office who hears of an event."""
    async with office.transactions.command("staff") as tx:
        person = await groups.add_contact(tx.connection, tx.at, **{"name": "Desk"} | contact)
        group = await groups.add_group(tx.connection, "Staff", tx.at)
        assert group is not None
        await groups.add_member(tx.connection, group, person)
        await groups.subscribe(tx.connection, group, event, [])
    return person


async def test_a_group_hears_of_what_it_subscribed_to(office: Office) -> None:
    await staff_of(office, "invoice_overdue", email="desk@example.com")
    ann = a_tenant()

    await office.hear(ann, an_overdue(ann.tenant_id), LateFeeApplied(**a_fee(ann.tenant_id)))
    await office.make_due()
    await office.send_once()
    await office.send_once()
    await office.send_once()

    assert len(await rows(office, "office")) == 1
    [told] = [item for item in office.mail_server.messages if item["To"] == "desk@example.com"]
    assert told["Subject"] == "Invoice overdue: INV-2026-000123"


async def test_somebody_who_cannot_be_reached_is_a_task_for_the_office_once_a_day(office: Office) -> None:
    await staff_of(office, "contact_unreachable", email="desk@example.com")
    ann = a_tenant(email=None)

    await office.hear(ann, an_invoice(ann.tenant_id), an_invoice(ann.tenant_id, number="INV-2"))

    [row] = await rows(office, "office")
    assert row["address"] == "desk@example.com"


async def test_a_system_of_the_office_is_told_by_webhook(office: Office) -> None:
    await staff_of(office, "invoice_created", webhook_url="https://ledger.example.com", webhook_secret="s")

    await office.hear(an_invoice(a_tenant().tenant_id))

    [row] = await rows(office, "office", Channel.WEBHOOK)
    assert (row["state"], row["address"]) == ("queued", "https://ledger.example.com")


async def at_home(office: Office, **fields: Any) -> tuple[Any, UUID]:
    """A tenant with a telephone, and the property they live at."""
    home = a_property()
    ann = a_tenant(phone="+12125550100", **fields)
    lease = a_lease(property_id=home.property_id, tenant_ids=(ann.tenant_id,))
    await office.hear(home, ann, lease)
    async with office.transactions.command("consent") as tx:
        await tx.connection.exec_driver_sql("update contacts set sms_consent_at = now()")
    return ann, home.property_id


async def test_a_warning_reaches_those_who_live_there_by_text_and_in_the_app(office: Office) -> None:
    _, place = await at_home(office)
    await office.hear(a_tenant())

    await office.hear(an_alert(WeatherAlertRaised, place))

    assert len(await rows(office, "weather_raised", "sms")) == 1
    assert len(await rows(office, "weather_raised", "in_app")) == 1
    assert await rows(office, "weather_raised") == []


async def test_an_emergency_goes_everywhere_at_any_hour(office: Office) -> None:
    _, place = await at_home(office)

    await office.hear(an_alert(WeatherAlertRaised, place, level="emergency", event_name="Tornado Warning"))

    for channel in ("sms", "email"):
        [row] = await rows(office, "weather_raised", channel)
        assert (row["state"], row["reason"]) == ("queued", None)


async def test_who_has_moved_out_hears_of_their_debt_and_of_no_weather(office: Office) -> None:
    home, ann = a_property(), a_tenant()
    ended = a_lease(property_id=home.property_id, tenant_ids=(ann.tenant_id,), ends_on=date(2026, 2, 1))
    await office.hear(home, ann, ended)

    await office.hear(an_alert(WeatherAlertRaised, home.property_id), an_overdue(ann.tenant_id))

    assert await rows(office, "weather_raised", "in_app") == []
    assert await states(office, "overdue") == [("queued", None)]


async def test_a_tenant_of_two_units_is_warned_once(office: Office) -> None:
    ann, place = await at_home(office)
    await office.hear(a_lease(property_id=place, tenant_ids=(ann.tenant_id,)))

    await office.hear(an_alert(WeatherAlertRaised, place))

    assert len(await rows(office, "weather_raised", "in_app")) == 1


async def test_an_alert_that_was_over_before_it_was_sent_is_dropped_and_no_all_clear_comes(
    office: Office,
) -> None:
    _, place = await at_home(office)
    raised = an_alert(WeatherAlertRaised, place)
    cleared = an_alert(
        WeatherAlertCleared, place, incident_id=raised.incident_id, revision=2,
        occurred_at=raised.occurred_at + timedelta(minutes=5),
    )  # fmt: skip

    await office.hear(cleared, raised)

    assert await states(office, "weather_raised", "sms") == [("canceled", "alert_cleared")]
    assert await rows(office, "weather_cleared", "in_app") == []


async def test_the_all_clear_goes_to_those_who_were_warned(office: Office) -> None:
    ann, place = await at_home(office)
    raised = an_alert(WeatherAlertRaised, place)
    await office.hear(raised)
    bob = a_tenant()
    await office.hear(bob, a_lease(property_id=place, tenant_ids=(bob.tenant_id,)))

    await office.hear(an_alert(WeatherAlertCleared, place, incident_id=raised.incident_id, revision=2))

    told = await rows(office, "weather_cleared", "in_app")
    assert [row["tenant_id"] for row in told] == [ann.tenant_id]


async def send_texts(office: Office, count: int) -> None:
    """What is due, whatever the hour."""
    async with office.transactions.command("day") as tx:
        await tx.connection.exec_driver_sql(
            "update deliveries set next_attempt_at = now() where state = 'queued'"
        )
        await tx.connection.exec_driver_sql(
            "insert into quiet_hours select tenant_id, 'sms', '00:00', '00:00', now() from contacts on conflict do nothing"
        )
    async with TextProvider() as provider:
        texts = Texts(office, provider)
        for _ in range(count):
            await texts.sender().send_next(texts.twilio)
        await texts.twilio.close()


async def test_a_newer_warning_takes_the_place_of_one_that_still_waits(office: Office) -> None:
    _, place = await at_home(office, time_zone="UTC")
    raised = an_alert(WeatherAlertRaised, place)
    updated = an_alert(
        WeatherAlertUpdated, place, incident_id=raised.incident_id, revision=2,
        occurred_at=raised.occurred_at + timedelta(minutes=5),
    )  # fmt: skip

    await office.hear(updated, raised)

    assert await states(office, "weather_raised", "sms") == [("canceled", "alert_updated")]
    assert [state for state, _ in await states(office, "weather_updated", "sms")] == ["queued"]


def an_update(raised: WeatherAlertRaised, revision: int, **fields: Any) -> Any:
    given = {"incident_id": raised.incident_id, "revision": revision} | fields
    said_at = raised.occurred_at + timedelta(minutes=5 * revision)
    return an_alert(WeatherAlertUpdated, raised.property_id, occurred_at=said_at, **given)


@pytest.mark.parametrize("order", [(2, 3), (3, 2)])
async def test_of_two_updates_that_wait_the_newer_one_is_sent(office: Office, order: tuple[int, int]) -> None:
    _, place = await at_home(office, time_zone="UTC")
    raised = an_alert(WeatherAlertRaised, place)

    await office.hear(*(an_update(raised, revision) for revision in order))
    await send_texts(office, 2)

    told = dict(zip(order, await states(office, "weather_updated", "sms"), strict=True))
    assert told == {2: ("canceled", "alert_updated"), 3: ("sent", None)}


async def test_of_the_updates_of_half_an_hour_the_last_one_is_sent(office: Office) -> None:
    _, place = await at_home(office, time_zone="UTC", channel="sms")
    raised = an_alert(WeatherAlertRaised, place, level="advisory")
    await office.hear(raised)
    await send_texts(office, 1)

    await office.hear(*(an_update(raised, revision, level="advisory") for revision in (2, 3)))
    at_once = await states(office, "weather_updated", "sms")
    await send_texts(office, 2)

    assert at_once == [("queued", "cooldown")] * 2
    assert await states(office, "weather_updated", "sms") == [("canceled", "alert_updated"), ("sent", None)]


async def test_an_update_that_is_only_counted_silences_no_warning_that_waits(office: Office) -> None:
    _, place = await at_home(office, time_zone="UTC")
    raised = an_alert(WeatherAlertRaised, place)

    await office.hear(raised, an_update(raised, 2, quiet=True))
    await send_texts(office, 1)

    assert await states(office, "weather_raised", "sms") == [("sent", None)]


async def test_nobody_is_told_of_an_alert_that_is_only_counted(office: Office) -> None:
    _, place = await at_home(office)

    await office.hear(an_alert(WeatherAlertRaised, place, quiet=True))

    assert await office.told() == []


async def test_a_text_that_waits_for_the_morning_is_looked_at_again_and_sent_once_or_dropped(
    office: Office,
) -> None:
    ann, owed, settled = a_tenant(channel="sms", phone="+12125550100"), new_id(), new_id()
    await office.hear(ann)
    async with office.transactions.command("night") as tx:
        await tx.connection.exec_driver_sql(
            f"insert into quiet_hours values ('{ann.tenant_id}', 'sms', '00:00', '23:59:59', now())"
        )
        await tx.connection.exec_driver_sql("update contacts set time_zone = 'UTC'")
    await office.hear(
        an_overdue(ann.tenant_id, invoice_id=owed),
        an_overdue(ann.tenant_id, invoice_id=settled),
        paid(settled),
    )
    at_night = await states(office, "overdue", "sms")

    async with office.transactions.command("morning") as tx:
        await tx.connection.exec_driver_sql("delete from quiet_hours")
        await tx.connection.exec_driver_sql(
            f"insert into quiet_hours values ('{ann.tenant_id}', 'sms', '00:00', '00:00', now())"
        )
        await tx.connection.exec_driver_sql(
            "update deliveries set next_attempt_at = now() - interval '1 second' where state = 'queued'"
        )
    async with TextProvider() as provider:
        texts = Texts(office, provider)
        sent = [await texts.sender().send_next(texts.twilio) for _ in range(3)]
        await texts.twilio.close()

    assert at_night == [("queued", "quiet_hours")] * 2
    assert sent == [True, True, False]
    assert len(provider.posts) == 1
    assert await states(office, "overdue", "sms") == [("sent", None), ("canceled", "invoice_paid")]
