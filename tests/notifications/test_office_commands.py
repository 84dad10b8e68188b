"""The office's commands: groups, contacts, wishes, closed addresses, explanations, texts."""

import json
import re
from typing import Any

import pytest

from services.notifications.domain.reasons import in_words
from shared.identity import new_id
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.test_new_facts import an_overdue, paid, states
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers

KEY = "k" * 32


class Desk:
    """Somebody of the office at the command line."""

    def __init__(self, database_url: str) -> None:
        self.environment = {
            "NOTIFICATIONS_DATABASE_URL": database_url,
            "PROPMAN_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/",
            "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:1",
            "NOTIFICATIONS_PUBLIC_URL": "https://notify.example.com",
            "NOTIFICATIONS_SIGNING_KEY": KEY,
            "NO_COLOR": "1",
        }

    async def run(self, *words: object, code: int = 0) -> tuple[str, str]:
        ran = await run_propman("notifications", *map(str, words), environment=self.environment)
        assert ran.code == code, (ran.code, ran.out, ran.err)
        return ran.out, ran.err

    async def json(self, *words: object) -> Any:
        return json.loads((await self.run(*words, "--json"))[0])


@pytest.fixture
async def desk(office: Office, databases: TestDatabases) -> Desk:
    return Desk(await databases.url("notifications"))


async def test_a_group_is_made_filled_subscribed_and_written_to(office: Office, desk: Desk) -> None:
    person = (await desk.json("contacts", "add", "--name", "Desk", "--email", "desk@example.com"))["id"]
    await desk.run("groups", "add", "Staff")
    await desk.run("groups", "add-member", "staff", "--person", person)
    await desk.run("groups", "subscribe", "Staff", "--event", "invoice_overdue", "--channel", "email")

    await office.hear(an_overdue(new_id()))
    await desk.run("send-notification", "--group", "staff", "--subject", "S", "--body", "B")

    named = [row for row in await desk.json("groups", "list") if row["kind"] == "named"]
    assert named == [{"name": "Staff", "kind": "named", "members": 1, "events": "invoice_overdue"}]
    assert [row["name"] for row in await desk.json("groups", "members", "Staff")] == ["Desk"]
    assert await states(office, "office") == [("queued", "digest")]
    assert await states(office, "announcement") == [("queued", None)]


async def test_a_subscription_and_a_membership_end(office: Office, desk: Desk) -> None:
    person = (await desk.json("contacts", "add", "--name", "Desk", "--email", "desk@example.com"))["id"]
    await desk.run("groups", "add", "Staff")
    await desk.run("groups", "add-member", "Staff", "--person", person)
    await desk.run("groups", "subscribe", "Staff", "--event", "invoice_overdue")

    await desk.run("groups", "unsubscribe", "Staff", "--event", "invoice_overdue")
    await desk.run("groups", "remove-member", "Staff", "--person", person)
    await office.hear(an_overdue(new_id()))

    assert await states(office, "office") == []
    await desk.run("groups", "remove", "Staff")
    await desk.run("contacts", "remove", person)
    assert await desk.json("contacts", "list") == []


async def test_the_group_of_those_who_owe_follows_what_is_paid(office: Office, desk: Desk) -> None:
    ann, bob = a_tenant(), a_tenant()
    await office.hear(ann, bob)
    owed, settled = an_overdue(ann.tenant_id), an_overdue(bob.tenant_id)
    await office.hear(owed, settled, paid(settled.invoice_id))

    report = await desk.json(
        "send-notification", "--group", "Tenants with an overdue invoice", "--subject", "S", "--body", "B", "--dry-run"
    )  # fmt: skip

    assert [row["tenant_id"] for row in report["deliveries"]] == [str(ann.tenant_id)]


async def test_a_wish_is_kept_shown_and_explained(office: Office, desk: Desk) -> None:
    ann = a_tenant(channel="sms", phone="+12125550100")
    await office.hear(ann)
    await desk.run(
        "preferences", "set", "off", "--tenant", ann.tenant_id, "--category", "billing", "--channel", "sms"
    )
    await desk.run("preferences", "quiet-hours", "22:00-07:30", "--tenant", ann.tenant_id)
    await office.hear(an_invoice(ann.tenant_id))

    [told] = await office.told()
    explained, _ = await desk.run("explain", told["id"])
    wishes = {
        (row["category"], row["channel"], row["wish"])
        for row in await desk.json("preferences", "show", "--tenant", ann.tenant_id)
    }

    assert "sms: skipped, because this person switched this kind of message off." in explained
    assert {
        ("billing", "sms", "off"),
        ("all", "sms", "quiet 22:00-07:30"),
        ("all", "sms", "chosen"),
    } <= wishes


