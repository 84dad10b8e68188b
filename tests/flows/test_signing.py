"""From the office's order to the last signature: what leasing says is what notifications mails, and it opens the page."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from services.leasing import handlers
from services.leasing.api import SignersPage, routes
from services.leasing.links import Links
from shared.clock import SystemClock
from shared.contracts.base import message_types
from shared.http import HttpServer
from shared.link_keys import LinkKeys
from shared.messaging.transaction import Transactions
from tests.leasing.orders import a_tenant, a_unit, do, terms
from tests.leasing.signing_desk import ROSA
from tests.notifications.mail_server import ObedientMailServer
from tests.notifications.office import Office
from tests.support.databases import TestDatabases
from tests.support.messages import emitted

pytestmark = pytest.mark.servers

KEYS = LinkKeys([b"k" * 32])
FOR_PEOPLE = ("tenant", "signing", "lease_signed")


@dataclass
class Two:
    """Leasing and notifications, with what the one says carried to the other."""

    leasing: Transactions
    office: Office
    browser: httpx.AsyncClient
    heard: int = 0

    async def carry(self) -> int:
        """Let notifications hear what leasing has said since, and send what there is to send."""
        contracts = {contract.topic: contract for contract in message_types()}
        said = (await emitted(self.leasing))[self.heard :]
        self.heard += len(said)
        for topic, body in said:
            if topic.split(".")[1].startswith(FOR_PEOPLE):
                await self.office.hear(contracts[topic].model_validate(body))
        waiting = [row for row in await self.office.emails() if row["state"] == "queued"]
        for _ in waiting:
            await self.office.send_once()
        return len(waiting)

    def links(self) -> list[str]:
        """The path of each link that was mailed, in the order of the mails."""
        texts = [mail.get_body(("plain",)).get_content() for mail in self.office.mail_server.messages]  # type: ignore[union-attr]
        return [
            found[0] for text in texts if (found := re.findall(r"https://leases\.example\.com(\S+)", text))
        ]

    async def sign(self, path: str) -> str:
        """Read the page and press its button; what it says then."""
        page = await self.browser.get(path)
        [read] = re.findall(r'name="terms" value="(\w+)"', page.text)
        await self.browser.post(path, data={"do": "sign", "name": "Me", "consent": "yes", "terms": read})
        return (await self.browser.get(path)).text


@pytest.fixture
async def two(databases: TestDatabases) -> AsyncIterator[Two]:
    url = await databases.url("notifications")
    async with (
        databases.transactions("leasing", SystemClock()) as leasing,
        databases.transactions("notifications") as notifications,
        ObedientMailServer() as mail_server,
    ):
        server = HttpServer("leasing", routes(SignersPage(leasing)), host="127.0.0.1", port=0, fixed=True)
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=5) as browser:
            yield Two(leasing, Office(notifications, url, mail_server, KEYS), browser)
        await server.stop()


async def test_a_lease_is_mailed_signed_by_all_and_told_to_all(two: Two) -> None:
    unit, ann = await a_unit(two.leasing), await a_tenant(two.leasing)
    lease = await do(two.leasing, handlers.sign_lease, unit.id, [ann.id], terms())
    links = Links(url="https://leases.example.com/sign", keys=KEYS)
    await do(two.leasing, handlers.send_for_signature, lease.id, links, landlords=[ROSA])

    assert await two.carry() == 2
    first, second = two.links()
    pages = [await two.sign(first), await two.sign(second)]
    assert await two.carry() == 2

    assert ["Not everybody has signed" in pages[0], "Everybody has signed" in pages[1]] == [True, True]
    told = [(str(mail["To"]), str(mail["Subject"])) for mail in two.office.mail_server.messages[2:]]
    assert sorted(to for to, _ in told) == ["ann@example.com", "rosa@example.com"]
    assert all("Signed by all" in subject for _, subject in told)
