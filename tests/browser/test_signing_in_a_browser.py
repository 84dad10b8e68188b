"""A lease is signed in a real browser: with and without scripts, with keys alone, too late, twice, by two at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.leasing.api import SignersPage, routes
from services.leasing.domain.signing import Held
from shared.http import HttpServer
from tests.leasing.orders import PET
from tests.leasing.signing_desk import SENT_AT, WEEK, Desk, MovableClock, a_desk, address
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
SIGN = "Sign the lease"


@dataclass
class Door:
    """Leasing's real HTTP server before a lease of Ann and Ben, and a browser for whoever has a link."""

    desk: Desk
    url: str
    chromium: Any

    async def visitor(self, held: Held, **settings: Any) -> Any:
        """Somebody opens their link, in a browser that knows nothing of anybody else's."""
        context = await self.chromium.new_context(**{"viewport": PHONE, "locale": "en-US"} | settings)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        await page.goto(self.of(held))
        return page

    def of(self, held: Held) -> str:
        """The link, as this server serves it."""
        return address(held).replace("https://leases.example.com", self.url)


@pytest.fixture
async def door(databases: TestDatabases, chromium: Any) -> AsyncIterator[Door]:
    """What a signer comes to, and away again."""
    clock = MovableClock()
    async with databases.transactions("leasing", clock) as transactions:
        desk = await a_desk(transactions, clock, "ann", "ben", end="2026-12-31", charges=(PET,))
        page = SignersPage(desk.transactions)
        server = HttpServer("leasing", routes(page), host="127.0.0.1", port=0, fixed=True)
        await server.start()
        yield Door(desk, f"http://127.0.0.1:{server.port}", chromium)
        for context in chromium.contexts:
            await context.close()
        await server.stop()


async def fill_in(page: Any, name: str = "Ann Lee") -> None:
    await page.get_by_label("Your full name").fill(name)
    await page.get_by_label("I have read the lease above").check()


async def press(page: Any, name: str = SIGN) -> None:
    await page.get_by_role("button", name=name).click()


async def heading(page: Any) -> str:
    return str(await page.get_by_role("heading", level=1).inner_text())


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1200, "height": 900}], ids=["phone", "desk"])
async def test_a_lease_is_read_without_scrolling_sideways_and_nothing_is_blocked(
    door: Door, viewport: dict[str, int]
) -> None:
    ann, _ = await door.desk.send()

    page = await door.visitor(ann, viewport=viewport)

    assert await heading(page) == "Sign your lease"
    assert await page.locator("html").get_attribute("lang") == "en"
    for text in ("Maple Court", "$1,250.00 a month", "Pet rent: $35.00 a month", "December 31, 2026"):
        assert await page.get_by_text(text).first.is_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert await page.evaluate("document.styleSheets.length") == 1  # by its hash; none that is slipped in
    assert page.complaints == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
async def test_a_lease_is_signed_by_all_with_scripts_and_without(door: Door, scripts: bool) -> None:
    ann, ben = await door.desk.send()

    seen = []
    for held, name in ((ann, "Ann Lee"), (ben, "Ben Oh")):
        page = await door.visitor(held, java_script_enabled=scripts)
        await fill_in(page, name)
        await press(page)
        seen.append(await page.get_by_role("status").inner_text())

    assert "Signed by Ann Lee" in seen[0]
    assert ["Not everybody has signed" in seen[0], "Everybody has signed" in seen[1]] == [True, True]
    assert await door.desk.standing() == "signed"


async def test_a_lease_is_signed_with_the_keyboard_alone(door: Door) -> None:
    ann, _ = await door.desk.send()
    page = await door.visitor(ann)

    async def tab_to(selector: str) -> None:
        for _ in range(10):
            await page.keyboard.press("Tab")
            if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"{selector} cannot be reached with the Tab key")

    await tab_to("#name")
    await page.keyboard.type("Ann Lee")
    await tab_to("#consent")
    await page.keyboard.press("Space")
    await tab_to("button")
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    async with page.expect_navigation():
        await page.keyboard.press("Enter")

    assert await heading(page) == "You have signed"
    assert len(await door.desk.said("signing_link_used")) == 1


async def test_what_is_missing_is_named_and_one_is_led_to_it(door: Door) -> None:
    ann, _ = await door.desk.send()
    page = await door.visitor(ann)
    await page.get_by_label("Your full name").fill("Ann Lee")

    await press(page)

    alert = page.get_by_role("alert")
    assert "You have not signed yet." in await alert.inner_text()
    assert await page.get_by_label("Your full name").input_value() == "Ann Lee"
    await alert.get_by_role("link").click()
    assert await page.evaluate("document.activeElement.id") == "consent"
    assert await door.desk.states() == ["pending", "pending"]


async def test_a_page_opened_in_time_and_sent_too_late_signs_nothing_and_asks_for_another(door: Door) -> None:
    ann, _ = await door.desk.send()
    page = await door.visitor(ann)
    await fill_in(page)
    door.desk.clock.at = SENT_AT + WEEK

    await press(page)
    after = await heading(page)
    await press(page, "Ask for a new link")

    assert after == "This link has run out"
    assert await door.desk.said("signing_link_used") == []
    assert "The office knows" in await page.get_by_role("status").inner_text()
    assert len(await door.desk.said("signing_link_wanted")) == 1


async def test_a_link_that_was_replaced_says_so_when_it_is_opened(door: Door) -> None:
    ann, _ = await door.desk.send()
    await door.desk.resend()

    page = await door.visitor(ann)

    assert await heading(page) == "There is a newer link"
    assert await page.get_by_role("button", name=SIGN).count() == 0


async def test_a_link_used_twice_signs_once_also_by_going_back(door: Door) -> None:
    ann, _ = await door.desk.send()
    first, second = await door.visitor(ann), await door.visitor(ann)
    await fill_in(first)
    await fill_in(second, "Somebody Else")
    await press(first)
    await first.get_by_text("You have signed").wait_for()

    await press(second)
    await first.go_back()
    await first.reload()

    assert await heading(second) == await heading(first) == "You have signed"
    assert "Signed by Ann Lee" in await second.get_by_role("status").inner_text()
    assert len(await door.desk.said("signing_link_used")) == 1


async def test_two_signers_who_press_at_once_execute_the_lease_once(door: Door) -> None:
    pages = [await door.visitor(held) for held in await door.desk.send()]
    for page in pages:
        await fill_in(page)

    await asyncio.gather(*(press(page) for page in pages))

    assert [await heading(page) for page in pages] == ["You have signed"] * 2
    assert (len(await door.desk.said("signing_link_used")), len(await door.desk.said("lease_signed"))) == (
        2,
        1,
    )
    assert await door.desk.standing() == "signed"


async def test_a_scanner_that_follows_the_link_signs_nothing(door: Door) -> None:
    ann, _ = await door.desk.send()
    page = await door.visitor(ann)
    query = f"?do=sign&name=Ann&consent=yes&terms={ann.request.content_hash}"

    for _ in range(3):
        for address_of_it in (door.of(ann), door.of(ann) + query):
            assert (await page.request.head(address_of_it)).status == 200
            await page.goto(address_of_it)

    assert await heading(page) == "Sign your lease"
    assert await door.desk.states() == ["pending", "pending"]
    assert await door.desk.said("signing_link_used", "lease_signed") == []
