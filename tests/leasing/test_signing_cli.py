"""Signing links at the command line, as the office types it."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from services.leasing.schema import signing_links
from services.leasing.settings import Settings
from shared.contracts.scheduler import SigningLinkExpiryDue
from shared.heartbeats import Heartbeat, instances
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.transaction import Transactions
from tests.leasing.typed import Run, a_lease, document
from tests.support.eventually import eventually
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers

KEY = "0123456789abcdef0123456789abcdef"
LINKS = ("signing-links",)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose links can be opened."""
    monkeypatch.setenv("LEASING_PUBLIC_URL", "https://leases.example.com/")
    monkeypatch.setenv("PROPMAN_LINK_KEY", KEY)


async def topics(transactions: Transactions) -> list[str]:
    return [topic.split(".")[1] for topic, _ in await emitted(transactions) if "sign" in topic]


async def test_a_lease_is_sent_shown_sent_again_and_called_back(run: Run, transactions: Transactions) -> None:
    _, tenant, lease = await a_lease(run)

    (sent,) = document(await run(*LINKS, "send", lease, "--valid-days", "14", "--json"))
    again = await run(*LINKS, "resend", lease)
    shown = document(await run(*LINKS, "show", lease, "--json"))
    back = await run(*LINKS, "revoke", lease)

    assert (sent["tenant_id"], sent["sent_to"], sent["state"]) == (tenant, "ann@example.com", "pending")
    assert (again.exit_code, back.exit_code) == (0, 0)
    assert shown["signature"] == "out"
    assert [link["state"] for link in shown["requests"][0]["links"]] == ["replaced", "pending"]
    assert shown["requests"][0]["document"]["tenants"] == ["Ann Lee"]
    assert await topics(transactions) == [
        "signing_link_issued",
        "signing_link_issued",
        "signing_link_revoked",
    ]


async def test_nothing_that_is_printed_opens_anything(run: Run) -> None:
    _, _, lease = await a_lease(run)

    printed = [(await run(*LINKS, "send", lease, *how)).output for how in (["--json", "--dry-run"], [])]
    printed += [
        (await run(*LINKS, *words)).output for words in (["list", "--json"], ["show", lease, "--json"])
    ]

    assert all(text and "ticket" not in text and "token" not in text for text in printed)


async def test_people_read_who_was_asked_and_until_when(run: Run) -> None:
    _, _, lease = await a_lease(run)
    await run(*LINKS, "send", lease, "--landlord", "Rosa Diaz <rosa@example.com>")

    listed = (await run(*LINKS, "list", "--state", "pending")).stdout
    shown = await run(*LINKS, "show", lease)

    for text in ("Ann Lee", "Rosa Diaz", "landlord", "ann@example.com", "pending"):
        assert text in listed
    assert "EST" in listed or "EDT" in listed
    assert "Signature: out" in shown.stderr


async def test_a_dry_run_writes_nothing(run: Run, transactions: Transactions) -> None:
    _, _, lease = await a_lease(run)
    before = await emitted(transactions)

    for words in (
        [*LINKS, "send", lease],
        [*LINKS, "record-paper", lease, "--on", "2026-01-01"],
        ["expire-signing-links", "--days", "1"],
    ):
        assert (await run(*words, "--dry-run")).exit_code == 0

    assert (await count_rows(transactions, signing_links), await emitted(transactions)) == (0, before)


async def test_nothing_to_expire_is_said_and_no_failure(run: Run) -> None:
    _, _, lease = await a_lease(run)
    await run(*LINKS, "send", lease)

    result = await run("expire_signing_links", "--days", "7")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to expire" in result.stderr


async def test_enqueued_it_is_left_to_the_running_service(run: Run, transactions: Transactions) -> None:
    result = document(await run("expire-signing-links", "--days", "3", "--enqueue", "--json"))

    [(topic, body)] = await emitted(transactions)
    assert (topic, body["days"], body["occurrence_id"]) == (
        SigningLinkExpiryDue.topic,
        3,
        result["occurrence_id"],
    )


async def test_paper_is_recorded_once(run: Run) -> None:
    _, _, lease = await a_lease(run)

    done = document(await run(*LINKS, "record-paper", lease, "--on", "2026-01-01", "--json"))
    again = await run(*LINKS, "record-paper", lease, "--on", "2026-01-01")

    assert (done["state"], again.exit_code) == ("paper", 1)
    assert "signed as it stands" in again.stderr


