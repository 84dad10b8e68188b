"""Part 4, the whole way: from the trigger to invoices, confirmed facts, and notices in another database."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks.bare import whole as bare
from benchmarks.report import BenchmarkFailed, Figure
from benchmarks.servers import ROOT, purge
from benchmarks.system import Stage, set_up
from propman.broker import queue_depths
from propman.dev import ServerUrls
from shared.contracts.billing import InvoiceCreated, IssueInvoices
from shared.contracts.scheduler import MonthlyBillingDue
from shared.identity import new_id
from shared.messaging.naming import EVENTS, queue_for
from shared.messaging.publisher import Outgoing, Publisher, properties

PATIENCE: Final = 300.0
NOTE: Final = (
    "billing and notifications each in a process of their own, as `propman run` starts them, log level info."
    " Each notice has an in-app delivery and a queued e-mail; the mail server is a closed port, so that the"
    " sender waits and no SMTP conversation is in the measured path."
)
_FACTS: Final = queue_for("notifications", InvoiceCreated)
_TRIGGERS: Final = queue_for("billing", MonthlyBillingDue)
_QUEUES: Final = (_FACTS, _TRIGGERS, queue_for("billing", IssueInvoices))

Start = Callable[[], Awaitable[None]]


async def measure(urls: ServerUrls, directory: Path, leases: int, repeat: int) -> Figure:
    """Our services and the bare scripts, in turn, on the same leases."""
    stage = await set_up(urls, leases)
    ours: list[float] = []
    bare_ones: list[float] = []
    for _ in range(repeat):
        ours.append(await _time(stage, _services(stage, directory)))
        bare_ones.append(await _time(stage, _bare_scripts(stage)))
    return Figure(
        part="whole",
        work="trigger -> invoices -> confirmed facts -> notices, two services",
        unit="leases",
        count=leases,
        ours_seconds=tuple(ours),
        bare_seconds=tuple(bare_ones),
        aim=1_500,
        documented_bound="2,500-2,950",
        note=NOTE,
    )


async def _time(stage: Stage, running: AbstractAsyncContextManager[Start]) -> float:
    await stage.clear()
    await purge(stage.billing.broker_url, *_QUEUES)
    async with running as start:
        started = time.perf_counter()
        await start()
        await _until_done(stage)
        return time.perf_counter() - started


async def _until_done(stage: Stage) -> None:
    """Return when every notice and every invoice is committed and nothing is left to be published."""
    billing = await asyncpg.connect(stage.billing.dsn)
    notifications = await asyncpg.connect(stage.notifications.dsn)
    try:
        async with asyncio.timeout(PATIENCE):
            await _poll(notifications, "select count(*) >= $1 from notifications", stage.leases)
            await _poll(billing, "select not exists (select from outbox)")
        invoices = await billing.fetchval("select count(*) from invoices")
    except TimeoutError as error:
        raise BenchmarkFailed(f"whole: not done after {PATIENCE:.0f} seconds") from error
    finally:
        await billing.close()
        await notifications.close()
    if invoices != stage.leases:
        raise BenchmarkFailed(f"whole: {invoices} invoices for {stage.leases} leases")


async def _poll(connection: "asyncpg.Connection[Any]", question: str, *given: object) -> None:
    while not await connection.fetchval(question, *given):  # noqa: ASYNC110 - nobody can tell us
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _services(stage: Stage, directory: Path) -> AsyncIterator[Start]:
    environment = os.environ | {
        "PROPMAN_HOME": str(directory),
        "PROPMAN_RABBITMQ_URL": stage.billing.broker_url,
        "PROPMAN_LOG_LEVEL": "info",
        "BILLING_DATABASE_URL": stage.billing.database_url,
        "BILLING_HTTP_PORT": "0",
        "NOTIFICATIONS_DATABASE_URL": stage.notifications.database_url,
        "NOTIFICATIONS_HTTP_PORT": "0",
        "NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:9",  # nobody there
    }
    names = ("billing", "notifications")
    processes = {name: _run_service(name, environment, directory / f"{name}.log") for name in names}
    try:
        await until_consumed(stage.billing.broker_url, processes, (_FACTS, _TRIGGERS), directory)
        publisher = Publisher(stage.billing.broker_url, name="propman-benchmarks-trigger")
        yield lambda: trigger(publisher)
        await publisher.close()
    finally:
        await asyncio.to_thread(end, list(processes.values()))


def _run_service(name: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        command = [sys.executable, "-m", "propman", "run", name]
        return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)


async def until_consumed(
    broker_url: str, processes: dict[str, subprocess.Popen[bytes]], queues: Iterable[str], directory: Path
) -> None:
    """Return when services take messages; a second more lets what they do at the start be over."""
    async with asyncio.timeout(60):
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    lines = (directory / f"{name}.log").read_text(encoding="utf-8").splitlines()
                    raise BenchmarkFailed(f"whole: {name} ended at its start: {' '.join(lines[-3:])}")
            found = await queue_depths(broker_url)
            consumed = {row["queue"] for row in found if row["consumers"]}
            if set(queues) <= consumed:
                break
            await asyncio.sleep(0.2)
    await asyncio.sleep(1)


async def trigger(publisher: Publisher) -> None:
    """Publish the trigger for the month, as the scheduler would."""
    identity, now = new_id(), datetime.now(UTC)
    due = MonthlyBillingDue(
        occurrence_id=identity,
        schedule_key="benchmarks",
        as_of=datetime(2026, 12, 1, 12, tzinfo=UTC),
        period="2026-12",
    )
    described = properties(
        message_id=str(identity),
        topic=due.topic,
        correlation_id=str(identity),
        source="benchmarks",
        timestamp=now,
        headers={"ce-subject": due.subject},
    )
    [result] = await publisher.publish(
        [Outgoing(EVENTS, due.topic, due.model_dump_json().encode(), described)]
    )
    if result != "confirmed":
        raise BenchmarkFailed(f"whole: the trigger was not taken: {result}")


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Let processes finish what they do, and end them where they do not."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


async def _until(reached: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(60):
            while not reached():  # noqa: ASYNC110 - a process cannot set an event of ours
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise BenchmarkFailed("whole: a bare script did not start, or did not end") from error


@asynccontextmanager
async def _bare_scripts(stage: Stage) -> AsyncIterator[Start]:
    context = multiprocessing.get_context("spawn")
    go, *ready = (context.Event() for _ in range(3))
    broker = stage.billing.broker_url
    works: tuple[tuple[Any, tuple[Any, ...]], ...] = (
        (bare.billing, (stage.billing.dsn, broker, EVENTS, InvoiceCreated.topic, ready[0], go)),
        (bare.notifications, (stage.notifications.dsn, broker, _FACTS, stage.leases, ready[1])),
    )
    processes = [context.Process(target=target, args=args, daemon=True) for target, args in works]
    for process in processes:
        process.start()
    try:
        await _until(lambda: all(event.is_set() for event in ready))
        await asyncio.sleep(1)

        async def start() -> None:
            go.set()

        yield start
        await _until(lambda: not any(process.is_alive() for process in processes))
    finally:
        for process in processes:
            process.kill()
