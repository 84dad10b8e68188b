"""The edge: everything that happens around a handler, for one message or for a batch of them.

It opens the transaction, enters the message in the inbox and skips a repeat, calls the handler, writes
the outbox, commits, decides what an error means, and logs one canonical line. Acknowledging is its
caller's: when `take` returns, whatever had to be kept is kept.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

import sqlalchemy as sa
import structlog

from shared.clock import stopwatch
from shared.contracts.base import Message
from shared.messaging.dead_letters import DeadLetter, Reason, bury, delivery_of, new_dead_letter
from shared.messaging.envelope import Delivery, Envelope, Received, Unreadable, read_body, read_envelope
from shared.messaging.errors import ErrorKind, Transient, classify, describe
from shared.messaging.metrics import MessagingMetrics
from shared.messaging.outage import OutageGate
from shared.messaging.retry import RetryLadder
from shared.messaging.router import Subscription
from shared.messaging.transaction import Transactions, enter_inbox
from shared.runs import given_up
from shared.tracing import NoTracing, Step, Tracing

QUICK_PAUSES: Final = (0.05, 0.2, 0.8)
"""Pauses in seconds before the tries in this process, each with full jitter."""

HANDLER_SECONDS: Final = 60.0
"""A handler that takes longer is cut off, well before the broker's consumer timeout."""

MOST_OUTAGES: Final = 10
"""How often one message may say that a server is down which then answers, before that is its own fault."""

Outcome = Literal["done", "repeat", "retried", "dead"]

T = TypeVar("T")

log = structlog.get_logger()


class DeliveryLimit(Exception):
    """The broker delivered a message again and again and never heard back."""


