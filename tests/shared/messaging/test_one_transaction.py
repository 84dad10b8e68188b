"""From emit to effect: what travels, what is atomic, and what is acknowledged when."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import aio_pika
import pytest

from shared.identity import new_id
from shared.messaging.errors import Transient
from shared.messaging.router import Router
from shared.messaging.tables import inbox, outbox
from shared.messaging.transaction import Tx
from tests.support.eventually import eventually
from tests.support.probe import Followed, Noted
from tests.support.probe_service import Ground, Held, MakeProbe, note
from tests.support.proxies import Proxy

pytestmark = pytest.mark.servers


async def test_what_a_transaction_emits_is_handled_once(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start()

    await ground.emit(*(Noted(number=number) for number in range(30)))

    await probe.handled(30)
    assert sorted(await ground.numbers()) == list(range(30))
    assert len(await ground.rows(inbox)) == 30
    await ground.flushed()
    await probe.waiting(0)


async def test_the_envelope_on_the_wire_has_every_attribute(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start(consume=False)
    before, item, message_id = datetime.now(UTC).replace(microsecond=0), Noted(), new_id()

    async with ground.transactions.command("test") as tx:
        tx.emit(item, message_id=message_id)

    await probe.waiting(1)
    message = await probe.get()
    assert message is not None
    assert message.message_id == str(message_id)
    assert (message.type, message.routing_key) == ("probe.noted.v1", "probe.noted.v1")
    assert (message.app_id, message.content_type) == ("probe", "application/json")
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.correlation_id == str(tx.cause.correlation_id)
    assert message.timestamp is not None
    assert before <= message.timestamp <= datetime.now(UTC)
    assert {name: value for name, value in message.headers.items() if name != "x-delivery-count"} == {
        "ce-specversion": "1.0",
        "ce-source": "/services/probe",
        "ce-subject": str(item.item_id),
        "causation_id": str(tx.cause.message_id),
        "traceparent": tx.cause.traceparent,
    }
    assert Noted.model_validate_json(message.body) == item


async def test_a_handler_s_message_names_its_cause_and_keeps_the_correlation(
    ground: Ground, make_probe: MakeProbe, router: Router
) -> None:
    heard: list[Tx] = []

    @router.on(Noted)
    async def follow(message: Noted, tx: Tx) -> None:
        tx.emit(Followed(item_id=message.item_id))

    @router.on(Followed)
    async def hear(_message: Followed, tx: Tx) -> None:
        heard.append(tx)

    probe = make_probe()
    await probe.start()

    correlation_id = await ground.emit(Noted())

    await probe.handled(2)
    [tx] = heard
    first = next(row for row in await ground.rows(inbox) if row.consumer == Noted.topic)
    assert tx.cause.correlation_id == first.correlation_id == correlation_id
    assert tx.cause.causation_id == first.message_id
    assert tx.cause.traceparent is not None
    assert correlation_id.hex in tx.cause.traceparent


async def test_a_rolled_back_transaction_publishes_nothing(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start()

    with suppress(RuntimeError):
        async with ground.transactions.command("test") as tx:
            tx.emit(Noted(number=1))
            await tx.write_outbox()
            raise RuntimeError("rolled back on purpose")
    await ground.emit(Noted(number=2))

    await probe.handled(1)
    assert await ground.numbers() == [2]


async def test_a_failing_handler_leaves_neither_effect_nor_inbox_nor_outbox(
    ground: Ground, make_probe: MakeProbe
) -> None:
    async def fail(message: Noted, tx: Tx) -> None:
        await note(message, tx)
        tx.emit(Followed(item_id=message.item_id))
        await tx.write_outbox()
        raise KeyError("broken on purpose")

    probe = make_probe(fail)
    await probe.start()

    await probe.send_all(Noted())

    await probe.handled(1, "dead")
    assert await ground.numbers() == []
    assert await ground.rows(inbox) == []
    assert await ground.rows(outbox) == []


async def test_the_same_message_twice_has_one_effect(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe()
    await probe.start()
    item, identity = Noted(number=7), str(new_id())

    for _ in range(3):
        await probe.send(item.model_dump_json().encode(), message_id=identity)

    await probe.handled(2, "repeat")
    assert await ground.numbers() == [7]


async def test_two_copies_at_the_same_moment_have_one_effect(ground: Ground, make_probe: MakeProbe) -> None:
    held = Held()
    one, other = make_probe(held), make_probe(held)
    await one.start()
    await other.start()
    item, identity = Noted(number=7), str(new_id())

    await asyncio.gather(*(one.send(item.model_dump_json().encode(), message_id=identity) for _ in range(4)))
    await held.entered.wait()
    held.release.set()

    await eventually(lambda: one.outcomes("repeat") + other.outcomes("repeat") == 3)
    assert one.outcomes("done") + other.outcomes("done") == 1
    assert await ground.numbers() == [7]


@pytest.mark.parametrize("batch", [0, 50])
async def test_nothing_is_acknowledged_before_its_transaction_committed(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, batch: int
) -> None:
    held = Held()
    probe = make_probe(held, batch=batch, broker_url=broker_proxy.url)
    await probe.start()
    await probe.send_all(Noted(number=1))
    await held.entered.wait()
    assert await probe.ready() == 0

    await broker_proxy.cut()
    await probe.waiting(1)

    held.release.set()
    await broker_proxy.mend()
    await eventually(lambda: probe.outcomes("done") + probe.outcomes("repeat") >= 1)
    assert await ground.numbers() == [1]
    await probe.waiting(0)


async def test_two_replicas_share_a_queue_and_each_message_is_handled_once(
    ground: Ground, make_probe: MakeProbe
) -> None:
    one, other = make_probe(), make_probe()
    await one.start()
    await other.start()

    await ground.emit(*(Noted(number=number) for number in range(200)))

    await eventually(lambda: one.outcomes("done") + other.outcomes("done") == 200)
    assert sorted(await ground.numbers()) == list(range(200))
    assert min(one.outcomes("done"), other.outcomes("done")) > 0
    assert one.outcomes("repeat") + other.outcomes("repeat") == 0


@pytest.mark.parametrize("batch", [0, 5])
async def test_stop_finishes_what_is_in_flight_and_gives_back_the_rest(
    ground: Ground, make_probe: MakeProbe, batch: int
) -> None:
    held = Held()
    probe = make_probe(held, batch=batch, prefetch=5)
    await probe.start()
    await probe.send_all(*(Noted(number=number) for number in range(40)))
    await held.entered.wait()

    stopping = asyncio.create_task(probe.consumers.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    held.release.set()
    await stopping

    handled = len(await ground.numbers())
    assert 1 <= handled < 40
    await probe.waiting(40 - handled)
    await rest_is_handled(ground, make_probe)


async def rest_is_handled(ground: Ground, make_probe: MakeProbe) -> None:
    later = make_probe()
    await later.start()

    async def all_there() -> bool:
        return sorted(await ground.numbers()) == list(range(40))

    await eventually(all_there)
    assert later.outcomes("repeat") == 0
    assert await later.ready() == 0


async def test_a_transient_error_is_tried_again_in_process(ground: Ground, make_probe: MakeProbe) -> None:
    tries = []

    async def fail_twice(message: Noted, tx: Tx) -> None:
        tries.append(message.number)
        await note(message, tx)
        if len(tries) < 3:
            raise Transient("not now")

    probe = make_probe(fail_twice)
    await probe.start()

    await probe.send_all(Noted(number=1))

    await probe.handled(1)
    assert len(tries) == 3
    assert await ground.numbers() == [1]
