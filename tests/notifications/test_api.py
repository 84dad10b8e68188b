"""The HTTP side: signed reports and texts, one click that ends a kind of mail, and a tenant's inbox."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.notifications.api import Api
from services.notifications.domain.tokens import BadToken, is_twilio_signature, read, sign
from services.notifications.links import Links
from services.notifications.openapi import openapi_document
from services.notifications.rendering import Templates
from services.notifications.settings import Settings
from shared.contracts.leasing import TenantRegistered
from shared.http import HttpServer
from shared.identity import new_id
from tests.notifications.office import Office, a_tenant, an_invoice
from tests.notifications.test_text_messages import SHARED, suppressions
from tests.support.messages import emitted

LINKS = Links(b"k" * 32, "https://notify.example.com")
TOKEN = "12345"
SETTINGS = Settings.model_validate(
    {
        "database_url": "postgresql://u:p@h/d",
        "broker_url": "amqp://h/",
        "smtp_url": "smtp://127.0.0.1:1025",
        "public_url": LINKS.public_url,
        "signing_key": "k" * 32,
        "twilio_account_sid": "AC1",
        "twilio_auth_token": TOKEN,
        "twilio_from": "+15005550006",
    }
)


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, or Twilio, before the real server."""
    api = Api(office.transactions, LINKS, SETTINGS, Templates())
    server = HttpServer("notifications", api.routes(), host="127.0.0.1", port=0, fixed=True)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as found:
        yield found
    await server.stop()


async def signed(client: httpx.AsyncClient, path: str, fields: dict[str, str], **changes: Any) -> int:
    """Twilio calls: the status it gets."""
    said = "".join(f"{name}{fields[name]}" for name in sorted(fields))
    mac = hmac.new(changes.get("token", TOKEN).encode(), f"{LINKS.public_url}{path}{said}".encode(), sha1)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": base64.b64encode(mac.digest()).decode(),
    }
    body = urlencode(changes.get("sent", fields))
    return (await client.post(path, content=body, headers=headers)).status_code


def bearer(tenant_id: UUID, office: Office, days: int = 1) -> dict[str, str]:
    token = LINKS.inbox_token(tenant_id, office.transactions.clock.now() + timedelta(days=days))
    return {"Authorization": f"Bearer {token}"}


async def with_message(office: Office) -> TenantRegistered:
    ann = a_tenant()
    await office.hear(ann, an_invoice(ann.tenant_id))
    return ann


@pytest.mark.shared_data
def test_the_provider_s_own_vectors_are_accepted_and_anything_else_is_not() -> None:
    if not SHARED.exists():
        pytest.skip("the recorded vectors are not here; set PROPMAN_SHARED")
    vectors = json.loads((SHARED / "request_signature_vectors.json").read_text())
    fields = vectors[0]["params"]

    for vector in vectors:
        token, url, given = vector["auth_token"], vector["url"], vector["signature"]
        assert is_twilio_signature(token, url, fields, given)
        assert not is_twilio_signature(token, url, fields | {"Digits": "4321"}, given)
        assert not is_twilio_signature("other", url, fields, given)
        assert not is_twilio_signature(token, url, fields, "")


async def test_a_signed_report_moves_its_text(client: httpx.AsyncClient, office: Office) -> None:
    identity = await sent_text(office)
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}

    status = await signed(client, LINKS.report_path(identity), fields)

    assert status == 204
    assert await state_of(office, identity) == "delivered"


@pytest.mark.parametrize(
    "changes", [{"token": "54321"}, {"sent": {"MessageSid": "SM1", "MessageStatus": "failed"}}]
)
async def test_a_forged_report_changes_nothing(
    client: httpx.AsyncClient, office: Office, changes: dict[str, Any]
) -> None:
    identity = await sent_text(office)

    status = await signed(
        client,
        LINKS.report_path(identity),
        {"MessageSid": "SM1", "MessageStatus": "delivered"},
        **changes,
    )

    assert status == 403
    assert await state_of(office, identity) == "sent"


async def test_a_report_needs_the_proof_of_its_own_delivery(
    client: httpx.AsyncClient, office: Office
) -> None:
    identity = await sent_text(office)
    other = LINKS.report_path(new_id()).rpartition("/")[2]

    path = f"/hooks/twilio/status/{identity}/{other}"

    assert await signed(client, path, {"MessageSid": "SM1", "MessageStatus": "delivered"}) == 403


async def test_a_report_of_an_unknown_delivery_is_not_found(client: httpx.AsyncClient) -> None:
    path = LINKS.report_path(new_id())

    assert await signed(client, path, {"MessageSid": "SM1", "MessageStatus": "sent"}) == 404


