"""The way out: in order, until confirmed, by one relay at a time."""

import asyncio
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from shared.contracts.base import Message
from shared.identity import new_id
from shared.messaging.naming import EVENTS
from shared.messaging.relay import BATCH
from shared.messaging.router import Router
from shared.messaging.tables import outbox
from shared.messaging.transaction import Tx
from tests.support.eventually import eventually
from tests.support.probe import DoWork, Followed, Noted
from tests.support.probe_service import Ground, MakeProbe, ProbeService, open_channel
from tests.support.proxies import Proxy

pytestmark = pytest.mark.servers

PUBLISHED = "propman_outbox_published_total"


async def arrived(probe: ProbeService, count: int) -> list[AbstractIncomingMessage]:
    """The first messages of its queue, in the broker's order; they are taken out."""
    await eventually(lambda: probe.sample(PUBLISHED, result="confirmed") >= count)
    async with open_channel(probe.ground.vhost.url) as channel:
        queue = await channel.get_queue(probe.queue)
        taken: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(taken.put, no_ack=True)
        return [await taken.get() for _ in range(count)]


def numbers_of(messages: list[AbstractIncomingMessage]) -> list[int]:
    return [Noted.model_validate_json(message.body).number for message in messages]


async def emit_chunks(ground: Ground, count: int, *, size: int = 50) -> None:
    """Emit numbered facts about five items, several to a transaction."""
    items = [new_id() for _ in range(5)]
    for start in range(0, count, size):
        chunk = range(start, min(start + size, count))
        await ground.emit(*(Noted(item_id=items[number % 5], number=number) for number in chunk))


async def test_the_broker_s_order_is_the_order_of_ids_across_batches(
    ground: Ground, make_probe: MakeProbe
) -> None:
    probe = make_probe()
    await emit_chunks(ground, 2 * BATCH + 50)

    await probe.start(consume=False)

    assert numbers_of(await arrived(probe, 2 * BATCH + 50)) == list(range(2 * BATCH + 50))
    await ground.flushed()


