"""While a server is down nothing is lost, nothing is buried, and no attempt is burnt."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from shared.clock import SystemClock
from shared.messaging import topology
from shared.messaging.publisher import Outgoing, Publisher, properties
from shared.messaging.tables import outbox
from tests.support.alarms import MemoryAlarm
from tests.support.eventually import eventually
from tests.support.probe import Noted
from tests.support.probe_service import Ground, Held, MakeProbe, ProbeService, open_channel
from tests.support.proxies import Proxy

pytestmark = pytest.mark.servers

RETRIES = "propman_message_retries_total"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe a server that is down more often."""
    monkeypatch.setattr("shared.messaging.outage._LONGEST_PAUSE", 0.3)
    monkeypatch.setattr("shared.messaging.relay.LONGEST_PAUSE", 0.3)
    monkeypatch.setattr("shared.messaging.consumers.RECONNECT_SECONDS", 0.2)


async def all_handled(ground: Ground, probe: ProbeService, count: int) -> None:
    async def so_many() -> bool:
        return len(await ground.numbers()) >= count

    await eventually(so_many)
    assert sorted(await ground.numbers()) == list(range(count))
    assert await ground.letters() == []
    assert (probe.outcomes("retried"), probe.outcomes("dead")) == (0, 0)
    await probe.waiting(0)
    await ground.flushed()


# The database


@pytest.mark.parametrize("batch", [0, 20])
async def test_ended_backends_cost_no_attempt(ground: Ground, make_probe: MakeProbe, batch: int) -> None:
    probe = make_probe(batch=batch)
    await probe.start()
    sending = asyncio.create_task(probe.send_all(*(Noted(number=number) for number in range(300))))

    for _ in range(3):
        await asyncio.sleep(0.1)
        await ground.end_backends("propman-probe%")
    await sending

    await all_handled(ground, probe, 300)


@pytest.mark.parametrize("batch", [0, 20])
async def test_a_database_closed_to_connections_pauses_consuming(
    ground: Ground, make_probe: MakeProbe, batch: int
) -> None:
    probe = make_probe(batch=batch)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(20)))

    async with closed_database(ground):
        await ground.end_backends("propman-probe%")
        await probe.send_all(*(Noted(number=number) for number in range(20, 60)))
        await eventually(lambda: probe.gate.closed)
        await asyncio.sleep(0.7)
        assert probe.gate.closed

    await all_handled(ground, probe, 60)
    assert not probe.gate.closed


@asynccontextmanager
async def closed_database(ground: Ground) -> AsyncIterator[None]:
    """Let nobody connect to it, but the administrator through another database."""
    name = sa.make_url(ground.admin_url).database
    await ground.elsewhere(f'alter database "{name}" with allow_connections false')
    try:
        yield
    finally:
        await ground.elsewhere(f'alter database "{name}" with allow_connections true')


@pytest.mark.parametrize("batch", [0, 20])
async def test_a_database_that_refuses_connections_pauses_consuming(
    ground: Ground, make_probe: MakeProbe, database_proxy: Proxy, batch: int
) -> None:
    probe = make_probe(batch=batch, database_url=database_proxy.url)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(20)))

    await database_proxy.cut()
    await probe.send_all(*(Noted(number=number) for number in range(20, 60)))
    await eventually(lambda: probe.gate.closed)
    await asyncio.sleep(0.7)
    assert len(await ground.numbers()) < 60
    await database_proxy.mend()

    await all_handled(ground, probe, 60)


async def test_a_dead_letter_waits_for_the_database(
    ground: Ground, make_probe: MakeProbe, database_proxy: Proxy
) -> None:
    probe = make_probe(database_url=database_proxy.url)
    await probe.start()
    await database_proxy.cut()

    await probe.send(b"{", message_id="17")
    await asyncio.sleep(0.5)
    assert probe.outcomes("dead") == 0
    await database_proxy.mend()

    await probe.handled(1, "dead")
    [letter] = await ground.letters()
    assert letter.message_id == "17"


async def test_the_relay_goes_on_after_its_database_was_away(
    ground: Ground, make_probe: MakeProbe, database_proxy: Proxy
) -> None:
    probe = make_probe(database_url=database_proxy.url)
    await probe.start()
    await probe.leads()

    await database_proxy.cut()
    await eventually(lambda: probe.sample("propman_relay_leader") == 0)
    await ground.emit(*(Noted(number=number) for number in range(10)))
    await database_proxy.mend()

    await all_handled(ground, probe, 10)


