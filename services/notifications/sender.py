"""A sender: takes the queued deliveries of one channel one by one, hands each over, records what came of it.

No transaction is open while the network is used: a claim commits before, its outcome after. Each
connection claims a single e-mail at a time, so that a process that dies leaves at most as many in
doubt as it has connections.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.notifications.aftermath import follow_up
from services.notifications.dispatch import TooLong, Unsubscribe, decide_again, parcel, render_all
from services.notifications.domain.attempts import (
    Doubt,
    Outcome,
    Result,
    Step,
    after_attempt,
    crash_outcome,
    expired,
    withheld,
)
from services.notifications.domain.deliveries import Channel, State
from services.notifications.gateways.carrier import Carrier, CarrierDown, Parcel
from services.notifications.rendering import NotRenderable, Rendered, Templates
from services.notifications.schema import WAKE_CHANNEL
from services.notifications.store import deliveries
from services.notifications.store.deliveries import Claimed
from shared.link_keys import LinkKeys
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

_NEVER: Final = -1
"""Before the first ring."""

STRUCK_OUT: Final = "[not kept]"
"""In the place of what opens a signing link, where what went out is kept."""

OUR_FAULTS: Final = frozenset({"authentication_refused", "sender_refused", "sms_our_fault"})
"""The server is well and does not want us: somebody must change a setting."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sending:
    """How much at once, how long a claim holds, and what to do in doubt."""

    connections: int = 4
    lease: timedelta = timedelta(seconds=30)
    after_crash: Doubt = Doubt.RESEND
    after_drop: Doubt = Doubt.HOLD
    reports: bool = False
    """Whether the provider says later what was delivered, so that having handed it over is not the end."""
    poll_seconds: float = 1.0
    outage_pauses: Sequence[float] = OUTAGE_PAUSES


class SenderMetrics:
    """What the sender counts."""

    def __init__(self, registry: CollectorRegistry, channel: Channel = Channel.EMAIL) -> None:
        """Register with the service's own registry."""
        self.attempts = Counter(
            f"propman_{channel}_attempts_total",
            f"Messages tried by {channel}, by what came of it.",
            ["result"],
            registry=registry,
        )
        self.paused = Gauge(
            f"propman_{channel}_paused", f"1 while nothing can be sent by {channel}.", registry=registry
        )