async def test_notify_wakes_the_relay_before_the_next_poll(
    ground: Ground, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.POLL_SECONDS", 60.0)
    probe = make_probe()
    await probe.start(consume=False)
    await probe.leads()

    for _ in range(3):
        await ground.emit(Noted())
        await ground.flushed()


async def test_a_row_stays_until_the_broker_confirmed_it(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.publisher.CONFIRM_SECONDS", 0.5)
    probe = make_probe(broker_url=broker_proxy.url)
    await probe.start(consume=False)
    await ground.emit(Noted(number=0))
    await ground.flushed()

    broker_proxy.freeze()
    await ground.emit(*(Noted(number=number) for number in range(1, 11)))
    await asyncio.sleep(1.5)
    assert len(await ground.rows(outbox)) == 10

    await broker_proxy.mend()
    await ground.flushed()
    assert set(numbers_of(await arrived(probe, 11))) == set(range(11))


async def test_connections_cut_in_the_middle_lose_nothing_and_repeat_no_effect(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy
) -> None:
    probe = make_probe(batch=100, broker_url=broker_proxy.url)
    await probe.start()

    async def disturb() -> None:
        for _ in range(3):
            await asyncio.sleep(0.25)
            broker_proxy.drop()

    disturbing = asyncio.create_task(disturb())
    await emit_chunks(ground, 1_000, size=100)
    await disturbing

    await ground.flushed()
    await eventually(lambda: probe.outcomes("done") >= 1_000)
    assert sorted(await ground.numbers()) == list(range(1_000))


async def test_connections_closed_by_the_broker_lose_nothing(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start()
    await emit_chunks(ground, 100)
    await eventually(lambda: probe.outcomes("done") > 0)

    closed = 0

    def some_closed() -> bool:
        nonlocal closed
        closed += ground.vhost.close_connections()
        return closed >= 2

    await eventually(some_closed)
    await emit_chunks(ground, 100)

    async def all_there() -> bool:
        return sorted(await ground.numbers()) == sorted([*range(100), *range(100)])

    await eventually(all_there)


async def two_relays(ground: Ground, make_probe: MakeProbe) -> tuple[ProbeService, ProbeService]:
    leader, standby = make_probe(), make_probe()
    await leader.start(consume=False)
    await leader.leads()
    standby.start_relay()
    await ground.emit(Noted())
    await ground.flushed()
    await asyncio.sleep(0.1)
    assert standby.sample("propman_relay_leader") == 0
    assert standby.sample(PUBLISHED, result="confirmed") == 0
    return leader, standby


async def test_a_standby_takes_over_when_the_leader_is_cancelled(
    ground: Ground, make_probe: MakeProbe
) -> None:
    leader, standby = await two_relays(ground, make_probe)
    assert leader.relay_task is not None

    leader.relay_task.cancel()
    await asyncio.wait([leader.relay_task])
    await ground.emit(Noted())

    await ground.flushed()
    assert standby.sample(PUBLISHED, result="confirmed") == 1
    assert (leader.sample("propman_relay_leader"), standby.sample("propman_relay_leader")) == (0, 1)


async def test_one_relay_leads_again_after_the_leader_s_backend_was_ended(
    ground: Ground, make_probe: MakeProbe
) -> None:
    leader, standby = await two_relays(ground, make_probe)

    assert await ground.end_backends("propman-probe-relay") == 2
    await ground.emit(*(Noted(number=number) for number in range(1, 31)))

    await ground.flushed()
    await eventually(lambda: leaders(leader, standby) == 1)
    assert set(numbers_of(await arrived(leader, 1))) == {0}


def leaders(*probes: ProbeService) -> float:
    return sum(probe.sample("propman_relay_leader") for probe in probes)


async def test_a_stopping_relay_flushes_what_is_there(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start(consume=False)
    await probe.leads()
    await emit_chunks(ground, BATCH + 100)

    probe.relay.stop()
    assert probe.relay_task is not None
    await asyncio.wait_for(probe.relay_task, 15)

    assert await ground.rows(outbox) == []


async def test_a_stopping_relay_does_not_wait_for_a_broker_that_is_gone(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy
) -> None:
    probe = make_probe(broker_url=broker_proxy.url)
    await probe.start(consume=False)
    await probe.leads()
    await broker_proxy.cut()
    await ground.emit(Noted())
    await asyncio.sleep(0.5)

    probe.relay.stop()
    assert probe.relay_task is not None
    await asyncio.wait_for(probe.relay_task, 10)

    assert len(await ground.rows(outbox)) == 1


async def test_while_the_broker_is_gone_the_relay_pauses_between_its_tries(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    probe = make_probe(broker_url=broker_proxy.url)
    publish = probe.publishers[0].publish

    async def count(batch: Any) -> Any:
        nonlocal tries
        tries += 1
        await ground.emit(Noted())  # a NOTIFY at the worst moment
        return await publish(batch)

    monkeypatch.setattr(probe.publishers[0], "publish", count)
    await broker_proxy.cut()
    await probe.start(consume=False)
    await probe.leads()

    await ground.emit(Noted())
    await asyncio.sleep(1.5)

    assert 1 <= tries <= 5


# What nobody takes


@pytest.fixture
async def unheard(ground: Ground, make_probe: MakeProbe) -> ProbeService:
    """A probe that listens to facts and whose command no queue is bound to, yet."""
    probe = make_probe()
    await probe.start(consume=False)
    await probe.leads()
    return probe


async def bind(probe: ProbeService, contract: type[Message]) -> None:
    async with open_channel(probe.ground.vhost.url) as channel:
        queue = await channel.get_queue(probe.queue)
        await queue.bind(EVENTS, contract.topic)


async def postponed(ground: Ground, error: str) -> None:
    async def one_failed() -> bool:
        return any(row.last_error and error in row.last_error for row in await ground.rows(outbox))

    await eventually(one_failed)


async def test_a_command_nobody_hears_is_kept_and_published_once_somebody_does(
    ground: Ground, unheard: ProbeService
) -> None:
    await ground.emit(DoWork())
    await postponed(ground, "unroutable")
    [row] = await ground.rows(outbox)
    assert row.attempts == 1
    assert row.next_attempt_at is not None
    assert unheard.sample(PUBLISHED, result="unroutable") >= 1

    await bind(unheard, DoWork)
    await ground.admin("update outbox set next_attempt_at = now()")

    await ground.flushed()
    [message] = await arrived(unheard, 1)
    assert (message.type, message.message_id) == (DoWork.topic, str(row.message_id))


async def test_a_fact_nobody_listens_to_is_counted_and_gone(ground: Ground, unheard: ProbeService) -> None:
    await ground.emit(Followed(item_id=new_id()))

    await ground.flushed()
    assert unheard.sample(PUBLISHED, result="unroutable") == 1
    assert unheard.sample(PUBLISHED, result="confirmed") == 0


async def test_a_postponed_row_holds_back_its_subject_and_nobody_else(
    ground: Ground, unheard: ProbeService
) -> None:
    item = new_id()
    await ground.emit(DoWork(item_id=item, number=1))
    await postponed(ground, "unroutable")
    await ground.admin("update outbox set next_attempt_at = now() + interval '1 hour'")

    await ground.emit(Noted(item_id=item, number=2), Noted(number=3), Noted(item_id=item, number=4))

    assert numbers_of(await arrived(unheard, 1)) == [3]
    assert [row.topic for row in await ground.rows(outbox)] == [DoWork.topic, Noted.topic, Noted.topic]

    await bind(unheard, DoWork)
    await ground.admin("update outbox set next_attempt_at = now() where next_attempt_at is not null")
    await ground.flushed()
    assert numbers_of(await arrived(unheard, 3)) == [1, 2, 4]


async def test_a_message_the_broker_refuses_is_postponed_and_the_others_go(
    ground: Ground, make_probe: MakeProbe, router: Router
) -> None:
    @router.on(Noted, DoWork)
    async def handle(message: Any, tx: Tx) -> None: ...

    probe = make_probe()
    full = router.subscriptions[1].queue
    async with open_channel(ground.vhost.url) as channel:
        queue = await channel.declare_queue(
            f"{full}.full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await probe.declare()
        await queue.bind(EVENTS, DoWork.topic)
        await channel.default_exchange.publish(aio_pika.Message(b"full"), routing_key=queue.name)
        await ground.emit(DoWork(), Noted(number=1), DoWork(), Noted(number=2))

        probe.start_relay()
        await postponed(ground, "refused")

        assert numbers_of(await arrived(probe, 2)) == [1, 2]
        assert [row.topic for row in await ground.rows(outbox)] == [DoWork.topic, DoWork.topic]
        await channel.queue_delete(queue.name)
        await ground.admin("update outbox set next_attempt_at = now()")
        await ground.flushed()


async def test_without_its_exchange_nothing_is_lost(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    async with open_channel(ground.vhost.url) as channel:
        await channel.exchange_delete(EVENTS)
    probe.start_relay()
    await ground.emit(Noted(number=1))
    await asyncio.sleep(0.5)
    assert len(await ground.rows(outbox)) == 1

    await probe.declare()

    assert numbers_of(await arrived(probe, 1)) == [1]
