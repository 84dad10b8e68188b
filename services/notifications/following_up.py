"""What is looked after once it was sent: texts of which nobody knows, and warnings that did not arrive."""

import asyncio
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from services.notifications.aftermath import go_another_way
from services.notifications.domain.deliveries import State
from services.notifications.domain.kinds import Criticality
from services.notifications.gateways.carrier import CarrierDown
from services.notifications.gateways.twilio import Found
from services.notifications.store import doubts
from services.notifications.store.doubts import Doubtful
from shared.messaging.envelope import Envelope
from shared.messaging.errors import describe
from shared.messaging.transaction import Transactions, command_envelope

LOOK_AFTER: Final = timedelta(seconds=60)
"""How long a report may take before we look ourselves what became of a text."""

TOO_LATE: Final = timedelta(minutes=10)
"""After this a warning that is not known to have arrived also goes by e-mail."""

LOOKED_UP: Final = "not_found_at_provider"

log = structlog.get_logger()


class Finder(Protocol):
    """Somebody who knows which texts a provider has."""

    async def find(self, to: str, body: str, since: datetime) -> Found | None:
        """The text, if there is one; raises `CarrierDown`."""

    async def close(self) -> None:
        """Let go of the connection."""


class FollowUp:
    """Looks every few seconds; any number of replicas may."""

    def __init__(
        self, transactions: Transactions, finder: Finder | None, *, reports: bool, poll_seconds: float = 5.0
    ) -> None:
        """Without `reports` a text that was taken counts as arrived: nobody will ever say more."""
        self._transactions = transactions
        self._finder = finder
        self._reports = reports
        self._poll_seconds = poll_seconds
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Look until stopped, whatever goes down meanwhile."""
        try:
            await self._look()
        finally:
            if self._finder is not None:
                await self._finder.close()

    async def _look(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.resolve()
                await self.escalate()
            except Exception as error:  # noqa: BLE001 - the database or the provider is down: look again later
                log.info("follow_up_waits", error=describe(error))
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def resolve(self) -> int:
        """Ask the provider about texts that got no answer; returns how many were looked up."""
        if self._finder is None:
            return 0
        at = self._transactions.clock.now()
        async with self._transactions.engine.connect() as connection:
            found = await doubts.unknown_texts(connection, at - LOOK_AFTER, LOOKED_UP)
        for item in found:
            if not await self._look_up(self._finder, item):
                return 0
        return len(found)

    async def _look_up(self, finder: Finder, item: Doubtful) -> bool:
        try:
            known = await finder.find(item.claimed.address, item.body, item.since)
        except CarrierDown as down:
            log.info("texts_cannot_be_looked_up", reason=down.reason)
            return False
        at = self._transactions.clock.now()
        async with self._transactions.begin(_cause(item)) as tx:
            if known is not None:
                await doubts.found(tx.connection, item.claimed.id, known.sid, at)
            elif item.claimed.criticality is Criticality.EMERGENCY:
                # A second text is better than silence, and the provider has none.
                await doubts.send_again(tx.connection, item.claimed.id, LOOKED_UP, at)
            else:
                await doubts.not_found(tx.connection, item.claimed.id, LOOKED_UP, at)
                await go_another_way(tx, item.claimed)
        log.info("text_looked_up", delivery_id=str(item.claimed.id), found=known is not None)
        return True

    async def escalate(self) -> int:
        """Send by e-mail too what is urgent and not known to have arrived; returns how many."""
        at = self._transactions.clock.now()
        settled = [State.DELIVERED] if self._reports else [State.DELIVERED, State.SENT]
        async with self._transactions.engine.connect() as connection:
            late = await doubts.late_warnings(connection, at - TOO_LATE, at, settled)
        for item in late:
            async with self._transactions.begin(_cause(item)) as tx:
                await doubts.escalated(tx.connection, item.claimed.id, at)
                await go_another_way(tx, item.claimed)
        return len(late)


def _cause(item: Doubtful) -> Envelope:
    return command_envelope(
        "notifications.follow_up", item.claimed.correlation_id, item.claimed.source_message_id
    )