class Sender:
    """Sends one channel's messages for as long as it runs; any number of them share the work."""

    def __init__(  # noqa: PLR0913 - composed in one place, by name
        self,
        *,
        transactions: Transactions,
        dsn: str,
        mailer: Callable[[], Carrier],
        templates: Templates,
        metrics: SenderMetrics,
        sending: Sending,
        channel: Channel = Channel.EMAIL,
        unsubscribe: Unsubscribe | None = None,
        wake: WakeUp | None = None,
        keys: LinkKeys | None = None,
    ) -> None:
        """`mailer` makes a connection of its own for each that is wanted; others may share the bell."""
        self._transactions = transactions
        self._clock = transactions.clock
        self._claims = transactions.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._mailer = mailer
        self._templates = templates
        self._metrics = metrics
        self._sending = sending
        self._channel = channel
        self._unsubscribe = unsubscribe
        self._keys = keys
        self._texts: dict[UUID, dict[str, Any]] = {}
        self._own_wake = wake is None
        self._wake = wake or WakeUp(dsn, WAKE_CHANNEL)
        self._server_up = asyncio.Event()
        self._server_up.set()
        self._failures = 0
        self._turn = asyncio.Lock()
        self._found = False
        self._none_since = _NEVER
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Send until stopped, whatever goes down meanwhile."""
        workers = [self._work() for _ in range(self._sending.connections)]
        ears = [self._wake.listen()] if self._own_wake else []
        await asyncio.gather(*ears, self._keep_house(), *workers)

    def stop(self) -> None:
        """Finish the e-mails that are being handed over, take no more, and return from `run`."""
        self._stopping.set()
        self._server_up.set()
        if self._own_wake:
            self._wake.stop()
        self._wake.ring()

    async def _work(self) -> None:
        mailer = self._mailer()
        try:
            while not self._stopping.is_set():
                await self._server_up.wait()
                await self._work_once(mailer)
        finally:
            await mailer.close()

    async def _work_once(self, mailer: Carrier) -> None:
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

    async def send_next(self, mailer: Carrier) -> bool:
        """Send the e-mail that has waited longest; False when none is due."""
        at = self._clock.now()
        claimed = await self._claim(at)
        if claimed is None:
            return False
        outcome = await self._deal_with(mailer, claimed, at)
        self._metrics.attempts.labels(outcome.result).inc()
        if outcome.result is Result.NOT_HANDED_OVER:
            await self._wait_out(mailer, outcome)
        else:
            self._failures = 0
        self._none_since = _NEVER  # this one may be due again
        return True

    async def _claim(self, at: datetime) -> Claimed | None:
        """Take the next, if any. Of the workers that a ring wakes one looks first; it may find none for all.

        A dozen that look for one e-mail, each for itself, want more connections than the pool keeps.
        """
        ticket = self._wake.ticket
        async with nullcontext() if self._found else self._turn:
            if self._none_since >= ticket:
                return None
            async with self._claims.connect() as connection:  # one statement, committed when it returns
                claimed = await deliveries.claim_next(connection, at, self._sending.lease, self._channel)
            self._found = claimed is not None
            self._none_since = _NEVER if claimed else ticket
        return claimed

    async def _deal_with(self, mailer: Carrier, claimed: Claimed, at: datetime) -> Outcome:
        """Send it if it is still to be sent, and record what came of that."""
        if claimed.expires_at <= at:
            outcome = expired()
            await self._settle(claimed, outcome)
            return outcome
        decision = decide_again(claimed, at)
        if decision.state is not State.QUEUED or decision.not_before is not None:
            outcome, step = withheld(decision)
            await self._settle(claimed, outcome, step=step)
            return outcome
        outcome = await self._attempt(mailer, claimed, at)
        await self._settle(claimed, outcome)
        return outcome

    async def _attempt(self, mailer: Carrier, claimed: Claimed, at: datetime) -> Outcome:
        try:
            items = await self._together(claimed, at) if claimed.digest_key else [claimed]
            text = render_all(self._templates, items, at, self._keys)
            wrapped = parcel(claimed, text, at, self._unsubscribe)
        except NotRenderable as error:
            log.error(  # noqa: TRY400 - the sentence says it
                "notification_not_renderable", notification_id=str(claimed.notification_id), error=str(error)
            )
            return Outcome(Result.REFUSED, "not_renderable", str(error))
        except TooLong as error:
            return Outcome(Result.REFUSED, "too_long", str(error))
        self._texts[claimed.id] = _kept(wrapped, text, claimed.locale)
        return await mailer.send(wrapped)

    async def _together(self, claimed: Claimed, at: datetime) -> list[Claimed]:
        """Everything that waits for the same person in the same digest, as far as it is still true."""
        async with self._transactions.engine.begin() as connection:
            others = [
                item
                for item in await deliveries.siblings(connection, claimed)
                if decide_again(item, at).state is State.QUEUED
            ]
            if others:
                await deliveries.merge(connection, claimed, [item.id for item in others], at)
        return [claimed, *others]

    async def _settle(self, claimed: Claimed, outcome: Outcome, *, step: Step | None = None) -> None:
        """Record an outcome, waiting for a database that is down: the message may be out already."""
        tries = 0
        while True:
            try:
                async with self._transactions.begin(_cause(claimed)) as tx:
                    await self._record(tx, claimed, outcome, self._sending.after_drop, step)
            except Exception as error:
                tries += 1
                if classify(error) is ErrorKind.DEFECT or (self._stopping.is_set() and tries > LAST_TRIES):
                    raise
                log.warning("outcome_not_recorded", delivery_id=str(claimed.id), error=describe(error))
                await asyncio.sleep(min(0.1 * 2**tries, 5.0))
            else:
                return

    async def _record(
        self, tx: Tx, claimed: Claimed, outcome: Outcome, doubt: Doubt, step: Step | None = None
    ) -> None:
        step = step or after_attempt(
            outcome,
            attempts=claimed.attempts + 1,
            at=tx.at,
            expires_at=claimed.expires_at,
            doubt=doubt,
            spread=random.random(),
        )
        text = self._texts.pop(claimed.id, None)
        if not await deliveries.settle(tx.connection, claimed, step, outcome, tx.at, text):
            log.warning("claim_lost", delivery_id=str(claimed.id), result=outcome.result)
            return
        await follow_up(tx, claimed, step, outcome, told=not self._sending.reports)
        log.info(
            "delivery_attempted",
            channel=self._channel,
            delivery_id=str(claimed.id),
            correlation_id=str(claimed.correlation_id),
            result=outcome.result,
            state=step.state,
            reason=outcome.reason,
        )

    async def _wait_out(self, mailer: Carrier, outcome: Outcome) -> None:
        """Stop all sending until the server takes a connection again; one worker probes for all."""
        if not self._server_up.is_set():
            await self._server_up.wait()
            return
        self._server_up.clear()
        self._metrics.paused.set(1)
        say = log.error if outcome.reason in OUR_FAULTS else log.warning
        say("sending_paused", channel=self._channel, reason=outcome.reason, detail=outcome.detail)
        try:
            while not self._stopping.is_set() and not await self._probe(mailer):
                pass
        finally:
            self._server_up.set()
            self._metrics.paused.set(0)
        log.info("sending_resumed", channel=self._channel)

    async def _probe(self, mailer: Carrier) -> bool:
        pauses = self._sending.outage_pauses
        await self._sleep(pauses[min(self._failures, len(pauses) - 1)])
        self._failures += 1
        try:
            await mailer.connect()
        except CarrierDown as down:
            say = log.error if down.reason in OUR_FAULTS else log.info
            say("sending_still_paused", channel=self._channel, reason=down.reason, detail=down.detail)
            return False
        return True

    async def _keep_house(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.recover()
                async with self._transactions.engine.connect() as connection:
                    if await deliveries.anything_due(connection, self._clock.now(), self._channel):
                        self._wake.ring()
            except Exception as error:  # noqa: BLE001 - the database is down: nothing to do until it is back
                log.info("sender_waits_for_database", error=describe(error))
            await self._sleep(self._sending.poll_seconds)

    async def recover(self) -> int:
        """Decide about e-mails whose worker died in the middle; returns how many there were."""
        at = self._clock.now()
        async with self._transactions.engine.connect() as connection:
            lost = await deliveries.abandoned(connection, at, self._channel)
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


def _kept(wrapped: Parcel, text: Rendered, locale: str) -> dict[str, Any]:
    """The text as it went out, and what it was made from."""
    said = {"sms": wrapped.sms} if wrapped.sms else {"subject": text.subject, "text": text.text}
    if text.secret:
        said = {part: written.replace(text.secret, STRUCK_OUT) for part, written in said.items()}
    return {**said, "locale": locale, "version": text.version}


def _cause(claimed: Claimed) -> Envelope:
    """What is said about a delivery belongs to the story of the message that it is about."""
    return command_envelope("notifications.send", claimed.correlation_id, claimed.source_message_id)
