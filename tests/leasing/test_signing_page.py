"""The signer's page, as browsers, scanners of mail and strangers see it."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import pytest
import structlog
from typing_extensions import override

from services.leasing import handlers
from services.leasing.api import SignersPage, routes
from services.leasing.domain.signing import Held
from services.leasing.guesses import MOST, WINDOW, Guesses
from services.leasing.openapi import openapi_document
from services.leasing.pages import LANGUAGES, language_of, words_of
from shared.http import HttpServer
from shared.identity import new_id
from shared.link_keys import address_of
from tests.leasing.orders import PET
from tests.leasing.signing_desk import ROSA, SENT_AT, WEEK, Desk, MovableClock, a_desk, address, token
from tests.support.databases import TestDatabases

DAY = timedelta(days=1)


@pytest.fixture
async def desk(databases: TestDatabases) -> AsyncIterator[Desk]:
    """A lease of two tenants, Ann and Ben, with a year's end and a pet."""
    clock = MovableClock()
    async with databases.transactions("leasing", clock) as transactions:
        yield await a_desk(transactions, clock, "ann", "ben", end="2026-12-31", charges=(PET,))


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before the real server."""
    server = HttpServer(
        "leasing", routes(SignersPage(desk.transactions)), host="127.0.0.1", port=0, fixed=True
    )
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as found:
        yield found
    await server.stop()


def path(held: Held) -> str:
    return address(held).removeprefix("https://leases.example.com")


def form(held: Held, **changes: str) -> dict[str, str]:
    filled = {"do": "sign", "name": "Ann Lee", "consent": "yes", "terms": held.request.content_hash}
    return {name: value for name, value in (filled | changes).items() if value != "-"}


def heading(page: httpx.Response) -> str:
    [found] = re.findall(r"<h1>(.*?)</h1>", page.text)
    return str(found)


async def test_the_page_shows_the_lease_to_who_has_the_link(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, *_ = await desk.send(landlords=[ROSA])

    page = await browser.get(path(ann))

    assert (page.status_code, heading(page)) == (200, "Sign your lease")
    for text in (
        "Maple Court",
        "1A",
        "$1,250.00 a month",
        "Pet rent: $35.00 a month",
        "December 31, 2026",
        "Rosa Diaz",
    ):
        assert text in page.text
    assert "Monday, March 9, 2026, 11:00 AM Eastern Daylight Time" in page.text
    assert ann.request.content_hash in page.text


async def test_a_signature_is_given_once_and_the_page_says_so(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, ben = await desk.send()

    signed = await browser.post(path(ann), data=form(ann), headers={"User-Agent": "Browser 1"})
    after = await browser.get(path(ann))
    again = await browser.post(path(ann), data=form(ann))
    await browser.post(path(ben), data=form(ben, name="Ben"))

    assert (signed.status_code, signed.headers["Location"]) == (303, path(ann).removeprefix("/sign/"))
    assert "Not everybody has signed" in after.text
    assert again.status_code == 303
    assert "Everybody has signed" in (await browser.get(path(ann))).text
    signer = (await desk.held())[0].signer
    assert (signer.signed_name, signer.ip, signer.user_agent) == ("Ann Lee", "127.0.0.1", "Browser 1")
    assert len(await desk.said("lease_signed")) == 1


async def test_the_last_two_who_press_at_once_execute_the_lease_once(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    held = await desk.send()

    answers = await asyncio.gather(*(browser.post(path(item), data=form(item)) for item in [*held, *held]))

    assert {answer.status_code for answer in answers} == {303}
    assert (len(await desk.said("signing_link_used")), len(await desk.said("lease_signed"))) == (2, 1)


async def test_looking_however_often_and_by_head_signs_nothing(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    ann, _ = await desk.send()
    query = "?do=sign&consent=yes&name=Ann&terms=" + ann.request.content_hash

    for method in ("HEAD", "GET", "OPTIONS", "PUT"):
        for suffix in ("", query):
            answer = await browser.request(method, path(ann) + suffix)
            assert answer.status_code == (200 if method in {"HEAD", "GET"} else 405)

    assert await desk.states() == ["pending", "pending"]
    assert await desk.said("signing_link_used") == []


async def test_a_link_is_over_when_opened_and_when_submitted_at_its_end(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    ann, _ = await desk.send()
    assert heading(await browser.get(path(ann))) == "Sign your lease"
    desk.clock.at = SENT_AT + WEEK

    late = await browser.post(path(ann), data=form(ann))
    page = await browser.get(path(ann))

    assert (late.status_code, heading(page)) == (303, "This link has run out")
    assert "Monday, March 9, 2026, 11:00 AM Eastern Daylight Time" in page.text
    assert await desk.states() == ["pending", "pending"]
    assert "$1,250.00" not in page.text


async def test_who_has_a_dead_link_asks_for_another_and_the_office_is_told_once(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    ann, _ = await desk.send()
    await desk.sweep(SENT_AT + WEEK)

    asked = [await browser.post(path(ann), data={"do": "ask"}) for _ in range(3)]
    page = await browser.get(path(ann))

    assert {answer.status_code for answer in asked} == {303}
    assert "The office knows" in page.text
    assert "<form" not in page.text
    assert len(await desk.said("signing_link_wanted")) == 1


async def test_each_end_of_a_link_is_explained(browser: httpx.AsyncClient, desk: Desk) -> None:
    first, _ = await desk.send()
    await desk.resend()
    second = (await desk.pending())[0]
    await desk.do(handlers.change_lease, desk.lease.id, rent_cents=130_000)
    third, _ = await desk.send()
    await desk.do(handlers.record_paper, desk.lease.id, on=SENT_AT.date())

    pages = [await browser.get(path(held)) for held in (first, second, third)]

    assert [heading(page) for page in pages] == [
        "There is a newer link",
        "This link was called back",
        "This link was called back",
    ]
    for page, text, may_ask in zip(
        pages, ("newest e-mail", "was changed", "on paper"), (1, 1, 0), strict=True
    ):
        assert text in page.text
        assert page.text.count("<form") == may_ask


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"consent": "-"}, "consent", "Tick the box"),
        ({"name": " "}, "name", "Type your full name"),
        ({"name": "x" * 201}, "name", "at most 200"),
        ({"terms": "0" * 64}, "terms", "not those that you read"),
        ({"terms": "-"}, "terms", "not those that you read"),
        ({"name": "-", "consent": "-"}, "name", "Type your full name"),
    ],
)
async def test_what_is_missing_is_said_at_its_field_and_nothing_is_signed(
    browser: httpx.AsyncClient, desk: Desk, changes: dict[str, str], field: str, said: str
) -> None:
    ann, _ = await desk.send()

    page = await browser.post(path(ann), data=form(ann, **changes))

    assert page.status_code == 422
    assert f'<a href="#{field}">' in page.text
    assert said in page.text
    assert "<title>Error: " in page.text
    assert await desk.states() == ["pending", "pending"]


async def test_what_was_typed_is_shown_again_and_never_as_markup(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    ann, _ = await desk.send()

    page = await browser.post(path(ann), data=form(ann, name='"><script>x</script>', consent="-"))

    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_strangers_find_nothing_and_are_told_nothing(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, ben = await desk.send()
    key = path(ann).removeprefix("/sign/")
    wrong = [
        "x",
        key[:-1],
        key + "x",
        key.partition(".")[0],
        f"{ben.link.id.hex}.{token(ann.link)}",
        address_of("", new_id(), token(ann.link)).removeprefix("/"),
    ]

    pages = [await browser.get(f"/sign/{item}") for item in wrong]
    posted = await browser.post(f"/sign/{wrong[4]}", data=form(ann))

    assert {page.status_code for page in [*pages, posted]} == {404}
    assert len({page.text for page in [*pages, posted]}) == 1
    assert await desk.states() == ["pending", "pending"]


async def test_who_guesses_is_made_to_wait_and_then_let_in(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, _ = await desk.send()

    codes = [(await browser.get("/sign/x")).status_code for _ in range(MOST + 1)]
    blocked = await browser.get(path(ann))
    desk.clock.at += WINDOW

    assert codes == [404] * MOST + [429]
    assert (blocked.status_code, blocked.headers["Retry-After"]) == (429, "901")
    assert (await browser.get(path(ann))).status_code == 200


async def test_a_form_from_another_site_signs_nothing(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, _ = await desk.send()

    codes = {
        site: (
            await browser.post(path(ann), data=form(ann, consent="-"), headers={"Sec-Fetch-Site": site})
        ).status_code
        for site in ("cross-site", "same-site", "same-origin", "none")
    }
    large = await browser.post(path(ann), data=form(ann, name="x" * 20_000))

    assert codes == {"cross-site": 403, "same-site": 403, "same-origin": 422, "none": 422}
    assert large.status_code == 413


async def test_no_page_is_kept_framed_or_tells_where_one_came_from(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    ann, _ = await desk.send()

    for answer in (
        await browser.get(path(ann)),
        await browser.post(path(ann), data=form(ann, consent="-")),
        await browser.post(path(ann), data=form(ann)),
        await browser.get("/sign/x"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<script" not in answer.text
        assert " style=" not in answer.text


async def test_no_token_is_logged_whatever_happens(
    browser: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ann, _ = await desk.send()

    async def broken(*_: object) -> bool:
        raise ValueError("broken")

    with structlog.testing.capture_logs() as logs:
        await browser.post(path(ann), data=form(ann))
        await browser.get("/sign/x")
        monkeypatch.setattr("services.leasing.api.ask_for_link", broken)
        failed = await browser.post(path(ann), data={"do": "ask"})

    assert (failed.status_code, heading(failed)) == (500, "Something is wrong on our side")
    assert [entry["event"] for entry in logs] == ["signature_given", "signers_page_failed"]
    assert token(ann.link) not in str(logs) + caplog.text


async def test_a_page_speaks_its_signer_s_language(browser: httpx.AsyncClient, desk: Desk) -> None:
    await desk.do(handlers.change_tenant, desk.tenants[0].id, locale="es-MX")
    ann, _ = await desk.send()

    page = await browser.get(path(ann))
    stranger = await browser.get("/sign/x", headers={"Accept-Language": "es-ES,es;q=0.9,en;q=0.5"})

    assert (heading(page), heading(stranger)) == ("Firme su contrato de alquiler", "Aquí no hay nada")
    assert '<html lang="es">' in page.text
    for text in ("$1,250.00 al mes", "31 de diciembre de 2026", "lunes 9 de marzo de 2026, 11:00"):
        assert text in page.text


class Outline(HTMLParser):
    """What somebody hears who cannot see a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.ids: list[str] = []
        self.inputs: list[Mapping[str, str | None]] = []
        self.levels: list[int] = []
        self.described: set[str] = set()
        self.landmarks = 0
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.described |= set(str(given.get("aria-describedby") or "").split())
        if tag == "label":
            self.labels.add(str(given["for"]))
        elif tag == "input" and given.get("type") != "hidden":
            self.inputs.append(given)
        elif re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.landmarks += tag == "main"