async def test_a_body_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/hooks/twilio/inbound", content=b"x" * 70_000)

    assert answer.status_code == 413


async def test_stop_by_text_closes_the_number(client: httpx.AsyncClient, office: Office) -> None:
    await office.hear(a_tenant(phone="+12125550100"))
    fields = {"MessageSid": "SMin", "From": "+12125550100", "Body": "Stop", "OptOutType": "STOP"}

    first = await signed(client, "/hooks/twilio/inbound", fields)
    again = await signed(client, "/hooks/twilio/inbound", fields)

    assert (first, again) == (200, 200)
    assert await suppressions(office) == ["stop"]


async def test_one_click_ends_a_kind_of_mail_and_looking_does_not(
    client: httpx.AsyncClient, office: Office
) -> None:
    ann = a_tenant()
    await office.hear(ann)
    path = LINKS.unsubscribe("ann@example.com", "reminder", ann.tenant_id).removeprefix(LINKS.public_url)

    looked = [(await client.request(method, path)).status_code for method in ("GET", "HEAD")]
    after_looking = await suppressions(office)
    clicked = [
        (await client.post(path, data={"List-Unsubscribe": "One-Click"})).status_code for _ in range(2)
    ]

    assert (looked, after_looking) == ([200, 200], [])
    assert clicked == [200, 200]
    assert await suppressions(office) == ["unsubscribe"]
    [(topic, fact)] = await emitted(office.transactions)
    assert (topic, fact["scope"]) == ("notifications.contact_opted_out.v1", "reminder")


async def test_the_page_speaks_the_reader_s_language_and_runs_nothing(
    client: httpx.AsyncClient, office: Office
) -> None:
    ann = a_tenant(locale="es-MX")
    await office.hear(ann)
    path = LINKS.unsubscribe("ann@example.com", "announcement", ann.tenant_id).removeprefix(LINKS.public_url)

    page = await client.get(path)

    assert '<html lang="es">' in page.text
    assert "No recibir más avisos" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("token", ["x", "x.y", "e30.AAAA", "é"])
async def test_a_link_that_we_did_not_make_leads_nowhere(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.post(f"/u/{token}")).status_code == 404


