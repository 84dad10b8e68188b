"""What becomes of a message that cannot be handled: dead with a reason, or later, or returned by the broker."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aio_pika
import httpx
import pytest

from shared.identity import new_id
from shared.messaging.dead_letters import DeadLetter, bury, delivery_of, new_dead_letter
from shared.messaging.envelope import Delivery, Received, read_envelope
from shared.messaging.errors import Transient
from shared.messaging.naming import dead_queue_for
from shared.messaging.router import Router
from shared.messaging.tables import inbox
from shared.messaging.transaction import Tx
from tests.support.eventually import eventually
from tests.support.probe import Noted
from tests.support.probe_service import Ground, MakeProbe, ProbeService, note, note_all, open_channel
from tests.support.proxies import Proxy

pytestmark = pytest.mark.servers

POISON = 666
GOOD = Noted(number=1).model_dump_json().encode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick tries that are quicker still."""
    monkeypatch.setattr("shared.messaging.edge.QUICK_PAUSES", (0.01, 0.01, 0.01))


async def poisoned(message: Noted, tx: Tx) -> None:
    await note(message, tx)
    if message.number == POISON:
        raise KeyError("lease_id")


async def poisoned_batch(batch: Sequence[Received[Noted]], tx: Tx) -> None:
    await note_all(batch, tx)
    if any(item.body.number == POISON for item in batch):
        raise KeyError("lease_id")


UNREADABLE: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "broken JSON": (b'{"item_id": ', {"message_id": str(new_id())}, "body: Invalid JSON"),
    "not UTF-8": (b"\xff\xfe\x00", {"message_id": str(new_id())}, "body: Invalid JSON"),
    "not its contract": (b'{"item_id": "x", "number": []}', {"message_id": str(new_id())}, "number: "),
    "an invalid message id": (GOOD, {"message_id": "17"}, "'17' is not a UUID"),
    "a NUL in its id": (GOOD, {"message_id": "1\x007"}, "is not a UUID"),
    "a NUL in a header": (b"{", {"message_id": str(new_id()), "headers": {"a": "\x00b"}}, "body: "),
}


@pytest.mark.parametrize("batch", [0, 50])
async def test_unreadable_messages_are_dead_with_their_reasons_and_the_others_flow_on(
    ground: Ground, make_probe: MakeProbe, batch: int
) -> None:
    probe = make_probe(batch=batch)
    await probe.declare()
    for number, (body, properties, _) in enumerate(UNREADABLE.values()):
        await probe.send(body, **properties)
        await probe.send_all(Noted(number=number))

    await probe.consumers.start()

    await probe.handled(len(UNREADABLE))
    await probe.handled(len(UNREADABLE), "dead")
    letters = await ground.letters()
    assert sorted(await ground.numbers()) == list(range(len(UNREADABLE)))
    await probe.waiting(0)
    for body, _, reason in UNREADABLE.values():
        letter = next(letter for letter in letters if letter.body == body and reason in letter.error)
        letters.remove(letter)
        assert (letter.reason, letter.queue, letter.topic) == ("unreadable", probe.queue, Noted.topic)
        assert (letter.attempts, letter.state) == (1, "open")


async def test_a_message_without_an_id_is_dead_under_one_of_its_own(
    ground: Ground, make_probe: MakeProbe
) -> None:
    probe = make_probe()
    await probe.start()

    send_without_id(probe, GOOD)

    await probe.handled(1, "dead")
    [letter] = await ground.letters()
    assert (letter.reason, letter.message_id) == ("unreadable", str(letter.id))
    assert "message_id None is not a UUID" in letter.error


def send_without_id(probe: ProbeService, body: bytes) -> None:
    """By the management API: aio-pika always invents an id."""
    vhost = probe.ground.vhost
    message = {
        "properties": {},
        "routing_key": probe.queue,
        "payload": body.decode(),
        "payload_encoding": "string",
    }
    url = f"{vhost._api}/exchanges/{vhost.name}/amq.default/publish"
    httpx.post(url, json=message, auth=vhost._auth, timeout=30).raise_for_status()


@pytest.mark.parametrize("batch", [0, 50])
async def test_a_handler_that_raises_buries_its_message_alone(
    ground: Ground, make_probe: MakeProbe, batch: int
) -> None:
    probe = make_probe(poisoned_batch if batch else poisoned, batch=batch)
    await probe.declare()
    await probe.send_all(*(Noted(number=number) for number in (1, POISON, 2, 3)))
    before = datetime.now(UTC)

    await probe.consumers.start()

    await probe.handled(3)
    await probe.handled(1, "dead")
    [letter] = await ground.letters()
    assert (letter.reason, letter.queue, letter.attempts) == ("defect", probe.queue, 1)
    assert letter.error == "KeyError: 'lease_id'"
    assert before <= letter.first_failed_at == letter.died_at
    assert Noted.model_validate_json(letter.body).number == POISON
    assert sorted(await ground.numbers()) == [1, 2, 3]
    assert len(await ground.rows(inbox)) == 3
    assert probe.sample("propman_dead_letters_total", reason="defect") == 1
    await probe.waiting(0)


