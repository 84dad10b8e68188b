"""What cannot be handled is kept with its reason, the rest flows on, and a replay is recorded."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika

from propman.dev import ServerUrls
from shared.contracts.leasing import PropertyRegistered
from shared.messaging.naming import EVENTS
from tests.support.builders import a_property
from tests.support.eventually import eventually
from tests.support.system import System, a_system


async def publish(system: System, topic: str, body: bytes, message_id: str | None = None) -> str:
    """Put anything on the exchange, as no service of ours would."""
    identity = message_id or str(uuid4())
    connection = await aio_pika.connect(system.broker_url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EVENTS)
        message = aio_pika.Message(body, message_id=identity, type=topic, delivery_mode=2)
        await exchange.publish(message, topic)
    return identity


async def letters(system: System, *words: str) -> list[dict[str, Any]]:
    """`propman dead-letters list --json` of billing."""
    _, out, _ = await system.command("dead-letters", "list", "--service", "billing", "--json", *words)
    found: list[dict[str, Any]] = json.loads(out)
    return found


async def test_bad_messages_are_buried_with_a_reason_while_the_others_flow_on(
    servers: ServerUrls, tmp_path: Path
) -> None:
    topic = PropertyRegistered.topic
    async with a_system(servers, tmp_path) as system:
        system.start("billing")

        broken = await publish(system, topic, b"{not json")
        wrong = await publish(system, topic, b'{"property_id": "17"}')
        good = a_property()
        await publish(system, topic, good.model_dump_json().encode())

        async def settled() -> bool:
            known = await system.number("billing", "select count(*) from properties")
            return known == 1 and await system.number("billing", "select count(*) from dead_letters") == 2

        await eventually(settled, within=30)
        found = {item["message_id"]: item for item in await letters(system)}
        assert set(found) == {broken, wrong}
        assert {item["reason"] for item in found.values()} == {"unreadable"}
        assert "property_id" in found[wrong]["error"]
        assert found[broken]["body"] == "{not json"


async def test_a_replay_after_the_repair_succeeds_and_is_recorded(
    servers: ServerUrls, tmp_path: Path
) -> None:
    """The handler always raises until the cause (here: a constraint) is repaired."""
    async with a_system(servers, tmp_path) as system:
        await system.administer(
            "billing", "alter table properties add constraint broken check (name <> 'Elm Street')"
        )
        system.start("billing")
        place = a_property()
        identity = await publish(system, place.topic, place.model_dump_json().encode())

        async def buried() -> bool:
            return await system.number("billing", "select count(*) from dead_letters") == 1

        await eventually(buried, within=30)
        [letter] = await letters(system)
        assert (letter["reason"], letter["message_id"]) == ("defect", identity)
        assert "broken" in letter["error"]

        await system.administer("billing", "alter table properties drop constraint broken")
        await system.command("dead-letters", "replay", letter["id"])

        async def handled() -> bool:
            return await system.number("billing", "select count(*) from properties") == 1

        await eventually(handled, within=30)
        assert await letters(system) == []
        [replayed] = await letters(system, "--state", "replayed")
        assert replayed["resolution"] == "by an operator"
        _, _, said = await system.command("dead-letters", "replay", letter["id"], check=False)
        assert "is replayed already" in said
        assert await system.number("billing", "select count(*) from properties") == 1


async def test_a_discarded_letter_stays_on_record_with_its_reason(
    servers: ServerUrls, tmp_path: Path
) -> None:
    async with a_system(servers, tmp_path) as system:
        system.start("billing")
        await publish(system, PropertyRegistered.topic, b"[]")

        async def buried() -> bool:
            return await system.number("billing", "select count(*) from dead_letters") == 1

        await eventually(buried, within=30)
        [letter] = await letters(system)
        await system.command("dead-letters", "discard", letter["id"], "--reason", "a test")

        code, _, said = await system.command(
            "dead-letters", "discard", letter["id"], "--reason", "second thoughts", check=False
        )

        assert (code, "is discarded already" in said) == (1, True)
        assert await letters(system) == []
        [kept] = await letters(system, "--state", "discarded")
        assert kept["resolution"] == "a test"


async def test_an_unknown_dead_letter_is_one_line_and_exit_2(servers: ServerUrls, tmp_path: Path) -> None:
    async with a_system(servers, tmp_path) as system:
        code, out, said = await system.command("dead-letters", "show", str(uuid4()), check=False)

        assert (code, out) == (2, "")
        assert len(said.strip().splitlines()) == 1