async def test_a_link_that_was_cut_is_answered_with_a_page_in_the_reader_s_language(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/u/cut", headers={"Accept-Language": "es-US,en;q=0.5"})

    assert answer.status_code == 404
    assert "Este enlace no funciona" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_text_with_a_letter_that_the_database_cannot_keep_is_still_heard(
    client: httpx.AsyncClient, office: Office
) -> None:
    fields = {"MessageSid": "SM9", "From": "+12125550100", "Body": "STOP\0"}

    assert await signed(client, "/hooks/twilio/inbound", fields) == 200
    assert await suppressions(office) == ["stop"]


async def test_the_inbox_lists_counts_and_marks_as_read(client: httpx.AsyncClient, office: Office) -> None:
    ann = await with_message(office)
    await office.hear(an_invoice(ann.tenant_id, number="INV-2"))
    headers = bearer(ann.tenant_id, office)

    listed = (await client.get("/inbox?limit=1", headers=headers)).json()
    [newest] = listed["messages"]
    older = (await client.get(f"/inbox?before={newest['id']}", headers=headers)).json()["messages"]
    after_one = (await client.post(f"/inbox/{newest['id']}/read", headers=headers)).json()
    after_all = (await client.post("/inbox/read", headers=headers)).json()

    assert (listed["unread"], newest["read_at"]) == (2, None)
    assert newest["subject"].startswith("Invoice INV-2:")
    assert [message["subject"].split(":")[0] for message in older] == ["Invoice INV-2026-000123"]
    assert (after_one, after_all) == ({"unread": 1}, {"unread": 0})


async def test_a_message_that_is_put_away_is_gone_from_the_inbox(
    client: httpx.AsyncClient, office: Office
) -> None:
    ann = await with_message(office)
    headers = bearer(ann.tenant_id, office)
    [message] = (await client.get("/inbox", headers=headers)).json()["messages"]

    first = await client.post(f"/inbox/{message['id']}/archive", headers=headers)
    again = await client.post(f"/inbox/{message['id']}/archive", headers=headers)

    assert (first.status_code, again.status_code) == (204, 404)
    assert (await client.get("/inbox/unread", headers=headers)).json() == {"unread": 0}


async def test_a_token_opens_one_inbox_until_it_runs_out(client: httpx.AsyncClient, office: Office) -> None:
    ann, bob = await with_message(office), a_tenant()
    [message] = (await client.get("/inbox", headers=bearer(ann.tenant_id, office))).json()["messages"]
    unsubscribe = LINKS.unsubscribe("a@example.com", "reminder", ann.tenant_id).rpartition("/")[2]

    others = (await client.get("/inbox", headers=bearer(bob.tenant_id, office))).json()
    theft = await client.post(f"/inbox/{message['id']}/read", headers=bearer(bob.tenant_id, office))
    over = await client.get("/inbox", headers=bearer(ann.tenant_id, office, days=-1))
    no_token = await client.get("/inbox")
    other_use = await client.get(f"/inbox?token={unsubscribe}")

    assert others == {"messages": [], "unread": 0}
    assert theft.status_code == 404
    assert [answer.status_code for answer in (over, no_token, other_use)] == [401, 401, 401]
    assert over.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=x"])
async def test_a_question_that_makes_no_sense_is_a_bad_request(
    client: httpx.AsyncClient, office: Office, query: str
) -> None:
    answer = await client.get(f"/inbox?{query}", headers=bearer(new_id(), office))

    assert answer.status_code == 400


async def test_new_messages_come_by_themselves_and_the_stream_goes_on_where_it_broke(
    client: httpx.AsyncClient, office: Office
) -> None:
    ann = await with_message(office)
    headers = bearer(ann.tenant_id, office)

    async with client.stream("GET", "/inbox/events", headers=headers) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 3000"
        await office.hear(an_invoice(ann.tenant_id, number="INV-2"))
        first = [line async for line in _event(lines)]
    await office.hear(an_invoice(ann.tenant_id, number="INV-3"))
    last = {"Last-Event-ID": first[0].removeprefix("id: ")}
    async with client.stream("GET", "/inbox/events", headers=headers | last) as stream:
        second = [line async for line in _event(stream.aiter_lines())]

    subjects = [json.loads(event[-1].removeprefix("data: "))["subject"] for event in (first, second)]
    assert [subject.split(":")[0] for subject in subjects] == ["Invoice INV-2", "Invoice INV-3"]


async def _event(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of the next event that says something."""
    begun = False
    async for line in lines:
        begun = begun or line.startswith("id: ")
        if begun and not line:
            return
        if begun:
            yield line


async def test_without_links_only_the_description_is_served(office: Office) -> None:
    api = Api(office.transactions, None, SETTINGS, Templates())

    assert [route.path for route in api.routes() if isinstance(route, Route)] == ["/openapi.json"]


async def test_every_route_is_described_and_every_description_is_served(office: Office) -> None:
    routes = Starlette(routes=Api(office.transactions, LINKS, SETTINGS, Templates()).routes()).routes
    served = {
        (route.path.replace(":uuid", ""), method.lower())
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD" and route.path != "/openapi.json"
    }
    described = {
        (path, method)
        for path, item in openapi_document()["paths"].items()
        for method in item
        if method in {"get", "post"}
    }

    assert served == described


def test_the_kept_description_is_the_one_that_is_served() -> None:
    kept = Path(__file__).parents[2] / "docs" / "openapi" / "notifications.json"

    assert json.loads(kept.read_text()) == openapi_document(), "run `make docs`"


def test_a_token_says_nothing_for_another_purpose_or_under_another_key() -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 9, 1, tzinfo=UTC)
    token = sign(b"k" * 32, "inbox", {"t": "1"}, at + timedelta(days=1))

    assert read(b"k" * 32, "inbox", token, at) == {"t": "1"}
    for key, purpose, moment in (
        (b"x" * 32, "inbox", at),
        (b"k" * 32, "unsubscribe", at),
        (b"k" * 32, "inbox", at + timedelta(days=1)),
    ):
        with pytest.raises(BadToken):
            read(key, purpose, token, moment)


async def sent_text(office: Office) -> UUID:
    """A text that a provider took."""
    ann = a_tenant(channel="sms", phone="+12125550100")
    await office.hear(ann, an_invoice(ann.tenant_id))
    async with office.transactions.command("sent") as tx:
        result = await tx.connection.exec_driver_sql(
            "update deliveries set state = 'sent', provider_message_id = 'SM1' where channel = 'sms' returning id"
        )
        identity: UUID = result.scalar_one()
        return identity


async def state_of(office: Office, identity: UUID) -> str:
    async with office.transactions.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"select state from deliveries where id = '{identity}'")
        return str(rows.scalar_one())