async def test_a_message_buried_twice_while_open_is_one_dead_letter(
    ground: Ground, make_probe: MakeProbe
) -> None:
    probe = make_probe(poisoned)
    await probe.start()
    body, identity = Noted(number=POISON).model_dump_json().encode(), str(new_id())

    await probe.send(body, message_id=identity)
    await probe.send(body, message_id=identity)

    await probe.handled(2, "dead")
    [letter] = await ground.letters()
    assert letter.message_id == identity


async def test_any_number_of_dead_letters_is_kept_over_one_connection(ground: Ground) -> None:
    """After five runs PostgreSQL plans a statement without its values: a partial index must still fit."""
    async with ground.transactions.engine.begin() as connection:
        for number in range(12):
            delivery = Delivery(b"{", f"message-{number}", None, None, {})
            letter = new_dead_letter(
                delivery,
                queue="probe.x",
                reason="defect",
                error="bug",
                envelope=None,
                at=datetime.now(UTC),
            )
            await bury(connection, letter)
            await bury(connection, letter)

    assert len(await ground.letters()) == 12


async def test_a_dead_letter_put_back_after_the_fix_is_handled_under_its_own_id(
    ground: Ground, make_probe: MakeProbe
) -> None:
    broken = True

    async def mended_later(message: Noted, tx: Tx) -> None:
        await note(message, tx)
        if broken:
            raise KeyError("lease_id")

    probe = make_probe(mended_later)
    await probe.start()
    await probe.send_all(Noted(number=5))
    await probe.handled(1, "dead")
    [letter] = await ground.letters()

    broken = False
    await replay(probe, letter)

    await probe.handled(1)
    [entry] = await ground.rows(inbox)
    assert str(entry.message_id) == letter.message_id


async def replay(probe: ProbeService, letter: DeadLetter) -> None:
    envelope = read_envelope(delivery_of(letter))
    await probe.edge.ladder.replay(letter.queue, letter.body, envelope, datetime.now(UTC))


# Not now


async def busy_thrice(tries: list[int], message: Noted, tx: Tx) -> None:
    tries.append(tx.cause.attempt)
    await note(message, tx)
    if tx.cause.attempt < 3:
        raise Transient("the mail server is busy")


@pytest.mark.parametrize("batch", [0, 50])
async def test_a_transient_error_climbs_the_ladder_and_comes_back_to_this_queue_alone(
    ground: Ground, make_probe: MakeProbe, batch: int
) -> None:
    attempts: list[int] = []

    async def busy(message: Noted, tx: Tx) -> None:
        await busy_thrice(attempts, message, tx)

    async def busy_batch(batch: Sequence[Received[Noted]], tx: Tx) -> None:
        if len(batch) == 1:  # alone, so that its own attempt is the cause's
            await busy_thrice(attempts, batch[0].body, tx)

    probe = make_probe(busy_batch if batch else busy, batch=batch, rungs=(1, 1))
    await probe.start()
    async with open_channel(ground.vhost.url) as channel:
        bystander = await channel.declare_queue(exclusive=True)
        await bystander.bind("propman.events", Noted.topic)

        correlation_id = await ground.emit(Noted(number=1))

        await probe.handled(1)
        assert [attempt for attempt in (1, 2, 3) if attempt in attempts] == [1, 2, 3]
        assert attempts.count(2) == (5 if batch else 4)  # one try, three quick ones; a batch was tried as one
        assert probe.sample("propman_message_retries_total", seconds="1") == 2
        assert await ground.numbers() == [1]
        [entry] = await ground.rows(inbox)
        assert entry.correlation_id == correlation_id
        assert await ground.letters() == []
        found = await channel.declare_queue(bystander.name, passive=True)
        assert found.declaration_result.message_count == 1


async def test_a_copy_on_the_ladder_keeps_its_envelope_and_says_why(
    ground: Ground, make_probe: MakeProbe
) -> None:
    async def busy(message: Noted, tx: Tx) -> None:
        raise Transient("the mail server is busy")

    probe = make_probe(busy, rungs=(60,))
    await probe.start()
    correlation_id = await ground.emit(item := Noted(number=1))
    await probe.handled(1, "retried")

    async with open_channel(ground.vhost.url) as channel:
        rung = await channel.get_queue("propman.retry.60s")
        copy = await rung.get(no_ack=True)
        await rung.delete(if_unused=False, if_empty=False)

    assert Noted.model_validate_json(copy.body) == item
    assert (copy.routing_key, copy.type, copy.correlation_id) == (
        probe.queue,
        Noted.topic,
        str(correlation_id),
    )
    assert copy.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert copy.headers["x-attempt"] == 2
    assert copy.headers["x-error"] == "Transient: the mail server is busy"
    assert copy.headers["ce-subject"] == str(item.item_id)
    assert str(copy.headers["traceparent"]).startswith(f"00-{correlation_id.hex}")


