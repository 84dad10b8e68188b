"""The sender: takes queued e-mails one by one, hands each to the mail server, records what came of it.

No transaction is open while the network is used: a claim commits before, its outcome after. Each
connection claims a single e-mail at a time, so that a process that dies leaves at most as many in
doubt as it has connections.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.notifications.domain.attempts import (
    Doubt,
    Outcome,
    Result,
    Step,
    after_attempt,
    crash_outcome,
    expired,
)
from services.notifications.domain.deliveries import Channel, State
from services.notifications.gateways.mail import Mail
from services.notifications.gateways.smtp import Mailer, MailServerDown
from services.notifications.rendering import NotRenderable, Rendered, Templates
from services.notifications.schema import WAKE_CHANNEL
from services.notifications.store import deliveries
from services.notifications.store.deliveries import Claimed
from shared.contracts.base import Fact
from shared.contracts.notifications import NotificationDelivered, NotificationFailed
from shared.messaging.envelope import Envelope
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, Tx, command_envelope
from shared.wake import WakeUp

OUTAGE_PAUSES: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each probe of a mail server that is down; the first tells a stale connection apart."""

IDLE_SECONDS: Final = 30.0
"""A connection to the mail server that nobody used for so long is closed; servers dislike idlers."""

LAST_TRIES: Final = 5
"""How often an outcome is still tried to be recorded once the process is to end."""

OUR_FAULTS: Final = frozenset({"authentication_refused", "sender_refused"})
"""The server is well and does not want us: somebody must change a setting."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sending:
    """How much at once, how long a claim holds, and what to do in doubt."""

    connections: int = 4
    lease: timedelta = timedelta(seconds=30)
    after_crash: Doubt = Doubt.RESEND
    after_drop: Doubt = Doubt.HOLD
    poll_seconds: float = 1.0
    outage_pauses: Sequence[float] = OUTAGE_PAUSES


class SenderMetrics:
    """What the sender counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register with the service's own registry."""
        self.attempts = Counter(
            "propman_email_attempts_total",
            "E-mails tried, by what came of it.",
            ["result"],
            registry=registry,
        )
        self.paused = Gauge("propman_email_paused", "1 while the mail server is down.", registry=registry)


