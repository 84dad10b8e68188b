"""The commands, as a person or a script meets them."""

import json
from datetime import date
from typing import Any

import pytest

from shared.contracts.leasing import LeaseActivated, PropertyRegistered
from shared.identity import new_id
from tests.notifications.office import Office, a_changed_tenant, a_tenant, an_invoice
from tests.support.commands import run_propman
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers


class Shell:
    """Runs `propman notifications …` with its settings in the environment."""

    def __init__(self, database_url: str) -> None:
        self.environment = {
            "NOTIFICATIONS_DATABASE_URL": database_url,
            "PROPMAN_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/",
            "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:1",
            "NO_COLOR": "1",
        }

    async def run(self, *words: object, exit_code: int = 0) -> tuple[str, str]:
        """What it printed to stdout and to stderr."""
        ran = await run_propman("notifications", *map(str, words), environment=self.environment)
        assert ran.code == exit_code, (ran.code, ran.out, ran.err)
        assert "Traceback" not in ran.err
        return ran.out, ran.err

    async def json(self, *words: object) -> Any:
        out, _ = await self.run(*words, "--json")
        return json.loads(out)


@pytest.fixture
async def shell(office: Office, databases: TestDatabases) -> Shell:
    return Shell(await databases.url("notifications"))


async def test_list_and_counts_show_each_delivery_with_its_state(office: Office, shell: Shell) -> None:
    ann = await office.queue_email()
    await office.queue_email(email=None)

    listed = await shell.json("list", "--state", "queued")
    counted = await shell.json("counts")
    table, _ = await shell.run("list", "--tenant", ann.tenant_id)

    assert [(row["tenant_id"], row["channel"]) for row in listed] == [(str(ann.tenant_id), "email")]
    assert {(row["channel"], row["state"]): row["count"] for row in counted} == {
        ("email", "queued"): 1,
        ("email", "skipped"): 1,
        ("in_app", "delivered"): 2,
    }
    assert len(table.splitlines()) == 3
    assert "ann@example.com" not in table


async def test_show_prints_the_text_and_what_happened_to_each_delivery(office: Office, shell: Shell) -> None:
    await office.queue_email()
    office.mail_server.on_recipient = "550 5.1.1 no such user"
    await office.send_once()
    email = await office.email()

    by_delivery, _ = await shell.run("show", email["id"])
    document = await shell.json("show", email["notification_id"])

    for said in (
        "Invoice INV-2026-000123",
        "Hello Ann Example",
        "failed_permanent",
        "550 5.1.1 no such user",
    ):
        assert said in by_delivery
    [history] = [row["history"] for row in document["deliveries"] if row["channel"] == "email"]
    assert [entry["event"] for entry in history] == ["refused"]


async def test_the_inbox_shows_the_messages_as_their_tenant_reads_them(office: Office, shell: Shell) -> None:
    ann = await office.queue_email()

    [message] = await shell.json("inbox", "--tenant", ann.tenant_id)
    text, _ = await shell.run("inbox", "--tenant", ann.tenant_id)

    assert message["subject"].startswith("Invoice INV-2026-000123")
    assert "Total: $1,550.00" in text


@pytest.mark.parametrize("verb", [("show",), ("retry",), ("inbox", "--tenant")])
async def test_an_unknown_id_is_one_readable_line(shell: Shell, verb: tuple[str, ...]) -> None:
    _, err = await shell.run(*verb, new_id(), exit_code=2)

    assert err.startswith("Error: There is no ")


async def test_retry_queues_a_failed_email_under_the_address_of_now(office: Office, shell: Shell) -> None:
    ann = await office.queue_email(email="typo@example.com")
    office.mail_server.on_recipient = "550 gone"
    await office.send_once()
    office.mail_server.on_recipient = "250 OK"
    await office.hear(a_changed_tenant(ann.tenant_id, version=2, email="ann@example.com"))

    await shell.run("retry", (await office.email())["notification_id"])
    await office.send_once()

    assert office.mail_server.recipients == ["ann@example.com"]
    assert await office.history() == ["refused", "retried_by_hand", "accepted"]


async def test_retry_of_an_email_that_was_sent_is_refused(office: Office, shell: Shell) -> None:
    await office.queue_email()
    await office.send_once()

    _, err = await shell.run("retry", (await office.email())["id"], exit_code=1)

    assert "This e-mail is sent" in err


