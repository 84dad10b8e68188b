"""What is wrong with other services: from what they report of themselves, and from their queues."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.scheduler.domain.services import (
    Backlog,
    QueueState,
    Reported,
    follow,
    judge_queues,
    judge_services,
)
from services.scheduler.gateways.queues import BrokerSilent, queue_states
from services.scheduler.handlers import router
from services.scheduler.store.alerts import AlertStore
from services.scheduler.watching import watch
from shared import heartbeats
from shared.clock import SystemClock
from shared.contracts.scheduler import ServiceReported
from shared.heartbeats import Heartbeat, reported, speaker, unreplaced
from shared.identity import new_id
from shared.messaging.metrics import MessagingMetrics
from tests.scheduler.driver import Scheduler, until
from tests.scheduler.test_cli import Shell
from tests.support.brokers import TestVhost
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, emitted

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
MINUTE = timedelta(minutes=1)


def a_report(service: str = "billing", said: timedelta = timedelta(), **changes: Any) -> Reported:
    """A service that is well, and said so at this moment or so long ago."""
    well = Reported(service, NOW - said, 1, 0, 0, timedelta(), 0, 0, (f"{service}.queue",))
    return replace(well, **changes)


def found_in(*reports: Reported, hearing_since: datetime | None = LONG_AGO) -> list[str]:
    findings = judge_services(reports, NOW, hearing_since).findings
    return [f"{one.kind} {one.about}" for one in findings]


SCHEDULER = a_report("scheduler")


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ({"dead_letters": 1}, ["dead_letters billing"]),
        ({"unroutable": 2}, ["outbox_unroutable billing"]),
        ({"outbox": 9, "outbox_oldest": timedelta(seconds=61)}, ["outbox_lag billing"]),
        ({"outbox": 50_001, "outbox_oldest": timedelta(seconds=2)}, ["outbox_lag billing"]),
        ({"lost": 1}, ["replicas_lost billing"]),
        ({"outbox": 49_999, "outbox_oldest": timedelta(seconds=60)}, []),
    ],
)
def test_each_trouble_that_a_service_reports_is_found(trouble: dict[str, Any], kind: list[str]) -> None:
    assert found_in(SCHEDULER, a_report(**trouble)) == kind


def test_a_service_that_says_nothing_for_three_minutes_is_what_is_wrong() -> None:
    late, silent = (a_report(said=minutes * MINUTE, dead_letters=3) for minutes in (3, 4))

    assert found_in(SCHEDULER, late) == ["dead_letters billing"]
    assert found_in(SCHEDULER, silent) == ["service_silent billing"]
    unknown = judge_services([SCHEDULER, silent], NOW, LONG_AGO).unknown
    assert {("dead_letters", "billing"), ("queue_deaf", "billing")} <= unknown


def test_a_scheduler_that_has_just_started_has_heard_nobody_and_accuses_nobody() -> None:
    night = timedelta(hours=8)
    everybody = [SCHEDULER, a_report(said=night, dead_letters=3), a_report("weather", said=night)]

    assert found_in(*everybody, hearing_since=NOW - MINUTE) == []
    unknown = judge_services(everybody, NOW, NOW - MINUTE).unknown
    assert {("service_silent", "billing"), ("dead_letters", "billing")} <= unknown


def test_a_scheduler_that_does_not_hear_itself_accuses_nobody_else() -> None:
    everybody = [a_report("scheduler", said=4 * MINUTE), a_report(said=5 * MINUTE)]

    assert found_in(*everybody) == ["service_silent scheduler"]
    assert (
        found_in(*everybody, hearing_since=None) == []
    )  # nobody is there to hear; that is an alert by itself
    assert found_in(a_report(said=5 * MINUTE)) == []  # an older scheduler, that does not report


def a_process(started: float, seen: float = 0, state: str = "running", now: datetime = NOW) -> dict[str, Any]:
    """One that was started and last heard of so many minutes ago."""
    return {
        "instance_id": new_id(),
        "state": state,
        "started_at": now - started * MINUTE,
        "seen_at": now - seen * MINUTE,
    }


@pytest.mark.parametrize(
    ("processes", "lost"),
    [
        ([a_process(60), a_process(60)], 0),
        ([a_process(60), a_process(60, seen=5)], 1),
        ([a_process(60), a_process(60, seen=5, state="stopped")], 0),
        ([a_process(4), a_process(60, seen=5)], 0),
        ([a_process(6), a_process(60, seen=5)], 0),
        ([a_process(4), a_process(60, seen=5), a_process(60, seen=5)], 1),
        ([a_process(4, seen=2), a_process(60, seen=5)], 1),
    ],
    ids=[
        "well",
        "killed",
        "stopped",
        "replaced",
        "replaced before",
        "one of two replaced",
        "and killed again",
    ],
)
def test_fewer_processes_are_those_that_fell_silent_and_were_not_replaced(
    processes: list[dict[str, Any]], lost: int
) -> None:
    assert unreplaced(processes, NOW) == lost


def test_the_process_that_has_lived_longest_speaks_and_after_it_the_next() -> None:
    oldest, younger = a_process(60), a_process(5)

    assert speaker([younger, oldest], NOW) == oldest["instance_id"]
    assert speaker([younger, oldest | {"seen_at": NOW - MINUTE}], NOW) == younger["instance_id"]
    assert speaker([oldest | {"state": "stopped"}], NOW) is None


def looks(*states: tuple[int, int], every: timedelta) -> tuple[list[str], datetime]:
    """What is found of a queue after looks at messages and consumers, and when the last look was."""
    seen: Backlog | None = None
    now = NOW
    for ready, consumers in states:
        now += every
        seen = follow(seen, "billing.queue", QueueState(ready, consumers), now)
    backlogs = {"billing.queue": seen} if seen else {}
    return [one.kind for one in judge_queues([a_report()], backlogs, now)], now


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ([(5, 0)] * 7, ["queue_deaf"]),
        ([(5, 0)] * 6, []),
        ([(0, 0)] * 99, []),
        ([*[(5, 0)] * 6, (5, 1), (5, 0)], []),
        ([(5, 1)] * 32, ["queue_behind"]),
        ([*[(5, 1)] * 20, (0, 1), *[(5, 1)] * 20], []),
        ([(100 + 10 * minute, 2) for minute in range(12)], ["queue_behind"]),
        ([(1_000 - 10 * minute, 2) for minute in range(12)], []),
    ],
    ids=["deaf", "a restart", "nothing waits", "not deaf meanwhile", "behind", "emptied", "grows", "shrinks"],
)
def test_queues_that_nobody_takes_from_or_keeps_up_with(
    states: list[tuple[int, int]], found: list[str]
) -> None:
    assert looks(*states, every=MINUTE)[0] == found


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 2)), min_size=1, max_size=60))
def test_nothing_is_wrong_with_a_queue_that_was_empty_just_now(states: list[tuple[int, int]]) -> None:
    assert looks(*states, (0, 1), (3, 1), every=MINUTE)[0] == []


def test_of_the_time_in_which_nobody_looked_nothing_is_known() -> None:
    assert looks((5, 0), (5, 0), every=timedelta(hours=1))[0] == []


async def alive(scheduler: Scheduler) -> None:
    """A scheduler that is alive, hears itself, and has done so for long."""
    now = SystemClock().now()
    statement = sa.text(
        "insert into instances values (gen_random_uuid(), 'scheduler', 'h', 1, '1', 1, 'running',"
        " :started, :now, 1, 1, 1, 0, 1, 0, 0, 0)"
    )
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.text("delete from instances"))
        await connection.execute(statement, {"started": now - timedelta(days=1), "now": now})
    await deliver(
        scheduler.transactions, router, ServiceReported(service="scheduler", said_at=now, processes=1)
    )


async def look(scheduler: Scheduler, queues: dict[str, QueueState] | None = None) -> list[str]:
    await alive(scheduler)
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(sa.text("delete from outbox"))
    async with scheduler.transactions.command("test") as tx:
        await watch(tx, queues)
        return sorted(f"{alert.kind} {alert.about}" for alert in await AlertStore(tx.connection).open())


BURIED = sa.text(
    "insert into dead_letters (id, queue, message_id, topic, headers, body, reason, error, attempts,"
    " first_failed_at, died_at) values (gen_random_uuid(), 'q', 'm', 't', '{}', '', 'defect', 'e', 1, now(), now())"
)


@pytest.mark.servers
async def test_a_dead_letter_of_another_service_is_an_alert_until_somebody_decided(
    scheduler: Scheduler, databases: TestDatabases
) -> None:
    async def says() -> None:
        async with billing.command("test") as tx:
            await deliver(
                scheduler.transactions,
                router,
                await reported(tx, "billing", [], now=SystemClock().now(), queues=["billing.queue"]),
            )

    async with databases.transactions("billing") as billing:
        async with billing.engine.begin() as connection:
            await connection.execute(BURIED)
        await says()
        assert await look(scheduler) == await look(scheduler) == ["dead_letters billing"]
        async with billing.engine.begin() as connection:
            await connection.execute(sa.text("update dead_letters set state = 'discarded'"))
        await says()

        assert await look(scheduler) == []


@pytest.mark.servers
async def test_what_was_wrong_before_a_silence_is_not_over_because_of_it(scheduler: Scheduler) -> None:
    now = SystemClock().now()

    async def billing(minutes: int, **trouble: Any) -> None:
        said = ServiceReported(service="billing", said_at=now - minutes * MINUTE, processes=1, **trouble)
        await deliver(scheduler.transactions, router, said)

    await billing(2, dead_letters=2)
    await billing(3)  # an older one that arrives later says nothing any more
    assert await look(scheduler) == ["dead_letters billing"]
    async with scheduler.transactions.engine.begin() as connection:
        await connection.execute(
            sa.text(
                "update service_reports set said_at = said_at - interval '1 hour' where service = 'billing'"
            )
        )
    assert await look(scheduler) == ["dead_letters billing", "service_silent billing"]
    await billing(0)

    assert await look(scheduler) == []


@pytest.mark.servers
async def test_a_queue_without_consumer_is_an_alert_until_somebody_takes_from_it(
    scheduler: Scheduler,
) -> None:
    said = ServiceReported(service="billing", said_at=SystemClock().now(), processes=1, queues=("b.q",))
    await deliver(scheduler.transactions, router, said)
    assert await look(scheduler, {"b.q": QueueState(4, 0)}) == []
    async with scheduler.transactions.engine.begin() as connection:  # six minutes go by, with looks
        await connection.execute(
            sa.text(
                "update backlogs set since = since - interval '6 min', deaf_since = deaf_since - interval '6 min'"
            )
        )

    assert await look(scheduler, {"b.q": QueueState(4, 0)}) == ["queue_deaf billing"]
    assert await look(scheduler, None) == ["queue_deaf billing"]  # a broker that is silent resolves nothing
    assert await look(scheduler, {"b.q": QueueState(4, 1)}) == []


@pytest.mark.servers
async def test_one_process_says_how_its_service_is(scheduler: Scheduler) -> None:
    first, second = (
        Heartbeat(
            "probe",
            scheduler.transactions,
            MessagingMetrics(CollectorRegistry()),
            queues=["probe.q"],
            first_report=timedelta(),
        )
        for _ in range(2)
    )
    tasks = [asyncio.create_task(first.run())]
    await until(lambda: emitted(scheduler.transactions))
    tasks.append(asyncio.create_task(second.run()))
    await until(lambda: _several(scheduler))
    first.stop()
    second.stop()
    await asyncio.gather(*tasks)

    [(topic, said)] = await emitted(scheduler.transactions)
    assert topic == ServiceReported.topic
    assert (said["service"], said["processes"], said["queues"]) == ("probe", 1, ["probe.q"])


async def _several(scheduler: Scheduler) -> bool:
    async with scheduler.transactions.engine.connect() as connection:
        return len(await heartbeats.heard(connection)) > 1


async def _swallow(_message: object) -> None:
    """Takes a message, and that is all."""


@pytest.mark.servers
async def test_the_broker_says_what_waits_and_who_takes(vhost: TestVhost) -> None:
    async with await aio_pika.connect(vhost.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("states.a", auto_delete=False)
        await channel.default_exchange.publish(aio_pika.Message(b"x"), "states.a")
        taken = await channel.declare_queue("states.c", exclusive=False)
        await taken.consume(_swallow, no_ack=True)

        found = await queue_states(vhost.url, ["states.c", "states.b", "states.a"])

        await queue.delete(if_empty=False)
        await taken.delete(if_unused=False)
    assert found == {"states.a": QueueState(1, 0), "states.c": QueueState(0, 1)}
    with pytest.raises(BrokerSilent):
        await queue_states("amqp://guest:guest@127.0.0.1:1/", ["states.a"])


@pytest.mark.servers
async def test_the_commands_list_and_forget_a_service(scheduler: Scheduler, databases: TestDatabases) -> None:
    shell = Shell(await databases.url("scheduler"))
    said = ServiceReported(service="rewards", said_at=SystemClock().now(), processes=2, dead_letters=7)
    await deliver(scheduler.transactions, router, said)

    out, _ = await shell.run("scheduler", "services", "list")
    assert re.search(r"rewards +\d{4}-.* UTC +2 +0 +0 +- +0 +7", out)
    _, err = await shell.run("scheduler", "services", "forget", "rewards")
    assert "Nothing is expected of rewards any more." in err
    _, err = await shell.run("scheduler", "services", "forget", "rewards", exit_code=2)
    assert "rewards has never reported" in err