async def test_consent_is_recorded_with_how_it_was_given_and_can_be_withdrawn(
    office: Office, desk: Desk
) -> None:
    ann = a_tenant(phone="+12125550100")
    await office.hear(ann)
    words = (
        "send-notification",
        "--tenant",
        ann.tenant_id,
        "--subject",
        "S",
        "--body",
        "B",
        "--channel",
        "sms",
        "--dry-run",
    )

    reasons = [(await desk.json(*words))["deliveries"][0]["reason"]]
    await desk.run("preferences", "consent", "--tenant", ann.tenant_id, "--source", "signed form")
    await desk.run("preferences", "quiet-hours", "none", "--tenant", ann.tenant_id)
    reasons.append((await desk.json(*words))["deliveries"][0]["reason"])
    await desk.run("preferences", "consent", "--tenant", ann.tenant_id, "--withdraw")
    reasons.append((await desk.json(*words))["deliveries"][0]["reason"])

    assert reasons == ["no_consent", None, "no_consent"]


async def test_an_address_is_closed_and_opened_again_by_hand(office: Office, desk: Desk) -> None:
    await desk.run("suppressions", "add", "Ann@Example.com", "--why", "asked by telephone")
    ann = a_tenant()
    await office.hear(ann, an_invoice(ann.tenant_id))
    closed = await desk.json("suppressions", "list", "--address", "ann@example.com")

    await desk.run("suppressions", "lift", "ann@example.com", "--by", "Kim")
    await office.hear(an_invoice(ann.tenant_id, number="INV-2"))

    assert [row["reason"] for row in closed] == ["manual"]
    assert await states(office, "invoice") == [("suppressed", "manual"), ("queued", None)]
    assert await desk.json("suppressions", "list") == []
    assert [row["lifted_by"] for row in await desk.json("suppressions", "list", "--lifted")] == ["Kim"]


async def test_a_number_that_said_stop_is_not_opened_by_the_office(office: Office, desk: Desk) -> None:
    async with office.transactions.command("stop") as tx:
        from services.notifications.handlers.hooks import take_text

        await take_text(tx, "SMin", "+12125550100", "STOP")

    _, err = await desk.run("suppressions", "lift", "+1 212 555 0100", "--by", "Kim", code=1)

    assert "said STOP" in err
    assert [row["body"] for row in await desk.json("suppressions", "texts")] == ["STOP"]


async def test_a_link_opens_the_inbox_of_one_tenant(office: Office, desk: Desk) -> None:
    ann = a_tenant()
    await office.hear(ann)

    document = await desk.json("inbox-link", "--tenant", ann.tenant_id, "--days", 1)

    from services.notifications.links import Links

    links = Links(KEY.encode(), "https://notify.example.com")
    assert links.reader(document["token"], office.transactions.clock.now()) == ann.tenant_id
    assert document["url"] == f"https://notify.example.com/inbox?token={document['token']}"


async def test_the_texts_are_listed_checked_and_shown(desk: Desk, tmp_path: Any) -> None:
    listed = await desk.json("template", "list")
    _, checked = await desk.run("template", "check")
    shown, _ = await desk.run("template", "preview", "reminder", "--locale", "es")
    await desk.run("template", "preview", "invoice", "--html", tmp_path / "invoice.html")

    assert {"reminder", "invoice", "weather_raised"} <= {row["template"] for row in listed}
    assert "are complete" in checked
    assert "Vencido: $1,625.00 por pagar" in shown
    assert (tmp_path / "invoice.html").read_text().startswith("<!doctype html>")


async def test_a_reminder_is_shown_at_each_of_its_stages(desk: Desk) -> None:
    every, _ = await desk.run("template", "preview", "reminder")
    early, _ = await desk.run("template", "preview", "reminder", "--stage", "-3")
    charged, _ = await desk.run("template", "preview", "reminder", "--stage", "autopay")

    assert re.findall(r"^--- stage (.+)$", every, re.MULTILINE) == [
        "-3",
        "-1",
        "0",
        "1",
        "7",
        "30",
        "autopay",
    ]
    assert "Invoice INV-2026-000123, due on September 5, 2026: $1,550.00" in early
    assert "Subject: Autopay: you will be charged $1,550.00" in charged
    assert early.strip() in every


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("groups", "subscribe", "Staff", "--event", "rent"), "no event 'rent'"),
        (("groups", "add", "all tenants"), "follows a rule"),
        (("contacts", "add", "--name", "X"), "how to reach them"),
        (("contacts", "add", "--name", "X", "--webhook", "http://example.com"), "https://"),
        (("contacts", "add", "--name", "X", "--phone", "12"), "not a telephone number"),
        (("contacts", "add", "--name", "X", "--email", "x at y"), "not an e-mail address"),
        (("contacts", "add", "--name", "X", "--email", "a@b"), "not an e-mail address"),
        (("preferences", "set", "off", "--tenant", str(new_id())), "Say which"),
        (("preferences", "set", "off", "--tenant", str(new_id()), "--category", "rent"), "no category 'rent'"),
        (("preferences", "quiet-hours", "22-7", "--tenant", str(new_id())), "21:00-08:00"),
        (("preferences", "consent", "--tenant", str(new_id())), "--source"),
        (("suppressions", "add", "nobody", "--why", "x"), "neither"),
        (("suppressions", "add", "ann@example.com", "--why", "x", "--category", "rent"), "no category 'rent'"),
        (("template", "preview", "nothing"), "no template"),
        (("template", "preview", "reminder", "--stage", "5"), "Use one of -3, -1, 0, 1, 7, 30, autopay"),
        (("template", "preview", "invoice", "--stage", "1"), "not told in stages"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_in_one_line(
    desk: Desk, words: tuple[str, ...], said: str
) -> None:
    _, err = await desk.run(*words, code=2)

    assert said in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("groups", "members", "Nobody"), 2),
        (("groups", "add-member", "Nobody", "--person", str(new_id())), 2),
        (("contacts", "remove", str(new_id())), 2),
        (("preferences", "show", "--tenant", str(new_id())), 2),
        (("explain", str(new_id())), 2),
        (("suppressions", "lift", "ann@example.com", "--by", "Kim"), 1),
    ],
)
async def test_what_is_not_there_is_said_in_one_line(desk: Desk, words: tuple[str, ...], code: int) -> None:
    _, err = await desk.run(*words, code=code)

    assert len(err.strip().splitlines()) == 1


