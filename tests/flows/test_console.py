"""The operator's commands on a running system: seen, flushed, put back, diagnosed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from propman.broker import queues_in_words
from propman.catalog import all_queues, service_names
from propman.dev import ServerUrls
from shared.contracts.leasing import PropertyRegistered
from shared.messaging.naming import EVENTS, queue_for
from tests.support.builders import a_property
from tests.support.eventually import eventually
from tests.support.system import System, a_system

QUEUE = queue_for("billing", PropertyRegistered)
PROPERTIES = "select count(*) from properties"
RUNNING = "select count(*) from instances where state = 'running'"


@pytest.fixture
async def system(servers: ServerUrls, tmp_path: Path) -> AsyncIterator[System]:
    async with a_system(servers, tmp_path) as made:
        made.environment["PROPMAN_RABBITMQ_MANAGEMENT_URL"] = servers.rabbitmq_management_url
        yield made


@pytest.fixture(scope="module")
async def waiting(
    servers: ServerUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[System, list[str]]]:
    """A system in which nothing runs and two facts wait, for tests that change nothing; and the facts' ids."""
    async with a_system(servers, tmp_path_factory.mktemp("waiting")) as made:
        made.environment["PROPMAN_RABBITMQ_MANAGEMENT_URL"] = servers.rabbitmq_management_url
        identities = await publish_properties(made, 2)
        await depth_becomes(made, 2)
        yield made, identities


async def publish_properties(system: System, count: int) -> list[str]:
    """Facts that wait in the queues of their consumers, by their ids."""
    connection = await aio_pika.connect(system.broker_url)
    async with connection:
        exchange = await (await connection.channel()).get_exchange(EVENTS)
        identities = []
        for _ in range(count):
            fact = a_property()
            identities.append(str(fact.property_id))
            message = aio_pika.Message(
                fact.model_dump_json().encode(),
                message_id=str(fact.property_id),
                type=fact.topic,
                correlation_id=str(fact.property_id),
                headers={"ce-subject": fact.subject, "ce-source": "test", "ce-specversion": "1.0"},
                delivery_mode=2,
            )
            await exchange.publish(message, fact.topic)
    return identities


async def depth(system: System, queue: str) -> int:
    return (await system.queue_depths())[queue]


async def depth_becomes(system: System, count: int) -> None:
    """A quorum queue counts a moment after it was told."""

    async def reached() -> bool:
        return await depth(system, QUEUE) == count

    await eventually(reached, within=60)


async def number_becomes(system: System, count: int, query: str) -> None:
    """What billing's database counts."""

    async def reached() -> bool:
        return await system.number("billing", query) == count

    await eventually(reached, within=60)


async def document(system: System, *words: str) -> Any:
    _, out, _ = await system.command(*words, "--json")
    return json.loads(out)


async def test_flushed_messages_are_kept_and_can_be_put_back(system: System, tmp_path: Path) -> None:
    identities = await publish_properties(system, 1_203)
    file = tmp_path / "kept.jsonl"

    flushed = await document(system, "flush", QUEUE, "--confirm", QUEUE, "--export", str(file))

    assert flushed["flushed"] == 1_203
    await depth_becomes(system, 0)
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["properties"]["message_id"] for line in kept] == identities
    assert file.stat().st_mode & 0o777 == 0o600

    await system.command("queue", "import", str(file))
    await depth_becomes(system, 1_203)
    system.start("billing")
    await number_becomes(system, 1_203, PROPERTIES)


async def test_a_message_that_was_flushed_and_handled_is_put_back_without_effect(
    system: System, tmp_path: Path
) -> None:
    await publish_properties(system, 3)
    file = tmp_path / "new" / "kept.jsonl"
    _, _, flushed = await system.command("flush", QUEUE, "--confirm", QUEUE, "--export", str(file))
    assert f"The folder {file.parent} was not there, and was made." in flushed
    system.start("billing")
    await system.command("queue", "import", str(file))
    await number_becomes(system, 3, PROPERTIES)

    code, _, refused = await system.command("queue", "import", str(file), check=False)
    assert (code, "Say --again if you mean it." in refused) == (1, True)
    await system.command("queue", "import", str(file), "--again")
    await depth_becomes(system, 0)
    assert await system.number("billing", PROPERTIES) == 3
    assert await system.number("billing", "select count(*) from inbox where message_id is not null") == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((QUEUE, "--no-input"), "the name was not repeated"),
        ((QUEUE, "--confirm", "billing"), "the name was not repeated"),
        (("*", "--confirm", "*"), "One queue at a time"),
        (("all", "--confirm", "all"), "One queue at a time"),
        (("billing.nothing.v1", "--confirm", "billing.nothing.v1"), "There is no queue"),
    ],
)
async def test_nothing_is_flushed_that_was_not_named_twice(
    waiting: tuple[System, list[str]], words: tuple[str, ...], said: str
) -> None:
    system, _ = waiting

    code, out, err = await system.command("flush", *words, check=False)

    assert code == 2
    assert said in err
    assert (out, await depth(system, QUEUE)) == ("", 2)