class Sender:
    """Sends one service's e-mails for as long as it runs; any number of them share the work."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        dsn: str,
        mailer: Callable[[], Mailer],
        templates: Templates,
        metrics: SenderMetrics,
        sending: Sending,
    ) -> None:
        """`mailer` makes a connection of its own for each that is wanted."""
        self._transactions = transactions
        self._clock = transactions.clock
        self._mailer = mailer
        self._templates = templates
        self._metrics = metrics
        self._sending = sending
        self._wake = WakeUp(dsn, WAKE_CHANNEL)
        self._server_up = asyncio.Event()
        self._server_up.set()
        self._failures = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Send until stopped, whatever goes down meanwhile."""
        workers = [self._work() for _ in range(self._sending.connections)]
        await asyncio.gather(self._wake.listen(), self._keep_house(), *workers)

    def stop(self) -> None:
        """Finish the e-mails that are being handed over, take no more, and return from `run`."""
        self._stopping.set()
        self._server_up.set()
        self._wake.stop()

    async def _work(self) -> None:
        mailer = self._mailer()
        try:
            while not self._stopping.is_set():
                await self._server_up.wait()
                await self._work_once(mailer)
        finally:
            await mailer.close()

    async def _work_once(self, mailer: Mailer) -> None:
        ticket = self._wake.ticket
        try:
            if self._stopping.is_set() or await self.send_next(mailer):
                return
        except Exception as error:  # noqa: BLE001 - the database is down, or we are wrong: neither may end the sending
            log.warning("sender_interrupted", error=describe(error))
            await self._sleep(self._sending.poll_seconds)
            return
        if not await self._wake.after(ticket, IDLE_SECONDS):
            await mailer.close()

    async def send_next(self, mailer: Mailer) -> bool:
        """Send the e-mail that has waited longest; False when none is due."""
        at = self._clock.now()
        async with self._transactions.engine.begin() as connection:
            claimed = await deliveries.claim_next(connection, at, self._sending.lease)
        if claimed is None:
            return False
        outcome = await self._attempt(mailer, claimed, at)
        self._metrics.attempts.labels(outcome.result).inc()
        await self._settle(claimed, outcome)
        if outcome.result is Result.NOT_HANDED_OVER:
            await self._wait_out(mailer, outcome)
        else:
            self._failures = 0
        return True

    async def _attempt(self, mailer: Mailer, claimed: Claimed, at: datetime) -> Outcome:
        if claimed.expires_at <= at:
            return expired()
        try:
            text = render(self._templates, claimed)
        except NotRenderable as error:
            log.error(  # noqa: TRY400 - the sentence says it
                "notification_not_renderable", notification_id=str(claimed.notification_id), error=str(error)
            )
            return Outcome(Result.REFUSED, "not_renderable", str(error))
        mail = Mail(claimed.id, claimed.address, text.subject, text.text, text.html, claimed.created_at)
        return await mailer.send(mail)

    async def _settle(self, claimed: Claimed, outcome: Outcome) -> None:
        """Record an outcome, waiting for a database that is down: the e-mail may be out already."""
        tries = 0
        while True:
            try:
                async with self._transactions.begin(_cause(claimed)) as tx:
                    await self._record(tx, claimed, outcome, self._sending.after_drop)
            except Exception as error:
                tries += 1
                if classify(error) is ErrorKind.DEFECT or (self._stopping.is_set() and tries > LAST_TRIES):
                    raise
                log.warning("outcome_not_recorded", delivery_id=str(claimed.id), error=describe(error))
                await asyncio.sleep(min(0.1 * 2**tries, 5.0))
            else:
                return

    async def _record(self, tx: Tx, claimed: Claimed, outcome: Outcome, doubt: Doubt) -> None:
        step = after_attempt(
            outcome,
            attempts=claimed.attempts + 1,
            at=tx.at,
            expires_at=claimed.expires_at,
            doubt=doubt,
            spread=random.random(),
        )
        if not await deliveries.settle(tx.connection, claimed, step, outcome, tx.at):
            log.warning("claim_lost", delivery_id=str(claimed.id), result=outcome.result)
            return
        if (fact := _fact(claimed, step, tx.at)) is not None:
            tx.emit(fact)
        log.info(
            "email_attempted",
            delivery_id=str(claimed.id),
            correlation_id=str(claimed.correlation_id),
            result=outcome.result,
            state=step.state,
            reason=outcome.reason,
        )

    async def _wait_out(self, mailer: Mailer, outcome: Outcome) -> None:
        """Stop all sending until the server takes a connection again; one worker probes for all."""
        if not self._server_up.is_set():
            await self._server_up.wait()
            return
        self._server_up.clear()
        self._metrics.paused.set(1)
        say = log.error if outcome.reason in OUR_FAULTS else log.warning
        say("email_paused", reason=outcome.reason, detail=outcome.detail)
        try:
            while not self._stopping.is_set() and not await self._probe(mailer):
                pass
        finally:
            self._server_up.set()
            self._metrics.paused.set(0)
        log.info("email_resumed")

    async def _probe(self, mailer: Mailer) -> bool:
        pauses = self._sending.outage_pauses
        await self._sleep(pauses[min(self._failures, len(pauses) - 1)])
        self._failures += 1
        try:
            await mailer.connect()
        except MailServerDown as down:
            say = log.error if down.reason in OUR_FAULTS else log.info
            say("email_still_paused", reason=down.reason, detail=down.detail)
            return False
        return True

    async def _keep_house(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.recover()
                async with self._transactions.engine.connect() as connection:
                    if await deliveries.anything_due(connection, self._clock.now()):
                        self._wake.ring()
            except Exception as error:  # noqa: BLE001 - the database is down: nothing to do until it is back
                log.info("sender_waits_for_database", error=describe(error))
            await self._sleep(self._sending.poll_seconds)

    async def recover(self) -> int:
        """Decide about e-mails whose worker died in the middle; returns how many there were."""
        at = self._clock.now()
        async with self._transactions.engine.connect() as connection:
            lost = await deliveries.abandoned(connection, at)
        for claimed in lost:
            async with self._transactions.begin(_cause(claimed)) as tx:
                await self._record(tx, claimed, crash_outcome(), self._sending.after_crash)
        return len(lost)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def render(templates: Templates, claimed: Claimed) -> Rendered:
    """The text of a claimed delivery, from what is known of its tenant and property now."""
    names = {"tenant_name": claimed.tenant_name, "property_name": claimed.property_name}
    return templates.render(claimed.template, claimed.locale, {**claimed.context, **names})


def _cause(claimed: Claimed) -> Envelope:
    """What is said about an e-mail belongs to the story of the message that it is about."""
    return command_envelope("notifications.send_email", claimed.correlation_id, claimed.source_message_id)


def _fact(claimed: Claimed, step: Step, at: datetime) -> Fact | None:
    about = {
        "delivery_id": claimed.id,
        "notification_id": claimed.notification_id,
        "tenant_id": claimed.tenant_id,
        "channel": Channel.EMAIL.value,
        "category": claimed.category,
        "template": claimed.template,
        "attempts": claimed.attempts + int(step.burnt),
    }
    if step.state is State.SENT:
        return NotificationDelivered.model_validate(about | {"delivered_at": at})
    if step.state in {State.FAILED_PERMANENT, State.FAILED_EXPIRED}:
        failed = {"state": step.state.value, "reason": step.reason, "failed_at": at}
        return NotificationFailed.model_validate(about | failed)
    return None
