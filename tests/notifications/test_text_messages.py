"""Text messages through a provider that answers, refuses, stays silent or is not there."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from services.notifications.domain.attempts import Doubt
from services.notifications.domain.deliveries import Channel
from services.notifications.following_up import FollowUp
from services.notifications.gateways.carrier import NotSetUp
from services.notifications.gateways.twilio import Account, Twilio
from services.notifications.handlers import hooks
from services.notifications.links import Links
from services.notifications.rendering import Templates
from services.notifications.sender import Sender, SenderMetrics, Sending
from shared.contracts.leasing import TenantRegistered
from shared.db import driver_url
from shared.messaging.transaction import Tx
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.text_provider import SID, TOKEN, TextProvider
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

SHARED = Path(os.environ.get("PROPMAN_SHARED", Path(__file__).parents[3] / "shared")) / "samples" / "twilio"
LINKS = Links(b"k" * 32, "https://notify.example.com")
DAYTIME = Sending(poll_seconds=0.05, outage_pauses=(0.0, 0.05), after_crash=Doubt.HOLD, reports=True)


class Texts:
    """An office, a provider, and the sender between them."""

    def __init__(self, office: Office, provider: TextProvider) -> None:
        self.office = office
        self.provider = provider
        account = Account(SID, SID, TOKEN, "+15005550006", provider.url)
        self.twilio = Twilio(account, callback=LINKS.report, timeout=0.5)

    def sender(self, carrier: Any = None) -> Sender:
        return Sender(
            transactions=self.office.transactions,
            dsn=driver_url(self.office.url),
            mailer=lambda: carrier or self.twilio,
            templates=Templates(),
            metrics=SenderMetrics(CollectorRegistry(), Channel.SMS),
            sending=DAYTIME,
            channel=Channel.SMS,
        )

    async def queue(self, **fields: Any) -> TenantRegistered:
        """A tenant who chose texts, with an invoice; awake at any hour."""
        given = {"channel": "sms", "phone": "+1 212 555 0100", "time_zone": "UTC"} | fields
        tenant = a_tenant(**given)
        await self.office.hear(tenant)
        async with self.office.transactions.command("awake") as tx:
            await tx.connection.exec_driver_sql(
                "insert into quiet_hours select tenant_id, 'sms', '00:00', '00:00', now() from contacts"
                " on conflict do nothing"
            )
        await self.office.hear(an_invoice(tenant.tenant_id))
        return tenant

    async def send(self, carrier: Any = None) -> None:
        sender = self.sender(carrier)
        attempt = asyncio.create_task(sender.send_next(carrier or self.twilio))
        await asyncio.sleep(0)
        done, _ = await asyncio.wait([attempt], timeout=3)
        if not done:
            sender.stop()
        assert await attempt

    async def row(self, channel: str = "sms") -> dict[str, Any]:
        found = await self.rows(channel)
        assert len(found) == 1, found
        return found[0]

    async def rows(self, channel: str = "sms") -> list[dict[str, Any]]:
        async with self.office.transactions.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                f"select * from deliveries where channel = '{channel}' order by id"
            )
            return [dict(row._mapping) for row in rows]

    async def report(self, status: str, code: int | None = None) -> str:
        row = await self.row()
        sid = row["provider_message_id"] or "SM1"

        async def take(tx: Tx) -> str:
            return (await hooks.take_report(tx, row["id"], sid, status, code)).value

        return str(await self.hook(take))

    async def text(self, body: str, sid: str = "SMin1", keyword: str = "") -> str | None:
        async def take(tx: Tx) -> str | None:
            return await hooks.take_text(tx, sid, "+12125550100", body, keyword)

        answer: str | None = await self.hook(take)
        return answer

    async def hook(self, take: Any) -> Any:
        async with self.office.transactions.command("hook") as tx:
            return await take(tx)

    async def become_old(self) -> None:
        async with self.office.transactions.command("wait") as tx:
            await tx.connection.exec_driver_sql(
                "update deliveries set updated_at = updated_at - interval '2 minutes'"
            )

    async def follow_up(self) -> FollowUp:
        return FollowUp(self.office.transactions, self.twilio, reports=True)


@pytest.fixture
async def provider() -> AsyncIterator[TextProvider]:
    async with TextProvider() as found:
        yield found


@pytest.fixture
async def texts(office: Office, provider: TextProvider) -> AsyncIterator[Texts]:
    found = Texts(office, provider)
    yield found
    await found.twilio.close()


def sample(name: str) -> Any:
    if not SHARED.exists():
        pytest.skip("the recorded bodies of the provider are not here; set PROPMAN_SHARED")
    return json.loads((SHARED / name).read_text())


async def test_a_text_is_posted_with_all_that_the_provider_needs(texts: Texts) -> None:
    await texts.queue()

    await texts.send()

    [posted], row = texts.provider.posts, await texts.row()
    assert posted["To"] == "+12125550100"
    assert posted["From"] == "+15005550006"
    assert posted["Body"].startswith("Rent: invoice INV-2026-000123, $1,550.00 due")
    assert posted["StatusCallback"] == f"{LINKS.report(row['id'])}#rc=5&rp=all"
    assert 60 <= int(posted["ValidityPeriod"]) <= 36_000
    assert (row["state"], row["provider_message_id"]) == ("sent", "SM" + "0" * 32)
    basic = texts.provider.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(basic).decode() == f"{SID}:{TOKEN}"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("message_create_201_queued.json", "sent"),
        ("message_create_201_scheduled.json", "sent"),
        ("message_create_201_with_messaging_service.json", "sent"),
        ("message_create_201_real_mms_2019.json", "sent"),
        ("error_400_21211_invalid_to.json", "failed_permanent"),
        ("error_400_21610_unsubscribed_2019_text.json", "failed_permanent"),
        ("error_429_20429_too_many_requests.json", "retry_wait"),
    ],
)
async def test_each_recorded_answer_ends_in_its_state(texts: Texts, name: str, state: str) -> None:
    await texts.queue()
    body = sample(name)
    texts.provider.answer = (int(body["status"]) if "code" in body else 201, body)

    await texts.send()

    row = await texts.row()
    assert row["state"] == state
    assert row["provider_message_id"] == body.get("sid")


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        (401, 20003, "queued", "sms_our_fault"),
        (400, 21606, "queued", "sms_our_fault"),
        (400, 21614, "failed_permanent", "sms_bad_number"),
        (400, 21408, "failed_permanent", "sms_forbidden"),
        (400, 21617, "failed_permanent", "sms_content"),
        (429, None, "retry_wait", "sms_busy"),
        (500, None, "unknown", "provider_error"),
        (503, 20500, "unknown", "provider_error"),
        (400, 99999, "retry_wait", "sms_once_more"),
    ],
)
async def test_each_refusal_ends_in_its_state(
    texts: Texts, status: int, code: int | None, state: str, reason: str
) -> None:
    await texts.queue()
    texts.provider.answer = (status, {"code": code, "message": "no", "status": status})

    await texts.send()

    row = await texts.row()
    assert (row["state"], row["reason"]) == (state, reason)
    assert (row["attempt_count"] == 0) == (state == "queued")


async def test_a_newer_service_s_form_of_error_is_read_too(texts: Texts) -> None:
    await texts.queue()
    problem = {"type": "https://x", "title": "Invalid", "status": 400, "code": 21211, "detail": "To"}
    texts.provider.answer = (400, problem)

    await texts.send()

    assert (await texts.row())["reason"] == "sms_bad_number"


async def test_a_busy_provider_is_asked_again_when_it_said(texts: Texts) -> None:
    await texts.queue()
    texts.provider.answer, texts.provider.headers = (429, {"code": 20429}), {"Retry-After": "600"}

    await texts.send()

    row = await texts.row()
    wait = row["next_attempt_at"] - texts.office.transactions.clock.now()
    assert timedelta(minutes=9) < wait <= timedelta(minutes=12)


@pytest.mark.parametrize("fault", ["hang", "drop"])
async def test_silence_after_the_post_is_no_answer_and_is_not_sent_again(texts: Texts, fault: Any) -> None:
    await texts.queue()
    texts.provider.fault = fault

    await texts.send()

    assert (await texts.row())["state"] == "unknown"
    assert len(texts.provider.posts) == 1
    assert not await texts.sender().send_next(texts.twilio)


async def test_a_provider_that_is_not_there_costs_no_attempt(texts: Texts) -> None:
    await texts.queue()
    await texts.provider.stop()

    await texts.send()

    row = await texts.row()
    assert (row["state"], row["reason"], row["attempt_count"]) == ("queued", "unreachable", 0)


async def test_a_text_that_was_made_without_an_answer_is_found(texts: Texts) -> None:
    await texts.queue()
    texts.provider.fault = "drop_after_making"
    await texts.send()
    texts.provider.fault = None
    await texts.become_old()

    assert await (await texts.follow_up()).resolve() == 1

    row = await texts.row()
    assert (row["state"], row["provider_message_id"]) == ("sent", texts.provider.made[0]["sid"])
    assert len(texts.provider.posts) == 1


async def test_a_text_the_provider_does_not_know_stays_unknown_and_goes_by_email(texts: Texts) -> None:
    await texts.queue()
    texts.provider.fault = "drop"
    await texts.send()
    texts.provider.fault = None
    await texts.become_old()

    await (await texts.follow_up()).resolve()
    await texts.become_old()
    looked_up_again = await (await texts.follow_up()).resolve()

    row = await texts.row()
    assert (row["state"], row["reason"]) == ("unknown", "not_found_at_provider")
    assert (await texts.row("email"))["state"] == "queued"
    assert looked_up_again == 0


async def test_the_report_itself_tells_what_became_of_an_unknown_text(texts: Texts) -> None:
    await texts.queue()
    texts.provider.fault = "hang"
    await texts.send()

    await texts.report("queued")
    after_queued = (await texts.row())["state"]
    await texts.report("delivered")

    row = await texts.row()
    assert (after_queued, row["state"], row["provider_message_id"]) == ("sent", "delivered", "SM1")


async def test_reports_out_of_order_and_again_move_forward_only(texts: Texts) -> None:
    await texts.queue()
    await texts.send()

    taken = [
        await texts.report(status) for status in ("delivered", "sent", "delivered", "undelivered", "queued")
    ]

    assert taken == ["done", "done", "repeat", "done", "done"]
    assert (await texts.row())["state"] == "delivered"
    facts = [topic for topic, _ in await emitted(texts.office.transactions)]
    assert facts == ["notifications.notification_delivered.v1"]


@pytest.mark.shared_data
async def test_the_recorded_reports_are_read(texts: Texts) -> None:
    await texts.queue()
    await texts.send()
    fields = sample("status_callback_undelivered_form_fields.json")

    await texts.report(fields["MessageStatus"], int(fields["ErrorCode"]))

    row = await texts.row()
    assert (row["state"], row["reason"]) == ("retry_wait", "sms_unreachable")
    assert row["next_attempt_at"] - texts.office.transactions.clock.now() > timedelta(minutes=29)


@pytest.mark.parametrize(
    ("code", "reason", "suppressed"),
    [(30005, "sms_bad_number", "invalid"), (30007, "sms_content", None), (30004, "sms_blocked", "blocked")],
)
async def test_an_undelivered_text_goes_by_email_and_may_close_its_number(
    texts: Texts, code: int, reason: str, suppressed: str | None
) -> None:
    await texts.queue()
    await texts.send()

    await texts.report("undelivered", code)

    row = await texts.row()
    assert (row["state"], row["reason"]) == ("bounced", reason)
    assert (await texts.row("email"))["state"] == "queued"
    assert await suppressions(texts.office) == ([suppressed] if suppressed else [])


async def test_stop_closes_the_number_for_every_later_text_while_email_and_app_go_on(texts: Texts) -> None:
    ann = await texts.queue()

    await texts.text("STOP")
    await texts.text("STOP")
    await texts.send()
    await texts.office.hear(an_invoice(ann.tenant_id))

    assert texts.provider.posts == []
    assert [(row["state"], row["reason"]) for row in await texts.rows()] == [("suppressed", "stop")] * 2
    assert [row["state"] for row in await texts.rows("email")] == ["queued", "queued"]
    assert [row["state"] for row in await texts.rows("in_app")] == ["delivered", "delivered"]
    [(topic, fact)] = await emitted(texts.office.transactions)
    assert topic == "notifications.contact_opted_out.v1"
    assert (fact["tenant_ids"], fact["reason"]) == ([str(ann.tenant_id)], "stop")


async def test_start_opens_the_number_again(texts: Texts) -> None:
    await texts.queue()
    await texts.text("stop")
    await texts.text("START", sid="SMin2")

    await texts.send()

    assert (await texts.row())["state"] == "sent"
    assert await suppressions(texts.office) == []


async def test_the_provider_s_own_word_for_a_text_counts(texts: Texts) -> None:
    await texts.queue()

    await texts.text("arret", keyword="STOP")

    assert await suppressions(texts.office) == ["stop"]


async def test_help_is_answered_in_the_language_of_who_asks(texts: Texts) -> None:
    await texts.queue(locale="es-MX")

    assert "Responda STOP" in str(await texts.text("AYUDA"))


async def test_without_a_provider_a_text_goes_by_email_at_once(texts: Texts) -> None:
    await texts.queue()

    await texts.send(NotSetUp())

    row = await texts.row()
    assert (row["state"], row["reason"]) == ("failed_permanent", "channel_not_set_up")
    assert (await texts.row("email"))["state"] == "queued"


async def test_a_code_that_closes_a_number_when_it_is_posted_leads_to_email_too(texts: Texts) -> None:
    await texts.queue()
    texts.provider.answer = (400, {"code": 21610, "status": 400})

    await texts.send()

    assert await suppressions(texts.office) == ["stop"]
    assert (await texts.row("email"))["state"] == "queued"


async def suppressions(office: Office) -> list[str]:
    async with office.transactions.engine.connect() as connection:
        rows = await connection.exec_driver_sql("select reason from suppressions where lifted_at is null")
        return [row[0] for row in rows]


def test_a_time_the_provider_cannot_write_is_long_ago() -> None:
    from services.notifications.gateways.twilio import _created

    assert _created({"date_created": "soon"}) < datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def test_a_report_s_address_is_proved_per_delivery() -> None:
    proof = LINKS.report_path(UUID(int=1)).rpartition("/")[2]

    assert LINKS.is_report(UUID(int=1), proof)
    assert not LINKS.is_report(UUID(int=2), proof)
