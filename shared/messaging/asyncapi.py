"""A service's AsyncAPI document: what it says and what it hears, from its contracts and its router.

FastStream writes the document from a broker that is never connected, because the running one takes
raw messages: reading them is the edge's work, so that what cannot be read is kept with its reason.
"""

import json
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, cast

from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.specification import AsyncAPI

from shared import contracts
from shared.contracts.base import Message, message_types
from shared.contracts.scheduler import ServiceReported, TriggerOutcome
from shared.messaging.naming import EVENTS
from shared.messaging.router import Router, Subscription


def asyncapi_document(router: Router, *, version: str, description: str) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of one service."""
    broker = RabbitBroker("amqp://broker", logger=None)
    exchange = RabbitExchange(EVENTS, type=ExchangeType.TOPIC, durable=True)
    for subscription in router.subscriptions:
        _describe_subscription(broker, exchange, subscription)
    for contract in sent_by(router):
        _describe_publication(broker, exchange, contract)
    specification = AsyncAPI(
        broker, title=f"propman {router.consumer}", version=version, description=description
    )
    document = specification.to_specification().to_json()
    # Sorted, so that a document kept in git changes only where a message does.
    return cast("dict[str, Any]", json.loads(json.dumps(json.loads(document), sort_keys=True)))


def sent_by(router: Router) -> list[type[Message]]:
    """What a service says: its own contracts, how it is, and an outcome for the triggers it takes.

    `ServiceReported` is said by all; `TriggerOutcome` by all that take triggers, and its owner hears it.
    """
    for module in iter_modules(contracts.__path__):
        import_module(f"{contracts.__name__}.{module.name}")
    answers = any(item.contract.kind == "trigger" for item in router.subscriptions)
    of_all = (TriggerOutcome, ServiceReported)
    own = [item for item in message_types() if item.owner == router.consumer and item not in of_all]
    return [*own, ServiceReported, *([TriggerOutcome] if answers else [])]


def _describe_subscription(
    broker: RabbitBroker, exchange: RabbitExchange, subscription: Subscription
) -> None:
    async def receive(body: Message) -> None:
        """Never called."""

    receive.__annotations__["body"] = subscription.contract
    receive.__doc__ = subscription.handler.__doc__
    broker.subscriber(
        RabbitQueue(subscription.queue, durable=True, routing_key=subscription.topic),
        exchange,
        title=subscription.queue,
        description=subscription.handler.__doc__,
    )(receive)


def _describe_publication(broker: RabbitBroker, exchange: RabbitExchange, contract: type[Message]) -> None:
    broker.publisher(
        exchange=exchange,
        routing_key=contract.topic,
        title=contract.topic,
        description=contract.__doc__,
        schema=contract,
        persist=True,
    )
