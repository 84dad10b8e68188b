"""A hot queue: many messages, one transaction, one acknowledgement, and nobody held up by a bad one."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiormq
import pytest
import sqlalchemy as sa

from shared.identity import new_id
from shared.messaging.batches import BatchConsumer
from shared.messaging.envelope import Received
from shared.messaging.tables import inbox
from shared.messaging.transaction import Tx
from tests.support.eventually import eventually
from tests.support.probe import Noted
from tests.support.probe_service import Ground, Held, MakeProbe, ProbeService, as_amqp, note_all, open_channel
from tests.support.proxies import Proxy

pytestmark = pytest.mark.servers


@pytest.fixture
def acknowledged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Every acknowledgement that was sent: its delivery tag, and whether it was for all before it."""
    sent: list[tuple[int, bool]] = []
    basic_ack = aiormq.Channel.basic_ack

    async def record(self: Any, delivery_tag: int, multiple: bool = False, **options: Any) -> Any:
        sent.append((delivery_tag, multiple))
        return await basic_ack(self, delivery_tag, multiple, **options)

    monkeypatch.setattr(aiormq.Channel, "basic_ack", record)
    return sent


def batches_of(probe: ProbeService) -> BatchConsumer:
    [consumer] = probe.consumers._batches
    return consumer


async def transactions_of(ground: Ground) -> int:
    """How many transactions wrote to the inbox."""
    async with ground.transactions.engine.connect() as connection:
        distinct = sa.text("select count(distinct xmin::text) from inbox")
        return int(await connection.scalar(distinct) or 0)


async def test_two_hundred_messages_are_one_transaction_and_one_acknowledgement(
    ground: Ground, make_probe: MakeProbe, acknowledged: list[tuple[int, bool]]
) -> None:
    sizes: list[int] = []

    async def handle(batch: Sequence[Received[Noted]], tx: Tx) -> None:
        sizes.append(len(batch))
        await note_all(batch, tx)

    probe = make_probe(handle, batch=200)
    await probe.declare()
    await probe.send_all(*(Noted(number=number) for number in range(600)))

    await probe.consumers.start()

    await probe.handled(600)
    assert sorted(await ground.numbers()) == list(range(600))
    assert max(sizes) == 200
    assert await transactions_of(ground) == len(sizes) <= 6
    await probe.waiting(0)
    assert len(acknowledged) == len(sizes)
    assert all(multiple for _, multiple in acknowledged)
    assert acknowledged[-1] == (600, True)


async def test_a_batch_with_a_bad_message_is_redone_one_by_one(
    ground: Ground, make_probe: MakeProbe, acknowledged: list[tuple[int, bool]]
) -> None:
    async def handle(batch: Sequence[Received[Noted]], tx: Tx) -> None:
        await note_all(batch, tx)
        if any(item.body.number == 13 for item in batch):
            raise KeyError("bad")

    probe = make_probe(handle, batch=50)
    await probe.declare()
    await probe.send_all(*(Noted(number=number) for number in range(50)))

    await probe.consumers.start()

    await probe.handled(1, "dead")
    await probe.handled(49)
    assert sorted(await ground.numbers()) == [number for number in range(50) if number != 13]
    assert len(await ground.letters()) == 1
    await probe.waiting(0)


async def test_copies_within_one_batch_are_handled_once(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe(batch=50)
    await probe.declare()
    item, identity = Noted(number=7), new_id()
    async with open_channel(ground.vhost.url) as channel:
        for _ in range(5):
            await channel.default_exchange.publish(as_amqp(item, identity), routing_key=probe.queue)
    await probe.send_all(Noted(number=8))

    await probe.consumers.start()

    await probe.handled(2)
    await probe.handled(4, "repeat")
    assert sorted(await ground.numbers()) == [7, 8]
    assert len(await ground.rows(inbox)) == 2


async def test_two_replicas_with_the_same_messages_in_other_orders_do_not_deadlock(
    ground: Ground, make_probe: MakeProbe
) -> None:
    one, other = make_probe(batch=100), make_probe(batch=100)
    await one.declare()
    items = [(Noted(number=number), new_id()) for number in range(200)]
    async with open_channel(ground.vhost.url) as channel:
        for item, identity in [*items, *reversed(items)]:
            await channel.default_exchange.publish(as_amqp(item, identity), routing_key=one.queue)

    await asyncio.gather(one.consumers.start(), other.consumers.start())

    await eventually(lambda: one.outcomes("repeat") + other.outcomes("repeat") == 200)
    assert one.outcomes("done") + other.outcomes("done") == 200
    assert sorted(await ground.numbers()) == list(range(200))


@pytest.mark.parametrize("lost", ["connection", "channel"])
async def test_what_an_old_channel_delivered_is_never_acknowledged_on_the_new_one(
    ground: Ground,
    make_probe: MakeProbe,
    broker_proxy: Proxy,
    acknowledged: list[tuple[int, bool]],
    lost: str,
) -> None:
    batches = [first := Held(), second := Held()]

    async def handle(batch: Sequence[Received[Noted]], tx: Tx) -> None:
        await (batches.pop(0) if batches else second)(batch, tx)

    probe = make_probe(handle, batch=10, broker_url=broker_proxy.url)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(15)))
    await first.entered.wait()
    await eventually(lambda: batches_of(probe)._arrived.qsize() > 0)
    old = batches_of(probe)._source

    await lose(probe, broker_proxy, lost)
    await eventually(lambda: batches_of(probe)._source is not old)
    first.release.set()  # commits; its tags were of the old channel
    await second.entered.wait()
    second.release.set()

    await eventually(lambda: probe.outcomes("done") == 15)
    await probe.waiting(0)
    assert sorted(await ground.numbers()) == list(range(15))
    assert acknowledged[-1] == (15, True)
    assert len(set(acknowledged)) == len(acknowledged), "a tag of the old channel went to the new one"
    assert probe.outcomes("repeat") >= 1