async def test_a_dry_run_of_flush_shows_what_waits_and_takes_nothing(
    waiting: tuple[System, list[str]],
) -> None:
    system, identities = waiting

    shown = await document(system, "flush", QUEUE, "--dry-run")

    assert shown == {"queue": QUEUE, "waiting": 2, "first": identities}
    assert await depth(system, QUEUE) == 2


async def test_every_command_counts_the_same_queues(waiting: tuple[System, list[str]]) -> None:
    system, _ = waiting

    _, _, declared = await system.command("broker", "init")
    listed = await document(system, "broker", "queues")
    seen = await document(system, "info")

    names = sorted(all_queues())
    assert declared.startswith(f"{len(names)} queues (")
    assert names == sorted(row["queue"] for row in listed)
    assert names == sorted(row["queue"] for row in seen["queues"]["rows"])


async def test_a_file_that_was_not_flushed_is_refused_with_its_line(system: System, tmp_path: Path) -> None:
    file = tmp_path / "strange.jsonl"
    file.write_text('{"queue": 1}\n')

    code, _, err = await system.command("queue", "import", str(file), check=False)

    assert code == 2
    assert "line 1 is not a flushed message" in err


async def test_info_sees_every_process_and_says_what_does_not_run(system: System) -> None:
    system.start("scheduler")
    system.start("billing", instance="1")
    system.start("billing", instance="2")
    await number_becomes(system, 2, RUNNING)
    code, out, _ = await system.command("info", "--check", "--json", check=False)
    found = json.loads(out)
    services = {row["service"]: row for row in found["services"]["rows"]}

    assert code == 1
    assert (services["billing"]["alive"], services["scheduler"]["alive"]) == (2, 1)
    idle = sorted(set(service_names()) - {"billing", "scheduler"})
    assert sorted(words for words in found["problems"] if "no process" in words) == [
        f"{name}: no process of it runs" for name in idle
    ]
    assert "monthly-billing" in {row["key"] for row in found["schedules"]["rows"]}


async def test_a_killed_process_goes_silent_and_one_that_ended_does_not(system: System) -> None:
    system.start("billing", instance="1")
    system.start("billing", instance="2")
    await number_becomes(system, 2, RUNNING)
    system.kill("billing#1")
    assert set(system.terminate().values()) == {0}

    async def silent() -> bool:
        found = await document(system, "info")
        return any("billing: a process went silent" in words for words in found["problems"])

    await eventually(silent, within=30)
    assert await system.number("billing", "select count(*) from instances where state = 'stopped'") == 1


async def test_memory_shows_what_each_process_and_server_uses(system: System) -> None:
    system.start("billing")
    await number_becomes(system, 1, RUNNING)

    found = await document(system, "memory")

    [process] = found["instances"]["rows"]
    assert process["rss_peak_bytes"] >= process["rss_bytes"] > 20 << 20
    assert {"database of billing"} < {row["server"] for row in found["servers"]["rows"]}


async def test_monitor_prints_one_screen_for_scripts(system: System) -> None:
    _, out, _ = await system.command("monitor", "--once")

    assert out.startswith("propman ")
    assert "UTC" in out.splitlines()[0]
    assert "billing" in out
    assert "q quit" in out


async def test_doctor_finds_what_is_wrong_and_says_what_to_do(system: System) -> None:
    await system.delete_queue(QUEUE)
    await system.administer("billing", "update alembic_version set version_num = '0001'")

    code, out, _ = await system.command("doctor", "--json", check=False)
    found = json.loads(out)

    assert code == 1
    errors = {item["check"]: item for item in found if item["level"] == "error"}
    assert errors["migrations of billing"]["remedy"] == "Run `propman db migrate`."
    assert "propman broker init" in errors["bindings"]["remedy"]
    assert errors["queues"]["found"] == f"not there, of {queues_in_words()}: {QUEUE}"