async def test_a_dry_run_knows_who_shares_an_address_as_the_real_run_does(office: Office, desk: Desk) -> None:
    await office.hear(a_tenant(email="home@example.com"), a_tenant(email="Home@example.com"))
    words = ("send-notification", "--group", "All Tenants", "--subject", "S", "--body", "B")

    dry = await desk.json(*words, "--dry-run")
    await desk.run(*words)

    planned = sorted((row["tenant_id"], row["reason"]) for row in dry["deliveries"])
    written = sorted((str(row["tenant_id"]), row["reason"]) for row in await office.emails())
    assert planned == written
    assert sorted(str(reason) for _, reason in written) == ["None", "shared_address"]


async def test_a_long_body_is_refused_for_texts_before_anything_is_written(
    office: Office, desk: Desk
) -> None:
    await office.hear(a_tenant())

    _, err = await desk.run(
        "send-notification", "--group", "All Tenants", "--subject", "S", "--body", "x" * 10_000, "--channel", "sms", code=2
    )  # fmt: skip

    assert "66 messages to each phone; 4 is the most" in err
    assert await office.told() == []


def test_a_reason_without_words_of_its_own_can_still_be_read() -> None:
    assert in_words("some_new_reason") == "some new reason"
    assert in_words(None) == ""


async def test_a_mail_that_came_back_closes_its_address_and_goes_another_way(
    office: Office, desk: Desk
) -> None:
    ann = await sent_mail(office, channel="email", phone="+12125550100")
    await desk.run("preferences", "consent", "--tenant", ann.tenant_id, "--source", "a form")
    [told] = await office.told()

    await desk.run("record", told["id"], "bounced", "--by", "Kim")

    explained, _ = await desk.run("explain", told["id"])
    closed = await desk.json("suppressions", "list", "--address", "ann@example.com")
    assert "reported_bounced: the mailbox does not exist: recorded by Kim" in explained
    assert [row["reason"] for row in closed] == ["hard_bounce"]
    assert await states(office, "invoice", "email") == [("bounced", "hard_bounce")]
    assert [state for state, _ in await states(office, "invoice", "sms")] == ["queued"]


async def test_a_complaint_closes_the_address_and_nothing_is_sent_instead(office: Office, desk: Desk) -> None:
    await sent_mail(office, phone="+12125550100")
    [told] = await office.told()

    await desk.run("record", told["id"], "complained")
    _, error = await desk.run("record", told["id"], "bounced", code=1)

    assert await states(office, "invoice", "email") == [("complained", "complaint")]
    assert await states(office, "invoice", "sms") == []
    assert "is complained, so that it cannot have bounced" in error


async def sent_mail(office: Office, **fields: Any) -> Any:
    ann = a_tenant(**fields)
    await office.hear(ann, an_invoice(ann.tenant_id))
    await office.send_once()
    return ann


async def test_an_explanation_says_each_thing_once(office: Office, desk: Desk) -> None:
    await sent_mail(office)
    [told] = await office.told()

    explained, _ = await desk.run("explain", told["id"])

    assert "  accepted: 250" in explained
    assert "accepted: accepted" not in explained


async def test_who_writes_to_a_console_that_is_not_set_up_is_told(office: Office, desk: Desk) -> None:
    ann = a_tenant()
    await office.hear(ann)

    _, said = await desk.run(
        "send-notification",
        "--tenant",
        ann.tenant_id,
        "--subject",
        "S",
        "--body",
        "B",
        "--channel",
        "console",
    )

    assert "NOTIFICATIONS_CONSOLE=true" in said