async def lose(probe: ProbeService, proxy: Proxy, lost: str) -> None:
    """Cut the connection, or have the broker close the channel for a mistake on it."""
    if lost == "connection":
        proxy.drop()
        return
    await eventually(lambda: is_open(batches_of(probe)._source))
    channel = batches_of(probe)._source
    assert isinstance(channel, aiormq.Channel)
    await channel.basic_reject(987_654)  # an unknown delivery tag is a channel error


def is_open(channel: object) -> bool:
    return isinstance(channel, aiormq.Channel) and not channel.is_closed


async def test_what_waits_in_memory_is_bounded_however_often_the_channel_is_lost(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy
) -> None:
    held = Held()
    probe = make_probe(held, batch=10, broker_url=broker_proxy.url)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(60)))
    await held.entered.wait()
    consumer = batches_of(probe)

    for _ in range(3):
        old = consumer._source
        await lose(probe, broker_proxy, "channel")
        await filled_anew(consumer, old)
        assert consumer._arrived.qsize() <= 20
    held.release.set()

    await eventually(lambda: probe.outcomes("done") == 60)
    assert sorted(await ground.numbers()) == list(range(60))
    await probe.waiting(0)


async def filled_anew(consumer: BatchConsumer, old: object) -> None:
    await eventually(lambda: consumer._source is not old and consumer._arrived.qsize() >= 20)


async def test_a_batch_consumer_outlives_closed_connections_and_channels(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy
) -> None:
    probe = make_probe(batch=50, broker_url=broker_proxy.url)
    await probe.start()

    for lost in ("connection", "channel", "connection"):
        await ground.emit(*(Noted(number=number) for number in range(100)))
        await asyncio.sleep(0.05)
        await lose(probe, broker_proxy, lost)
        await asyncio.sleep(0.2)

    async def all_there() -> bool:
        return sorted(await ground.numbers()) == sorted([*range(100)] * 3)

    await eventually(all_there, within=40)  # a deaf channel is noticed within ten seconds
    await probe.waiting(0)
    await eventually(lambda: batches_of(probe).consuming())


async def test_a_worker_that_ended_is_not_ready(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe(batch=50)
    await probe.start()
    assert await probe.consumers.ready()

    worker = batches_of(probe)._worker
    assert worker is not None
    worker.cancel()
    await asyncio.wait([worker])

    assert not await probe.consumers.ready()


async def test_a_deleted_queue_that_is_declared_again_is_consumed_again(
    ground: Ground, make_probe: MakeProbe
) -> None:
    probe = make_probe(batch=50)
    await probe.start()
    found = batches_of(probe)._channel
    assert found is not None
    underlay = await found.get_underlay_channel()
    async with open_channel(ground.vhost.url) as channel:
        await channel.queue_delete(probe.queue)
    await eventually(
        lambda: not getattr(underlay, "consumers", None)
    )  # 3.10 says nothing if it is declared again at once
    await probe.declare()

    await ground.emit(Noted(number=1))

    await probe.handled(1)


async def test_a_queue_that_stays_without_its_consumer_is_consumed_again(
    ground: Ground, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that lost its connection in the middle of being restored stays deaf by itself."""
    monkeypatch.setattr("shared.messaging.consumers.WATCH_SECONDS", 0.1)
    probe = make_probe(batch=50)
    await probe.start()
    deaf = batches_of(probe)._channel
    assert deaf is not None
    await deaf.close()
    assert not await probe.consumers.ready()

    await ground.emit(*(Noted(number=number) for number in range(10)))

    await probe.handled(10)
    await eventually(probe.consumers.ready)
