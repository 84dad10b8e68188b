"""Which function of a service handles which message. Declares; connects nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from shared.contracts.base import Message
from shared.messaging.envelope import Received
from shared.messaging.naming import queue_for
from shared.messaging.transaction import Tx

M = TypeVar("M", bound=Message)

Handler = Callable[[M, Tx], Awaitable[None]]
"""Load, decide, save, emit: one message in one transaction."""

BatchHandler = Callable[[Sequence[Received[M]], Tx], Awaitable[None]]
"""The same for up to `batch` messages in one transaction, with set-based SQL."""

DEFAULT_PREFETCH: Final = 10
DEFAULT_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Subscription:
    """One queue of one consumer and the function that takes what arrives there."""

    consumer: str
    contract: type[Message]
    handler: Callable[[Any, Tx], Awaitable[None]]
    prefetch: int
    batch: int = 0
    """Up to how many messages one transaction takes; 0 for one at a time."""

    @property
    def queue(self) -> str:
        """The queue's name."""
        return queue_for(self.consumer, self.contract)

    @property
    def topic(self) -> str:
        """The routing key it is bound with."""
        return self.contract.topic


@dataclass(slots=True)
class Router:
    """The subscriptions of one service, in the order they were declared."""

    consumer: str
    subscriptions: list[Subscription] = field(default_factory=list)

    def on(self, *contracts: type[M], prefetch: int = DEFAULT_PREFETCH) -> Callable[[Handler[M]], Handler[M]]:
        """Let a function handle each of these messages, one per transaction."""

        def register(handler: Handler[M]) -> Handler[M]:
            for contract in contracts:
                self._add(Subscription(self.consumer, contract, handler, prefetch))
            return handler

        return register

    def on_batch(
        self, *contracts: type[M], batch: int = DEFAULT_BATCH
    ) -> Callable[[BatchHandler[M]], BatchHandler[M]]:
        """Let a function handle hot queues in batches; a batch that fails is redone one by one."""

        def register(handler: BatchHandler[M]) -> BatchHandler[M]:
            for contract in contracts:
                self._add(Subscription(self.consumer, contract, handler, prefetch=batch * 2, batch=batch))
            return handler

        return register

    def include(self, *others: "Router") -> None:
        """Take over the subscriptions of a service's other files."""
        for other in others:
            for subscription in other.subscriptions:
                self._add(subscription)

    def _add(self, subscription: Subscription) -> None:
        if any(known.topic == subscription.topic for known in self.subscriptions):
            message = f"{self.consumer} already handles {subscription.topic}"
            raise ValueError(message)
        self.subscriptions.append(subscription)
