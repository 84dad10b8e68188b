"""An office that sends leases for signature, and signers with their links, at moments a test chooses."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.leasing import handlers
from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Unit
from services.leasing.domain.signing import Evidence, Held, Link
from services.leasing.domain.tenants import Tenant
from services.leasing.links import Links
from services.leasing.store import signing
from shared.link_keys import LinkKeys, address_of
from shared.messaging.transaction import Transactions
from tests.leasing.orders import a_tenant, a_unit, do, terms
from tests.support.messages import emitted

SENT_AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""A Monday, ten in the morning in New York."""
KEYS = LinkKeys([b"k" * 32])
LINKS = Links(url="https://leases.example.com/sign", keys=KEYS)
ROSA = ("Rosa Diaz", "rosa@example.com")
WEEK = timedelta(days=7)


@dataclass
class MovableClock:
    """A clock that stands until it is set."""

    at: datetime = SENT_AT

    def now(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """One unit, its tenants, and a lease that is sent for signature."""

    transactions: Transactions
    clock: MovableClock
    unit: Unit
    tenants: list[Tenant]
    lease: Lease

    async def do(self, command: Any, *args: Any, **options: Any) -> Any:
        return await do(self.transactions, command, *args, **options)

    async def send(self, **options: Any) -> list[Held]:
        """Send it; the signers' links, in their order."""
        await self.do(handlers.send_for_signature, self.lease.id, options.pop("links", LINKS), **options)
        return await self.pending()

    async def resend(self, **options: Any) -> list[Link]:
        found = await self.do(handlers.resend_links, self.lease.id, options.pop("links", LINKS), **options)
        assert isinstance(found, list)
        return found

    async def sign(self, held: Held, at: datetime | None = None, **given: Any) -> bool:
        """Sign by a link, as somebody who has read what it opens."""
        self.clock.at = at or self.clock.at
        said = {"name": held.signer.name, "content_hash": held.request.content_hash} | given
        return bool(await self.do(handlers.give_signature, held.link.id, Evidence(**said)))

    async def sweep(self, at: datetime, days: int | None = None) -> tuple[int, int]:
        """How many links ran out, and how many signers were reminded."""
        self.clock.at = at
        swept = await self.do(handlers.expire_and_remind, at, days)
        return len(swept.expired), len(swept.reminded)

    async def held(self) -> list[Held]:
        """Every link there ever was of this lease."""
        async with self.transactions.engine.connect() as connection:
            return await signing.held_of_lease(connection, self.lease.id)

    async def pending(self) -> list[Held]:
        return [held for held in await self.held() if held.link.state == "pending"]

    async def states(self) -> list[str]:
        """The state of each link, with its reason."""
        links = [held.link for held in await self.held()]
        return [f"{link.state}: {link.reason}" if link.reason else link.state for link in links]

    async def standing(self) -> str:
        async with self.transactions.engine.connect() as connection:
            return (await handlers.signature_of(connection, self.lease))[0]

    async def said(self, *names: str) -> list[dict[str, Any]]:
        """The facts of these names, in order."""
        wanted = {f"leasing.{name}.v1" for name in names}
        return [body for topic, body in await emitted(self.transactions) if topic in wanted]


async def a_desk(transactions: Transactions, clock: MovableClock, *names: str, **given: Any) -> Desk:
    """A desk with a lease of tenants of these names."""
    unit = await a_unit(transactions)
    people = [await a_tenant(transactions, name) for name in names or ("ann",)]
    lease = await do(
        transactions, handlers.sign_lease, unit.id, [person.id for person in people], terms(**given)
    )
    return Desk(transactions, clock, unit, people, lease)


def address(held: Held) -> str:
    """What is in the mail: where the link leads, the token included."""
    return address_of(held.link.url, held.link.id, token(held.link))


def token(link: Link) -> str:
    return KEYS.token(link.ticket)


def identities(found: list[dict[str, Any]]) -> list[UUID]:
    return [UUID(body["link_id"]) for body in found]
