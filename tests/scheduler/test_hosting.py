"""The scheduler as it is run: two replicas, a real broker, and a consumer that answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pydantic import SecretStr

from services.scheduler.app import create_app, router
from services.scheduler.domain.occurrences import Occurrence
from services.scheduler.settings import Settings
from shared.contracts.scheduler import MonthlyBillingDue
from shared.identity import new_id
from shared.messaging import topology
from shared.messaging.naming import EVENTS, queue_for
from shared.messaging.router import Router
from shared.messaging.transaction import Tx
from tests.scheduler.driver import Scheduler, SetClock, billed, until
from tests.support.brokers import TestVhost
from tests.support.databases import TestDatabases

pytestmark = pytest.mark.servers

consumer = Router("billing")


@consumer.on(MonthlyBillingDue)
async def never_called(due: MonthlyBillingDue, tx: Tx) -> None:
    """Declares the queue; the test itself takes what arrives."""


@asynccontextmanager
async def replicas(count: int, database_url: str, vhost: TestVhost, clock: SetClock) -> AsyncIterator[None]:
    settings = Settings(database_url=SecretStr(database_url), broker_url=SecretStr(vhost.url), http_port=0)
    hosts = [create_app(settings, clock) for _ in range(count)]
    for host in hosts:
        await host.start()
    try:
        yield
    finally:
        for host in hosts:
            await host.stop()


async def answer(channel: AbstractChannel, trigger: AbstractIncomingMessage) -> None:
    """Say, as billing would, that the work is done."""
    due = MonthlyBillingDue.model_validate_json(trigger.body)
    outcome = billed(due.occurrence_id, due.as_of)
    message = aio_pika.Message(
        outcome.model_dump_json().encode(), message_id=str(new_id()), type=outcome.topic
    )
    exchange = await channel.get_exchange(EVENTS)
    await exchange.publish(message, routing_key=outcome.topic)


async def test_a_time_comes_once_and_its_outcome_comes_back(
    scheduler: Scheduler, clock: SetClock, databases: TestDatabases, vhost: TestVhost
) -> None:
    await scheduler.add()
    connection = await aio_pika.connect(vhost.url)
    async with connection:
        channel = await connection.channel()
        await topology.declare(channel, [*router.subscriptions, *consumer.subscriptions])
        queue = await channel.get_queue(queue_for("billing", MonthlyBillingDue))
        async with replicas(2, await databases.url("scheduler"), vhost, clock):
            clock.advance(minutes=5, seconds=1)
            trigger = await until(lambda: queue.get(no_ack=True, fail=False), within=15)
            await answer(channel, trigger)
            await until(lambda: succeeded(scheduler), within=15)
            assert await queue.get(no_ack=True, fail=False) is None

    [occurrence] = await scheduler.history()
    assert trigger.message_id == trigger.correlation_id == str(occurrence.id)
    assert occurrence.reports[0].counts == {"created": 29}


async def succeeded(scheduler: Scheduler) -> list[Occurrence]:
    return [occurrence for occurrence in await scheduler.history() if occurrence.state == "succeeded"]