REFUSED = (
    ("send {lease} --landlord Rosa", 2, "landlord"),
    ("send {lease} --landlord a@b@c", 2, "landlord"),
    ("send {lease} --no-landlord --landlord R<r@example.com>", 2, "exclude each other"),
    ("send 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80", 2, "no lease"),
    ("resend {lease}", 1, "not out"),
    ("revoke {lease}", 1, "not out"),
    ("record-paper {lease} --on 2999-01-01", 2, "to come"),
    ("list --state lost", 2, "state"),
    ("send {lease} --valid-days 0", 2, "valid-days"),
)


async def test_what_cannot_be_done_is_said_in_one_line(run: Run) -> None:
    _, _, lease = await a_lease(run)

    for words, code, named in REFUSED:
        result = await run(*LINKS, *words.format(lease=lease).split())
        assert (result.exit_code, named in result.stderr, "Traceback" in result.output) == (code, True, False)


async def test_without_an_address_nothing_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, lease = await a_lease(run)
    monkeypatch.delenv("LEASING_PUBLIC_URL")

    result = await run(*LINKS, "send", lease)

    assert result.exit_code == 2
    assert "LEASING_PUBLIC_URL" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("PROPMAN_LINK_KEY", "short", "at least 32"),
        ("PROPMAN_LINK_KEY", "", "PROPMAN_LINK_KEY"),
        ("LEASING_PUBLIC_URL", "leases.example.com", "https://"),
        ("LEASING_SIGNING_DAYS", "0", "SIGNING_DAYS"),
        ("LEASING_SIGNING_REMINDER_HOURS", "72,soon", "SIGNING_REMINDER_HOURS"),
    ],
)
async def test_a_bad_setting_is_named_and_never_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    monkeypatch.setenv(name, value)

    result = await run(*LINKS, "list")

    assert result.exit_code == 2
    assert named in result.stderr


def test_several_keys_and_reminders_are_given_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASING_DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://h/")
    monkeypatch.setenv("PROPMAN_LINK_KEY", f"{KEY}, {KEY[::-1]}")
    monkeypatch.setenv("LEASING_SIGNING_REMINDER_HOURS", "48, 12")

    found = Settings()

    assert (len(found.link_key), found.signing_reminder_hours) == (2, (48, 12))
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("url", "ports", "wrong"),
    [
        ("http://127.0.0.1:8101", {45_067}, True),
        ("http://localhost:8101", {8_101, 45_067}, False),
        ("http://127.0.0.1:8101", set(), False),  # it does not run: nobody knows
        ("https://127.0.0.1:8443", {8_101}, False),  # a proxy that speaks TLS
        ("http://leases.example.com", {8_101}, False),
    ],
)
def test_links_that_lead_to_another_program_are_noticed(
    monkeypatch: pytest.MonkeyPatch, url: str, ports: set[int], wrong: bool
) -> None:
    monkeypatch.setenv("LEASING_PUBLIC_URL", url)
    monkeypatch.setenv("LEASING_DATABASE_URL", "postgresql://a:b@c/d")
    monkeypatch.setenv("PROPMAN_RABBITMQ_URL", "amqp://a:b@c")

    words = Settings().wrong_door(ports)

    assert (words is not None) is wrong
    assert words is None or "Set LEASING_PUBLIC_URL=http://127.0.0.1:45067" in words


async def test_who_sends_links_that_lead_elsewhere_is_warned(
    run: Run, transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASING_PUBLIC_URL", "http://127.0.0.1:8101")
    _, _, lease = await a_lease(run)
    heartbeat = Heartbeat("leasing", transactions, MessagingMetrics(CollectorRegistry()))
    heartbeat.http_port = 45_067
    beating = asyncio.create_task(heartbeat.run())
    await eventually(lambda: _is_running(transactions))

    sent = await run(*LINKS, "send", lease)
    heartbeat.stop()
    await beating

    assert sent.exit_code == 0
    assert "leasing answers on port 45067" in sent.stderr


async def _is_running(transactions: Transactions) -> bool:
    return await count_rows(transactions, instances) == 1


async def test_what_is_not_out_for_signature_says_why_and_what_to_do(run: Run) -> None:
    _, _, lease = await a_lease(run)
    answers = [await run(*LINKS, "revoke", lease)]
    await run(*LINKS, "send", lease)
    await run(*LINKS, "revoke", lease)
    answers.append(await run(*LINKS, "resend", lease))
    await run(*LINKS, "send", lease)
    await run(*LINKS, "record-paper", lease, "--on", "2026-01-02")
    answers.append(await run(*LINKS, "resend", lease))

    assert {answer.exit_code for answer in answers} == {1}
    for answer, why in zip(
        answers, ("signature.", "it was called back", "it was signed on paper"), strict=True
    ):
        assert why in answer.stderr
        assert "Send it with `propman leasing signing-links send`" in answer.stderr