async def test_retry_is_refused_while_there_is_no_address(office: Office, shell: Shell) -> None:
    await office.queue_email(email=None)

    _, err = await shell.run("retry", (await office.email())["id"], exit_code=1)

    assert "no_address" in err


async def test_an_address_outside_gets_an_email_when_the_service_runs(office: Office, shell: Shell) -> None:
    _, err = await shell.run(
        "send-notification", "--to", "x@example.com", "--subject", "Hi", "--body", "One\n\nTwo"
    )
    await office.send_once()

    assert "running service sends" in err
    [message] = office.mail_server.messages
    assert (message["To"], message["Subject"]) == ("x@example.com", "Hi")


async def test_all_tenants_get_it_once_on_every_channel_asked_for(office: Office, shell: Shell) -> None:
    await office.hear(a_tenant(email="a@example.com"), a_tenant(email=None), an_invoice(new_id()))

    report = await shell.json(
        "send-notification", "--group", "all tenants", "--subject", "S", "--body", "B",
        "--channel", "email", "--channel", "in_app", "--channel", "email",
    )  # fmt: skip

    told = [row for row in await office.told() if row["template"] == "announcement"]
    assert (report["recipients"], len(told)) == (2, 2)
    assert sorted(row["state"] for row in report["deliveries"]) == [
        "delivered",
        "delivered",
        "queued",
        "skipped",
    ]


async def test_a_property_group_is_the_tenants_of_the_leases_that_run_there(
    office: Office, shell: Shell
) -> None:
    oak = PropertyRegistered(
        property_id=new_id(), version=1, name="Oak House", address="1 Oak St", time_zone="UTC"
    )
    here, former = a_tenant(), a_tenant()
    await office.hear(oak, here, former, a_tenant())
    await office.hear(
        a_lease(oak.property_id, here.tenant_id),
        a_lease(oak.property_id, former.tenant_id, ends_on=date(2020, 2, 1)),
    )

    report = await shell.json(
        "send-notification", "--group", "Tenants of Oak House", "--subject", "S", "--body", "B", "--dry-run"
    )

    assert [row["tenant_id"] for row in report["deliveries"]] == [str(here.tenant_id)]


async def test_a_dry_run_lists_the_recipients_and_writes_nothing(office: Office, shell: Shell) -> None:
    await office.hear(a_tenant())

    out, err = await shell.run(
        "send-notification", "--group", "All Tenants", "--subject", "S", "--body", "B", "--dry-run"
    )

    assert "ann@example.com" in out
    assert "nothing was written" in err
    assert await office.told() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "x@example.com", "--subject", "Hi\nBcc: all@example.com"), "line break"),
        (("--to", "x@example.com", "--subject", ""), "subject is empty"),
        (("--to", "x at example", "--subject", "Hi"), "not an e-mail address"),
        (("--to", "a@b", "--subject", "Hi"), "not an e-mail address"),
        (("--to", "x@example.com", "--subject", "Hi", "--channel", "sms"), "no telephone number"),
        (("--to", "x@example.com", "--subject", "Hi", "--channel", "pigeon"), "no channel 'pigeon'"),
        (("--to", "x@example.com", "--subject", "Hi", "--channel", "in_app"), "no app to show it in"),
        (("--group", "Staff", "--subject", "Hi"), '"All Tenants"'),
        (("--subject", "Hi"), "exactly one of"),
        (("--to", "x@example.com", "--group", "All Tenants", "--subject", "Hi"), "exactly one of"),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_one_line_and_writes_nothing(
    office: Office, shell: Shell, words: tuple[str, ...], said: str
) -> None:
    _, err = await shell.run("send-notification", "--body", "B", *words, exit_code=2)

    assert said in err
    assert await office.told() == []


def a_lease(property_id: Any, tenant_id: Any, **fields: Any) -> LeaseActivated:
    given: dict[str, Any] = {
        "lease_id": new_id(), "version": 1, "property_id": property_id, "unit_id": new_id(), "unit_label": "1",
        "tenant_ids": (tenant_id,), "time_zone": "UTC", "rent_cents": 1, "starts_on": date(2020, 1, 1),
    }  # fmt: skip
    return LeaseActivated(**(given | fields))