async def test_a_handler_that_never_ends_is_cut_off_and_tried_later(
    ground: Ground, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.edge.HANDLER_SECONDS", 0.1)

    async def hang(message: Noted, tx: Tx) -> None:
        await note(message, tx)
        if tx.cause.attempt == 1:
            await asyncio.sleep(3600)

    probe = make_probe(hang, rungs=(1,))
    await probe.start()

    await probe.send_all(Noted(number=1))

    await probe.handled(1)
    assert probe.outcomes("retried") == 1
    assert await ground.numbers() == [1]


async def test_an_outage_that_only_one_message_sees_ends_as_its_own_fault(
    ground: Ground, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.outage._FIRST_PAUSE", 0.01)

    async def unreachable(message: Noted, tx: Tx) -> None:
        if message.number == POISON:
            raise ConnectionRefusedError("some server of its own")
        await note(message, tx)

    probe = make_probe(unreachable, rungs=(1,))
    await probe.start()

    await probe.send_all(Noted(number=POISON), Noted(number=1))

    await probe.handled(1, "dead")
    await probe.handled(1)
    [letter] = await ground.letters()
    assert (letter.reason, letter.attempts) == ("retries_exhausted", 2)


async def test_a_message_whose_retries_are_used_up_is_dead_since_its_first_failure(
    ground: Ground, make_probe: MakeProbe
) -> None:
    async def busy(message: Noted, tx: Tx) -> None:
        raise Transient("never")

    probe = make_probe(busy, rungs=(1, 1))
    await probe.start()

    await probe.send_all(Noted())

    await probe.handled(1, "dead")
    assert probe.outcomes("retried") == 2
    [letter] = await ground.letters()
    assert (letter.reason, letter.attempts, letter.error) == ("retries_exhausted", 3, "Transient: never")
    assert (letter.died_at - letter.first_failed_at).total_seconds() >= 2


# What the broker gives up on


async def test_a_message_that_kills_its_consumers_ends_in_the_dead_letters(
    ground: Ground, make_probe: MakeProbe, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.topology.DELIVERY_LIMIT", 2)
    probe = make_probe()
    await probe.declare()
    identity = str(new_id())
    await probe.send(GOOD, message_id=identity, type=Noted.topic)

    for _ in range(3):
        await probe.waiting(1)
        async with open_channel(ground.vhost.url) as channel:
            await (await channel.get_queue(probe.queue)).get(no_ack=False)
    await probe.waiting(0)
    await probe.waiting(1, dead_queue_for(router.consumer))
    await probe.consumers.start()

    async def one_letter() -> bool:
        return len(await ground.letters()) == 1

    await eventually(one_letter)
    [letter] = await ground.letters()
    assert (letter.reason, letter.queue, letter.message_id) == ("delivery_limit", probe.queue, identity)
    assert letter.topic == Noted.topic
    assert letter.body == GOOD
    await probe.waiting(0, dead_queue_for(router.consumer))


# When the edge itself fails


@pytest.mark.parametrize("batch", [0, 50])
async def test_a_message_the_edge_cannot_settle_goes_back_and_its_consumer_lives(
    ground: Ground, make_probe: MakeProbe, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.batches.GIVE_BACK_SECONDS", 0.05)
    probe = make_probe(poisoned_batch if batch else poisoned, batch=batch)
    bury, failures = probe.edge._bury, 0

    async def fail_twice(*arguments: Any) -> None:
        nonlocal failures
        failures += 1
        if failures <= 2:
            raise ValueError("no burial today")
        await bury(*arguments)

    monkeypatch.setattr(type(probe.edge), "_bury", lambda _self, *arguments: fail_twice(*arguments))
    await probe.start()
    await probe.send_all(Noted(number=POISON), Noted(number=1))

    await probe.handled(1)
    await probe.handled(1, "dead")
    assert failures == 3
    assert len(await ground.letters()) == 1
    assert await probe.consumers.ready()
    await probe.waiting(0)


@pytest.mark.parametrize("fault", ["refused", "no rung"])
async def test_a_retry_waits_for_the_broker_and_is_not_lost(
    ground: Ground, make_probe: MakeProbe, broker_proxy: Proxy, fault: str
) -> None:
    async def busy_once(message: Noted, tx: Tx) -> None:
        await note(message, tx)
        if tx.cause.attempt == 1:
            raise Transient("not now")

    probe = make_probe(busy_once, rungs=(1,))
    await probe.start()
    probe.publishers[1]._url = broker_proxy.url
    if fault == "refused":
        await broker_proxy.cut()
    else:
        async with open_channel(ground.vhost.url) as channel:
            await channel.exchange_delete("propman.retry.1s")

    await probe.send_all(Noted(number=1))
    await asyncio.sleep(0.3)
    assert probe.outcomes("retried") == 0
    await broker_proxy.mend()
    await probe.declare()

    await probe.handled(1)
    assert await ground.numbers() == [1]
    assert await ground.letters() == []