@dataclass(slots=True)
class Edge:
    """What stands between a service's queues and its handlers."""

    transactions: Transactions
    ladder: RetryLadder
    metrics: MessagingMetrics
    gate: OutageGate
    tracing: Tracing = field(default_factory=NoTracing)

    async def take(self, subscription: Subscription, delivery: Delivery) -> Outcome:
        """Handle one message to its end: done, a repeat, sent to be retried, or buried."""
        started = stopwatch()
        try:
            received = self._read(subscription, delivery)
        except Unreadable as error:
            await self._bury(subscription.queue, delivery, None, "unreadable", error)
            self._count(subscription, "dead", started)
            return "dead"
        with self.tracing.handling(subscription.queue, received.envelope) as step:
            outcome = await self._try(subscription, delivery, _within(step, received))
            step.outcome = outcome
        self._count(subscription, outcome, started)
        _log_canonical(subscription, received.envelope, outcome, started)
        return outcome

    async def take_batch(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> bool:
        """Handle a batch in one transaction; False means: nothing was kept, take them one by one."""
        started = stopwatch()
        await self.gate.wait()
        try:
            batch = [self._read(subscription, delivery) for delivery in deliveries]
            async with asyncio.timeout(HANDLER_SECONDS):
                fresh = await self._trace_batch(subscription, batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, the one-by-one round finds out
            log.info("batch_redone", queue=subscription.queue, size=len(deliveries), error=describe(error))
            return False
        self.metrics.handled.labels(subscription.topic, "done").inc(fresh)
        self.metrics.handled.labels(subscription.topic, "repeat").inc(len(batch) - fresh)
        seconds = stopwatch() - started
        self.metrics.seconds.labels(subscription.topic).observe(seconds)
        log.info(
            "batch_handled", queue=subscription.queue, size=len(batch), fresh=fresh, seconds=_short(seconds)
        )
        return True

    async def bury_returned(self, service: str, delivery: Delivery) -> None:
        """Keep a message that the broker itself gave up on, with the queue it was in."""
        origin = str(delivery.headers.get("x-first-death-queue", f"{service} (unknown queue)"))
        error = DeliveryLimit(f"taken {origin} without an acknowledgement until the delivery limit")
        await self._bury(origin, delivery, None, "delivery_limit", error)

    def _read(self, subscription: Subscription, delivery: Delivery) -> Received[Message]:
        envelope = read_envelope(delivery)
        return Received(read_body(subscription.contract, delivery.body), envelope)

    async def _try(
        self, subscription: Subscription, delivery: Delivery, received: Received[Message]
    ) -> Outcome:
        pauses, outages = iter(QUICK_PAUSES), iter(range(MOST_OUTAGES))
        while True:
            await self.gate.wait()
            try:
                async with asyncio.timeout(HANDLER_SECONDS):
                    return await self._handle(subscription, received)
            except Exception as error:  # noqa: BLE001 - the one place that decides what an error means
                kind = classify(error)
                if kind is ErrorKind.OUTAGE and next(outages, None) is not None:
                    await self.gate.trip(error)
                elif kind is ErrorKind.DEFECT:
                    await self._bury(subscription.queue, delivery, received.envelope, "defect", error)
                    return "dead"
                elif (pause := next(pauses, None)) is not None:
                    await asyncio.sleep(random.uniform(0, pause))  # jitter, not a secret
                else:
                    return await self._later(subscription, delivery, received.envelope, error)

    async def _handle(self, subscription: Subscription, received: Received[Message]) -> Outcome:
        envelope = received.envelope
        with structlog.contextvars.bound_contextvars(correlation_id=str(envelope.correlation_id)):
            async with self.transactions.begin(envelope) as tx:
                if not await enter_inbox(tx, subscription.topic, [envelope]):
                    return "repeat"
                if subscription.batch:
                    await subscription.handler([received], tx)
                else:
                    await subscription.handler(received.body, tx)
        return "done"

    async def _trace_batch(self, subscription: Subscription, batch: Sequence[Received[Message]]) -> int:
        with ExitStack() as stack:
            steps = [
                stack.enter_context(self.tracing.handling(subscription.queue, item.envelope))
                for item in batch
            ]
            fresh = await self._handle_batch(
                subscription, [_within(step, item) for step, item in zip(steps, batch, strict=True)]
            )
            for step in steps:
                step.outcome = "done"
        return fresh

    async def _handle_batch(self, subscription: Subscription, batch: Sequence[Received[Message]]) -> int:
        cause = batch[0].envelope
        async with self.transactions.begin(cause) as tx:
            fresh = await enter_inbox(tx, subscription.topic, [item.envelope for item in batch])
            news = list(
                {
                    item.envelope.message_id: item for item in batch if item.envelope.message_id in fresh
                }.values()
            )
            if news:
                await subscription.handler(news, tx)
        return len(news)

    async def _later(
        self, subscription: Subscription, delivery: Delivery, envelope: Envelope, error: Exception
    ) -> Outcome:
        if envelope.attempt > len(self.ladder.rungs):
            await self._bury(subscription.queue, delivery, envelope, "retries_exhausted", error)
            return "dead"
        await self._until_up(
            lambda: self.ladder.send(
                subscription.queue, delivery.body, envelope, error, self.transactions.clock.now()
            )
        )
        self.metrics.retries.labels(str(self.ladder.rungs[envelope.attempt - 1])).inc()
        return "retried"

    async def _bury(
        self,
        queue: str,
        delivery: Delivery,
        envelope: Envelope | None,
        reason: Reason,
        error: Exception,
    ) -> None:
        letter = new_dead_letter(
            delivery,
            queue=queue,
            reason=reason,
            error=describe(error),
            envelope=envelope,
            at=self.transactions.clock.now(),
        )

        async def keep() -> DeadLetter:
            async with self.transactions.engine.begin() as connection:
                return replace(letter, id=await bury(connection, letter))

        kept = await self._until_up(keep)
        self.metrics.dead.labels(reason).inc()
        log.error(
            "message_buried",
            queue=kept.queue,
            message_id=kept.message_id,
            reason=reason,
            dead_letter=str(kept.id),
            error=kept.error,
        )
        await self._say_given_up(kept)

    async def _say_given_up(self, letter: DeadLetter) -> None:
        """Tell the scheduler, where the message was part of a run, that the run has failed for now.

        Apart from the burial and after it: whatever keeps this from being said must not lose the letter.
        """
        outcome = given_up(letter)
        if outcome is None:
            return

        async def say() -> None:
            async with self.transactions.begin(read_envelope(delivery_of(letter))) as tx:
                tx.emit(outcome)

        try:
            await self._until_up(say)
        except Exception as error:  # noqa: BLE001 - whatever it was, the letter is kept and counted
            log.warning("outcome_not_said", dead_letter=str(letter.id), error=describe(error))

    async def _until_up(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do something that must not be lost, waiting out whatever server is down."""
        pause = 0.2
        while True:
            try:
                return await step()
            except Exception as error:
                if classify(error) is ErrorKind.DEFECT and not isinstance(error, Transient):
                    raise
                log.warning("waiting_for_server", error=describe(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _count(self, subscription: Subscription, outcome: Outcome, started: float) -> None:
        self.metrics.handled.labels(subscription.topic, outcome).inc()
        self.metrics.seconds.labels(subscription.topic).observe(stopwatch() - started)


async def probe_database(transactions: Transactions) -> None:
    """Whether the database answers; raises what it says when it does not."""
    async with asyncio.timeout(5), transactions.engine.connect() as connection:
        await connection.execute(sa.select(1))


def _within(step: Step, received: Received[Message]) -> Received[Message]:
    """The message as its handler gets it: what it causes belongs to this step of the trace."""
    if step.traceparent == received.envelope.traceparent:
        return received
    return Received(received.body, replace(received.envelope, traceparent=step.traceparent))


def _log_canonical(subscription: Subscription, envelope: Envelope, outcome: Outcome, started: float) -> None:
    log.info(
        "message_handled",
        queue=subscription.queue,
        message_id=str(envelope.message_id),
        correlation_id=str(envelope.correlation_id),
        subject=envelope.subject,
        attempt=envelope.attempt,
        outcome=outcome,
        seconds=_short(stopwatch() - started),
    )


def _short(seconds: float) -> float:
    return round(seconds, 4)
