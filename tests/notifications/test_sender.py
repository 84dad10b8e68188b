"""Every answer of a mail server ends in its state; outages cost nothing; nothing is sent twice by itself."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.notifications.domain.attempts import Doubt, crash_outcome
from services.notifications.store import deliveries
from tests.notifications.office import QUICK, Office, a_tenant, an_invoice
from tests.support.messages import emitted

pytestmark = pytest.mark.servers


async def test_a_queued_email_arrives_in_both_forms_under_its_own_id(office: Office) -> None:
    await office.queue_email()

    async with office.sending():
        [row] = await office.until("sent")

    [message] = office.mail_server.messages
    assert message["To"] == "ann@example.com"
    assert message["Message-ID"] == f"<{row['id']}@propman.localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "Invoice INV-2026-000123: $1,550.00 due September 1, 2026"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert (row["provider_message_id"], row["attempt_count"], row["last_error"]) == ("q-1", 1, None)


async def test_an_accepted_email_is_said_to_be_delivered_without_its_address(office: Office) -> None:
    ann = await office.queue_email()
    await office.send_once()

    [(topic, fact)] = await emitted(office.transactions)
    assert topic == "notifications.notification_delivered.v1"
    assert (fact["tenant_id"], fact["channel"], fact["attempts"]) == (str(ann.tenant_id), "email", 1)
    assert "@" not in str(fact)


async def test_non_ascii_names_and_leading_dots_arrive_as_they_were_written(office: Office) -> None:
    await office.queue_email(name="Zoë Müller\n.\nQUIT")
    await office.send_once()

    [message] = office.mail_server.messages
    text = message.get_body(("plain",))
    assert text is not None
    assert "Zoë Müller\n.\nQUIT" in text.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("command", "answer", "state", "reason"),
    [
        ("on_recipient", "550 5.1.1 no such user", "failed_permanent", "recipient_refused"),
        ("on_recipient", "452 4.2.2 mailbox full", "retry_wait", "recipient_postponed"),
        ("on_message", "451 4.3.0 try again later", "retry_wait", "message_postponed"),
        ("on_message", "554 5.7.1 looks like spam", "failed_permanent", "message_refused"),
        ("on_sender", "451 4.7.1 slow down", "retry_wait", "sender_postponed"),
    ],
)
async def test_each_refusal_of_a_mail_server_ends_in_its_state(
    office: Office, command: str, answer: str, state: str, reason: str
) -> None:
    await office.queue_email()
    setattr(office.mail_server, command, answer)

    await office.send_once()

    email = await office.email()
    assert (email["state"], email["reason"], email["attempt_count"]) == (state, reason, 1)
    assert email["last_error"] == answer
    assert not office.mail_server.messages


async def test_a_permanent_refusal_is_said_with_its_reason_and_a_postponement_is_not(office: Office) -> None:
    await office.queue_email()
    office.mail_server.on_recipient = "452 4.2.2 full"
    await office.send_once()
    after_postponement = await emitted(office.transactions)

    office.mail_server.on_recipient = "550 5.1.1 gone"
    await office.make_due()
    await office.send_once()

    [(topic, fact)] = await emitted(office.transactions)
    assert after_postponement == []
    assert topic == "notifications.notification_failed.v1"
    assert (fact["state"], fact["reason"], fact["attempts"]) == ("failed_permanent", "recipient_refused", 2)


async def test_a_postponed_email_waits_five_seconds_and_then_arrives(office: Office) -> None:
    await office.queue_email()
    office.mail_server.on_message = "451 later"
    await office.send_once()
    waiting = await office.email()

    office.mail_server.on_message = "250 OK"
    await office.make_due()
    await office.send_once()

    assert 4 < (waiting["next_attempt_at"] - office.transactions.clock.now()).total_seconds() < 7
    assert (await office.email())["state"] == "sent"
    assert await office.history() == ["postponed", "accepted"]


async def test_a_refused_recipient_does_not_spoil_the_connection_for_the_next(office: Office) -> None:
    mailer, sender = office.mailer(), office.sender()
    await office.queue_email(email="gone@example.com")
    office.mail_server.on_recipient = "550 gone"
    await sender.send_next(mailer)

    office.mail_server.on_recipient = "250 OK"
    await office.queue_email(email="here@example.com")
    await sender.send_next(mailer)
    await mailer.close()

    assert office.mail_server.recipients == ["here@example.com"]
    assert office.mail_server.connections == 1


async def test_a_connection_lost_before_the_message_costs_no_attempt(office: Office) -> None:
    await office.queue_email()
    office.mail_server.drop = "before_data"

    await office.send_once()

    email = await office.email()
    assert (email["state"], email["reason"], email["attempt_count"]) == ("queued", "connection_lost", 0)


async def test_a_connection_lost_after_the_message_leaves_it_unknown_and_unsent_again(office: Office) -> None:
    await office.queue_email()
    office.mail_server.drop = "after_data"
    await office.send_once()
    office.mail_server.drop = None

    assert not await office.sender().send_next(office.mailer())
    email = await office.email()
    assert (email["state"], email["reason"]) == ("unknown", "no_answer_after_data")
    assert len(office.mail_server.messages) == 1
    assert await emitted(office.transactions) == []


async def test_who_prefers_a_duplicate_to_silence_gets_it_under_the_same_message_id(office: Office) -> None:
    await office.queue_email()
    office.mail_server.drop = "after_data"
    await office.send_once(replace(QUICK, after_drop=Doubt.RESEND))
    office.mail_server.drop = None
    await office.make_due()
    await office.send_once()

    assert (await office.email())["state"] == "sent"
    assert len(office.mail_server.messages) == 2
    assert len(set(office.mail_server.message_ids)) == 1


async def test_a_server_that_is_down_for_a_while_costs_no_attempt_and_then_gets_everything(
    office: Office,
) -> None:
    await office.mail_server.stop()
    for number in range(5):
        await office.queue_email(email=f"t{number}@example.com")

    async with office.sending():
        await asyncio.sleep(0.4)
        during = await office.emails()
        await office.mail_server.start()
        rows = await office.until("sent", count=5)

    assert {row["state"] for row in during} <= {"queued", "sending"}
    assert [row["attempt_count"] for row in rows] == [1] * 5
    assert sorted(office.mail_server.recipients) == [f"t{number}@example.com" for number in range(5)]


async def test_a_server_that_closed_an_idle_connection_is_simply_called_again(office: Office) -> None:
    async with office.sending():
        await office.queue_email(email="one@example.com")
        await office.until("sent")
        await office.mail_server.stop()
        await office.mail_server.start()
        await office.queue_email(email="two@example.com")
        rows = await office.until("sent", count=2)

    assert [row["attempt_count"] for row in rows] == [1, 1]


@pytest.mark.parametrize(("waiting", "looks"), [(0, {1}), (2, {3, 4})], ids=["nothing", "two"])
async def test_where_one_worker_finds_nothing_the_others_do_not_look(
    office: Office, waiting: int, looks: set[int]
) -> None:
    for number in range(waiting):
        await office.queue_email(email=f"t{number}@example.com")
    looked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        looked.extend(["claim"] if "SKIP LOCKED" in statement else [])

    sa.event.listen(office.transactions.engine.sync_engine, "before_cursor_execute", note)
    sender, mailers = office.sender(), [office.mailer() for _ in range(4)]
    sent = await asyncio.gather(*(sender.send_next(mailer) for mailer in mailers))
    await asyncio.gather(*(mailer.close() for mailer in mailers))

    assert sum(sent) == len(office.mail_server.messages) == waiting
    assert len(looked) in looks


async def test_a_refused_password_pauses_and_burns_nothing(office: Office) -> None:
    await office.queue_email()
    office.mail_server.password = "right"
    mailer = office.mailer(user="ann", password="wrong")
    sender = office.sender()

    attempt = asyncio.create_task(sender.send_next(mailer))
    async with asyncio.timeout(10):
        while (email := await office.email())["reason"] is None:  # noqa: ASYNC110 - a row cannot call us
            await asyncio.sleep(0.02)
    sender.stop()
    await attempt

    assert (email["state"], email["reason"], email["attempt_count"]) == (
        "queued",
        "authentication_refused",
        0,
    )


async def test_two_senders_share_the_work_without_a_duplicate(office: Office) -> None:
    tenants = [a_tenant(email=f"t{number}@example.com") for number in range(60)]
    await office.hear(*tenants)
    await office.hear_batch(*(an_invoice(tenant.tenant_id) for tenant in tenants))

    async with office.sending(), office.sending():
        await office.until("sent", count=60)

    assert sorted(office.mail_server.recipients) == sorted(str(tenant.email) for tenant in tenants)


async def test_an_email_is_claimed_by_one_only_while_its_lease_runs(office: Office) -> None:
    await office.queue_email()
    at, lease = office.transactions.clock.now(), timedelta(seconds=30)

    async with office.transactions.engine.begin() as connection:
        first = await deliveries.claim_next(connection, at, lease)
        second = await deliveries.claim_next(connection, at, lease)

    assert first is not None
    assert second is None
    assert (await office.email())["state"] == "sending"


@pytest.mark.parametrize(("doubt", "state"), [(Doubt.RESEND, "retry_wait"), (Doubt.HOLD, "unknown")])
async def test_an_email_whose_process_died_is_sent_again_or_held_as_was_chosen(
    office: Office, doubt: Doubt, state: str
) -> None:
    await claim_and_die(office)

    assert await office.sender(replace(QUICK, after_crash=doubt)).recover() == 1

    email = await office.email()
    assert (email["state"], email["reason"]) == (state, "worker_lost")


async def test_an_email_whose_process_died_before_sending_arrives_once(office: Office) -> None:
    await claim_and_die(office)
    await office.sender().recover()
    await office.make_due()

    await office.send_once()

    assert len(office.mail_server.messages) == 1
    assert await office.history() == ["ambiguous", "accepted"]


async def test_a_lease_that_still_runs_is_left_alone(office: Office) -> None:
    await office.queue_email()
    at = office.transactions.clock.now()
    async with office.transactions.engine.begin() as connection:
        await deliveries.claim_next(connection, at, timedelta(seconds=30))

    assert await office.sender().recover() == 0


async def test_the_word_of_a_worker_that_was_given_up_still_counts(office: Office) -> None:
    await office.queue_email()
    sender, mailer = office.sender(), office.mailer()
    async with office.transactions.engine.begin() as connection:
        claimed = await deliveries.claim_next(
            connection, office.transactions.clock.now(), timedelta(seconds=-1)
        )
    assert claimed is not None
    await sender.recover()

    await sender._settle(claimed, await sender._attempt(mailer, claimed, office.transactions.clock.now()))
    await mailer.close()

    assert (await office.email())["state"] == "sent"
    assert not await sender.send_next(mailer)


async def test_an_email_found_abandoned_by_two_replicas_is_decided_once(office: Office) -> None:
    await claim_and_die(office)
    sender, now = office.sender(), office.transactions.clock.now()
    async with office.transactions.engine.connect() as connection:
        [lost] = await deliveries.abandoned(connection, now)

    for _ in range(2):
        async with office.transactions.command("recover") as tx:
            await sender._record(tx, lost, crash_outcome(), Doubt.RESEND)

    assert (await office.email())["attempt_count"] == 1
    assert await office.history() == ["ambiguous"]


async def test_an_email_older_than_its_lifetime_is_not_sent(office: Office) -> None:
    await office.queue_email()
    await office.change_emails(expires_at=office.transactions.clock.now() - timedelta(seconds=1))

    await office.send_once()

    [(topic, _)] = await emitted(office.transactions)
    assert (await office.email())["state"] == "failed_expired"
    assert topic == "notifications.notification_failed.v1"
    assert not office.mail_server.messages


async def test_a_text_that_cannot_be_made_fails_alone(office: Office) -> None:
    tenant = a_tenant()
    await office.hear(tenant, an_invoice(tenant.tenant_id, period="2026-09", currency="USD", number="INV-1"))
    async with office.transactions.command("break") as tx:
        await tx.connection.exec_driver_sql("update notifications set context = context - 'total_cents'")
    await office.queue_email(email="bob@example.com")

    await office.send_once()
    await office.send_once()

    assert [(row["state"], row["reason"]) for row in await office.emails()] == [
        ("failed_permanent", "not_renderable"),
        ("sent", None),
    ]


async def test_a_sender_that_is_asked_to_stop_while_the_server_is_down_stops(office: Office) -> None:
    await office.mail_server.stop()
    await office.queue_email()

    async with asyncio.timeout(8), office.sending():
        await asyncio.sleep(0.2)

    assert (await office.email())["state"] == "queued"


async def test_an_email_is_sent_at_once_without_waiting_for_the_poll(office: Office) -> None:
    async with office.sending(replace(QUICK, poll_seconds=60.0)):
        await asyncio.sleep(0.3)
        await office.queue_email()
        async with asyncio.timeout(5):
            await office.until("sent")


async def claim_and_die(office: Office) -> None:
    """What a process leaves behind that was killed between its claim and its outcome."""
    await office.queue_email()
    long_ago = office.transactions.clock.now() - timedelta(minutes=5)
    await office.change_emails(next_attempt_at=long_ago)
    async with office.transactions.engine.begin() as connection:
        assert await deliveries.claim_next(connection, long_ago, timedelta(seconds=30))