@pytest.mark.parametrize("batch", [0, 20])
async def test_stopping_while_the_database_is_away_gives_the_messages_back(
    ground: Ground,
    make_probe: MakeProbe,
    database_proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
) -> None:
    monkeypatch.setattr("shared.messaging.batches.GRACE_SECONDS", 0.5)
    monkeypatch.setattr("shared.messaging.consumers.GRACE_SECONDS", 0.5)
    probe = make_probe(batch=batch, database_url=database_proxy.url)
    await probe.start()
    await database_proxy.cut()
    await probe.send_all(*(Noted(number=number) for number in range(5)))
    await eventually(lambda: probe.gate.closed)

    await asyncio.wait_for(probe.consumers.stop(), 10)

    await probe.waiting(5)
    assert await ground.letters() == []


# The broker


@pytest.mark.parametrize("batch", [0, 20])
async def test_consuming_resumes_after_the_broker_was_away(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, batch: int
) -> None:
    probe = make_probe(batch=batch, broker_url=broker_proxy.url)
    await probe.start()
    await ground.emit(*(Noted(number=number) for number in range(20)))
    await eventually(lambda: probe.outcomes("done") == 20)

    await broker_proxy.cut()
    await ground.emit(*(Noted(number=number) for number in range(20, 60)))
    await asyncio.sleep(0.3)
    assert not await probe.consumers.ready()
    await broker_proxy.mend()

    await all_handled(ground, probe, 60)
    assert await probe.consumers.ready()


async def test_a_service_that_starts_before_the_broker_waits_for_it(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy
) -> None:
    await broker_proxy.cut()
    probe = make_probe(broker_url=broker_proxy.url)
    await probe.declare()
    await probe.send_all(Noted(number=0))

    starting = asyncio.create_task(probe.consumers.start())
    await asyncio.sleep(0.5)
    assert not starting.done()
    await broker_proxy.mend()

    await asyncio.wait_for(starting, 15)
    await probe.handled(1)


async def test_waiting_for_a_broker_that_never_comes_can_be_cancelled(make_probe: MakeProbe) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # accepts, and never says a word
        probe = make_probe(broker_url=f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/")
        before = asyncio.all_tasks()

        starting = asyncio.create_task(probe.consumers.start())
        await asyncio.sleep(0.3)
        starting.cancel()
        await asyncio.wait([starting], timeout=5)

        assert starting.cancelled()
        await eventually(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize("batch", [0, 20])
async def test_stopping_while_the_broker_is_away_does_not_hang(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, batch: int
) -> None:
    probe = make_probe(batch=batch, broker_url=broker_proxy.url)
    await probe.start()
    await broker_proxy.cut()
    await asyncio.sleep(0.3)

    await asyncio.wait_for(probe.stop(), 10)


async def test_declaring_twice_at_once_is_fine(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()

    async def declare() -> int:
        async with open_channel(ground.vhost.url) as channel:
            return await topology.declare(channel, probe.router.subscriptions)

    assert await asyncio.gather(*(declare() for _ in range(6))) == [1] * 6
    await probe.start()
    await ground.emit(Noted())
    await probe.handled(1)


# A broker that takes nothing


def a_message(routing_key: str) -> Outgoing:
    return Outgoing(
        exchange="",
        routing_key=routing_key,
        body=b"x",
        properties=properties(
            message_id="1",
            topic="t",
            correlation_id=None,
            source="s",
            timestamp=SystemClock().now(),
            headers={},
        ),
    )


async def times_out(publisher: Publisher, queue: str) -> None:
    """The publisher itself gives up; it is not we who stop it."""
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await publisher.publish([a_message(queue)])


async def test_publishing_into_silence_times_out_and_recovers(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.publisher.CONFIRM_SECONDS", 0.5)
    probe = make_probe()
    await probe.declare()
    publisher = Publisher(broker_proxy.url, name="silence")
    assert await publisher.publish([a_message(probe.queue)]) == ["confirmed"]

    broker_proxy.freeze()
    await times_out(publisher, probe.queue)

    await broker_proxy.mend()
    assert await publisher.publish([a_message(probe.queue)]) == ["confirmed"]
    await publisher.close()


async def test_a_memory_alarm_stops_publishing_but_not_consuming(
    ground: Ground, make_probe: MakeProbe, memory_alarm: MemoryAlarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.publisher.CONFIRM_SECONDS", 0.5)
    held = Held()
    probe = make_probe(held)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(10)))
    await held.entered.wait()

    await memory_alarm.raise_()
    await ground.emit(Noted(number=10))
    await times_out(probe.publishers[1], probe.queue)
    held.release.set()
    await eventually(lambda: probe.outcomes("done") == 10, within=5)
    assert len(await ground.rows(outbox)) == 1
    await memory_alarm.clear()

    await ground.flushed()
    await eventually(lambda: probe.outcomes("done") == 11)
