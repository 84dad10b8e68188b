"""What signers get: the link in the mail alone, to the address it was made for, and in nothing that is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.notifications.handlers import events
from services.notifications.rendering import Templates
from services.notifications.schema import deliveries, notifications
from services.notifications.texting import rendered_row
from shared.contracts.leasing import (
    LeaseSigned,
    LeaseSigner,
    SigningLinkExpired,
    SigningLinkIssued,
    SigningLinkRevoked,
    SigningLinkUsed,
    SigningLinkWanted,
    SigningReminderDue,
)
from shared.identity import new_id
from shared.link_keys import LinkKeys, check_of, digest
from tests.notifications.office import Office, a_changed_tenant, a_tenant
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

KEYS = LinkKeys([b"k" * 32])
TOKEN = KEYS.token("ticket")
URL = "https://leases.example.com/sign"


@pytest.fixture(autouse=True)
def key(office: Office) -> None:
    office.keys = KEYS


def facts(tenant_id: UUID | None, **fields: Any) -> dict[str, Any]:
    """What all facts of one link say."""
    now = datetime.now(UTC)
    return {
        "link_id": new_id(),
        "signer_id": new_id(),
        "request_id": new_id(),
        "lease_id": new_id(),
        "property_id": new_id(),
        "unit_label": "2B",
        "time_zone": "America/New_York",
        "role": "tenant" if tenant_id else "landlord",
        "tenant_id": tenant_id,
        "name": "Ann Example",
        "email": "ann@example.com",
        "expires_at": now + timedelta(days=7),
        "issued_at": now,
        "url": URL,
        "ticket": "ticket",
        "check": check_of(digest(TOKEN)),
    } | fields


def issued(tenant_id: UUID | None, **fields: Any) -> SigningLinkIssued:
    return SigningLinkIssued(number=1, **facts(tenant_id, **fields))


def address(fact: SigningLinkIssued | SigningReminderDue) -> str:
    return f"{URL}/{fact.link_id.hex}.{TOKEN}"


async def kept(office: Office) -> str:
    """Everything that stays in the database, and everything that was said."""
    async with office.transactions.engine.connect() as connection:
        rows = [(await connection.execute(table.select())).all() for table in (notifications, deliveries)]
    return str([*rows, await office.history(), await emitted(office.transactions)])


async def test_the_mail_has_the_link_and_what_is_kept_of_it_has_not(office: Office) -> None:
    ann = a_tenant()
    fact = issued(ann.tenant_id)

    await office.hear(ann, fact)
    await office.send_once()

    [mail] = office.mail_server.messages
    texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    assert len(texts) == 2
    assert address(fact) in texts[0]
    assert f'<a href="{address(fact)}">' in texts[1]
    assert TOKEN not in await kept(office)
    assert "[not kept]" in (await office.email())["rendered"]["text"]


async def test_the_app_says_that_a_mail_was_sent_and_has_no_link(office: Office) -> None:
    ann = a_tenant(channel="in_app")
    await office.hear(ann, issued(ann.tenant_id))

    [shown] = await office.shown()
    [told] = await office.told()

    row = {**told, "tenant_name": "Ann", "property_name": "", "home": None, "zone": None, "locale": "en"}
    text = rendered_row(Templates(), row, told["created_at"]).text
    assert "sent to you by e-mail" in text
    assert URL not in text
    assert shown["state"] == "delivered"
    assert (await office.email())["state"] == "queued"


async def test_a_mail_goes_where_its_link_was_issued_for_whatever_address_is_known_here(
    office: Office,
) -> None:
    ann = a_tenant(email="old@example.com")
    await office.hear(ann, issued(ann.tenant_id, email="new@example.com"))
    await office.hear(a_changed_tenant(ann.tenant_id, version=2, email="newer@example.com"))

    await office.send_once()

    assert [mail["To"] for mail in office.mail_server.messages] == ["new@example.com"]


async def test_a_signer_who_is_not_known_yet_is_not_waited_for(office: Office) -> None:
    await office.hear(issued(new_id()))

    await office.send_once()

    assert [mail["To"] for mail in office.mail_server.messages] == ["ann@example.com"]


async def test_a_landlord_is_written_to_by_name_and_in_their_language(office: Office) -> None:
    await office.hear(issued(None, name="Rosa Diaz", email="rosa@example.com", locale="es"))

    await office.send_once()

    [mail] = office.mail_server.messages
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert (mail["To"], "Hola, Rosa Diaz" in text, "como arrendador" in text) == (
        "rosa@example.com",
        True,
        True,
    )


@pytest.mark.parametrize("keys", [None, LinkKeys([b"x" * 32])], ids=["no key", "another key"])
async def test_without_the_right_key_no_dead_link_is_sent(office: Office, keys: LinkKeys | None) -> None:
    office.keys = keys
    ann = a_tenant()
    await office.hear(ann, issued(ann.tenant_id))

    await office.send_once()

    mail = await office.email()
    assert (mail["state"], mail["reason"]) == ("failed_permanent", "not_renderable")
    assert "PROPMAN_LINK_KEY" in mail["last_error"]
    assert office.mail_server.messages == []


def over(name: str, fact: SigningLinkIssued) -> Any:
    about = {field: getattr(fact, field) for field in SigningLinkUsed.model_fields if field != "signed_at"}
    later = fact.issued_at + timedelta(hours=1)
    if name == "revoked":
        return SigningLinkRevoked(**about, reason="lease_changed", revoked_at=later)
    if name == "signed":
        return SigningLinkUsed(**about, signed_at=later)
    return issued(fact.tenant_id, replaces=fact.link_id, email="other@example.com")


@pytest.mark.parametrize("name", ["revoked", "signed", "replaced"])
async def test_a_link_that_is_over_before_its_mail_leaves_is_not_sent(office: Office, name: str) -> None:
    ann = a_tenant()
    fact = issued(ann.tenant_id)
    await office.hear(ann, fact, over(name, fact))

    await office.send_once()

    states = {row["address"]: (row["state"], row["reason"]) for row in await office.emails()}
    assert states["ann@example.com"] == ("canceled", f"link_{name}")


async def test_a_revocation_that_comes_first_counts_too(office: Office) -> None:
    ann = a_tenant()
    fact = issued(ann.tenant_id)

    await office.hear(ann, over("revoked", fact), fact)

    assert [row["state"] for row in await office.emails()] == ["canceled"]


async def test_two_signers_with_one_address_get_a_mail_each(office: Office) -> None:
    ann = a_tenant()
    await office.hear(ann, issued(ann.tenant_id), issued(None, name="Ann, for the landlord"))

    for _ in range(2):
        await office.send_once()

    assert [mail["To"] for mail in office.mail_server.messages] == ["ann@example.com"] * 2


async def test_a_reminder_has_the_link_and_is_sent_once_for_each_number(office: Office) -> None:
    ann = a_tenant()
    said = facts(ann.tenant_id)
    first, second = (SigningReminderDue(reminder=number, **said) for number in (1, 2))
    await office.hear(ann, first, first, second)

    for _ in range(2):
        await office.send_once()

    assert len(await office.emails()) == 2
    for mail in office.mail_server.messages:
        assert address(first) in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_an_expired_link_is_told_with_the_way_to_another(office: Office) -> None:
    ann = a_tenant()
    said = {
        name: value for name, value in facts(ann.tenant_id).items() if name in SigningLinkExpired.model_fields
    }
    fact = SigningLinkExpired(**said, expired_at=datetime(2026, 3, 9, 15, tzinfo=UTC))

    await office.hear(ann, fact, fact)
    await office.send_once()

    [mail] = office.mail_server.messages
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "11:00" in text
    assert "ask for a new one" in text


async def test_everybody_who_signed_is_told_that_all_have(office: Office) -> None:
    ann, ben = a_tenant(), a_tenant(name="Ben", email="ben@example.com")
    at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    rosa = LeaseSigner(
        signer_id=new_id(), role="landlord", name="Rosa", email="rosa@example.com", signed_at=at
    )
    fact = LeaseSigned(
        lease_id=new_id(),
        request_id=new_id(),
        property_id=new_id(),
        unit_label="2B",
        time_zone="America/New_York",
        tenant_ids=(ann.tenant_id, ben.tenant_id),
        method="electronic",
        content_hash="ab" * 32,
        signers=(rosa,),
        signed_at=at,
        signed_on=at.date(),
    )

    await office.hear(ann, ben, fact, fact)
    for _ in range(3):
        await office.send_once()

    mails = {str(mail["To"]): mail.get_body(("plain",)).get_content() for mail in office.mail_server.messages}  # type: ignore[union-attr]
    assert sorted(mails) == ["ann@example.com", "ben@example.com", "rosa@example.com"]
    assert all("ab" * 32 in text for text in mails.values())
    assert "Hello Rosa," in mails["rosa@example.com"]


async def test_the_office_can_hear_of_everything_and_of_nothing_that_opens_a_lease(office: Office) -> None:
    names = {"signing_link_issued", "signing_link_expired", "signing_link_wanted", "lease_signed"}
    assert names <= set(events())

    ann = a_tenant()
    fact = issued(ann.tenant_id)
    about = {field: getattr(fact, field) for field in SigningLinkWanted.model_fields if hasattr(fact, field)}
    boss = await a_subscriber(office, "signing_link_issued", "signing_link_wanted")
    await office.hear(ann, fact, SigningLinkWanted(**about, state="expired", wanted_at=fact.issued_at))

    told = [row for row in await office.told() if row["tenant_id"] == boss]
    assert [row["context"]["event"] for row in told] == ["signing_link_issued", "signing_link_wanted"]
    assert not {"ticket", "url", "email", "name"} & {key for row in told for key in row["context"]}


async def a_subscriber(office: Office, *names: str) -> UUID:
    """Somebody of the office who hears of these events."""
    boss, group = new_id(), new_id()
    async with office.transactions.engine.begin() as connection:
        run = connection.exec_driver_sql
        await run(
            "insert into contacts (tenant_id, version, name, email, locale, channel, kind, updated_at)"
            f" values ('{boss}', 1, 'Boss', 'boss@example.com', 'en', 'email', 'external', now())"
        )
        await run(f"insert into groups values ('{group}', 'Office', now())")
        await run(f"insert into group_members values ('{group}', '{boss}')")
        for name in names:
            await run(f"insert into subscriptions (group_id, event) values ('{group}', '{name}')")
    return boss