async def test_a_page_can_be_used_without_seeing_it(browser: httpx.AsyncClient, desk: Desk) -> None:
    ann, _ = await desk.send()
    pages = [
        await browser.get(path(ann)),
        await browser.post(path(ann), data=form(ann, name="", consent="-")),
        await browser.get("/sign/x"),
    ]

    for outline in (Outline(page.text) for page in pages):
        assert {str(field["id"]) for field in outline.inputs} == outline.labels
        assert len(outline.ids) == len(set(outline.ids))
        assert outline.described <= set(outline.ids)
        assert (outline.levels[0], outline.landmarks) == (1, 1)
        assert all(
            after - before <= 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False)
        )
    assert pages[1].text.count('aria-invalid="true"') == 2
    assert 'role="alert"' in pages[1].text


async def test_every_path_of_the_document_is_served(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/openapi.json")).json()

    assert document == openapi_document()
    assert set(document["paths"]) == {"/sign/{key}"}
    assert [route.path for route in routes(None)] == ["/openapi.json"]  # type: ignore[attr-defined]


def test_every_language_says_everything_with_the_same_values() -> None:
    def values(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    english, spanish = (words_of(language) for language in LANGUAGES)

    assert set(english) == set(spanish)
    assert [key for key in english if values(english[key]) != values(spanish[key])] == []
    assert [language_of(locale) for locale in ("es-MX", "en", "pt-BR", "")] == ["es", "en", "en", "en"]


def test_guesses_are_counted_by_subscriber_and_memory_is_bounded() -> None:
    guesses = Guesses()
    for number in range(MOST):
        guesses.note(f"2001:db8:1:2::{number:x}", SENT_AT)
    for number in range(10_001):
        guesses.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", SENT_AT + DAY)

    assert guesses.refuse_until("203.0.113.1", SENT_AT) is None
    assert guesses.refuse_until("2001:db8:1:2::ffff", SENT_AT) is None, "the oldest source is forgotten"
    guesses.note("not an address", SENT_AT)
    assert guesses.refuse_until("not an address", SENT_AT) is None


def test_one_subscriber_s_whole_network_waits() -> None:
    guesses = Guesses()
    for number in range(MOST):
        guesses.note(f"2001:db8:1:2::{number:x}", SENT_AT)

    assert guesses.refuse_until("2001:db8:1:2:ffff::1", SENT_AT) == SENT_AT + WINDOW
    assert guesses.refuse_until("2001:db8:1:3::1", SENT_AT) is None
