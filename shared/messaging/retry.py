"""Delayed redelivery to one queue alone, by queues whose messages expire back to where they came from."""

from collections.abc import Sequence
from datetime import datetime

from shared.messaging.envelope import (
    ATTEMPT_HEADER,
    FIRST_FAILED_HEADER,
    REPLAYED_HEADER,
    Envelope,
)
from shared.messaging.errors import Transient, describe
from shared.messaging.naming import RETRY_SECONDS, retry_name
from shared.messaging.publisher import Outgoing, Publisher, properties


class RetryLadder:
    """Sends a copy of a message to the rung for its attempt; the caller then acknowledges the original.

    In that order: a crash between the two leaves two copies, which the inbox makes one. The other
    order would lose the message.
    """

    def __init__(self, publisher: Publisher, *, source: str, rungs: Sequence[int] = RETRY_SECONDS) -> None:
        """`source` is the service the copies are published as; the topology must have its rungs."""
        self._publisher = publisher
        self._source = source
        self.rungs = rungs

    async def send(self, queue: str, body: bytes, envelope: Envelope, error: Exception, at: datetime) -> None:
        """Have the message come back to `queue` after the pause its attempt has earned."""
        seconds = self.rungs[min(envelope.attempt, len(self.rungs)) - 1]
        headers = {
            ATTEMPT_HEADER: envelope.attempt + 1,
            FIRST_FAILED_HEADER: (envelope.first_failed_at or at).isoformat(),
            "x-error": describe(error, 200),
        }
        await self._send(retry_name(seconds), queue, body, envelope, headers, at)

    async def replay(self, queue: str, body: bytes, envelope: Envelope, at: datetime) -> None:
        """Put a dead letter back into the queue it came from, under its own id, with fresh attempts."""
        await self._send("", queue, body, envelope, {REPLAYED_HEADER: at.isoformat()}, at)

    async def _send(
        self,
        exchange: str,
        queue: str,
        body: bytes,
        envelope: Envelope,
        headers: dict[str, object],
        at: datetime,
    ) -> None:
        carried = {
            "ce-specversion": "1.0",
            "ce-source": f"/services/{self._source}",
            "ce-subject": envelope.subject,
            "causation_id": str(envelope.causation_id) if envelope.causation_id else None,
            "traceparent": envelope.traceparent,
        }
        outgoing = Outgoing(
            exchange=exchange,
            routing_key=queue,
            body=body,
            properties=properties(
                message_id=str(envelope.message_id),
                topic=envelope.topic,
                correlation_id=str(envelope.correlation_id),
                source=self._source,
                timestamp=at,
                headers=carried | headers,
            ),
        )
        [result] = await self._publisher.publish([outgoing])
        if result != "confirmed":
            message = f"the broker did not take the message for {queue}: {result}"
            raise Transient(message)
