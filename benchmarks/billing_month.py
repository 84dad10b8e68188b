"""`python -m benchmarks.billing_month`: a month of invoices, dry and real, and where its time goes.

A dry run and the real run by the command line must show the same totals, and the first must write nothing.
Then one `propman run billing` process bills the month by trigger, until every `InvoiceCreated` is in the
broker. Last, the statements of a run are counted and timed: their number must not grow with the leases.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
import uvloop

from benchmarks import whole
from benchmarks.machine import machine_facts
from benchmarks.report import BenchmarkFailed
from benchmarks.servers import ROOT, depth, execute, private_servers, purge
from benchmarks.system import Stage, set_up
from propman.dev import ServerUrls
from services.billing.domain.invoices import draft_invoice
from services.billing.handlers.issuing import announcement, issue_chunk
from services.billing.handlers.planning import Request, chunked, plan_invoices
from services.billing.store.invoices import Issued
from shared.cli import print_record, print_table, say
from shared.clock import SystemClock
from shared.contracts.billing import InvoiceCreated, IssueInvoices
from shared.contracts.scheduler import MonthlyBillingDue
from shared.db import create_engine
from shared.identity import new_id
from shared.messaging.naming import queue_for
from shared.messaging.publisher import Publisher
from shared.messaging.transaction import Transactions, command_envelope

MONTH: Final = "2026-12"
AS_OF: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
_FACTS: Final = queue_for("notifications", InvoiceCreated)
_QUEUES: Final = (_FACTS, queue_for("billing", MonthlyBillingDue), queue_for("billing", IssueInvoices))
_TABLES: Final = (
    *("invoices", "invoice_lines", "billed_charges", "invoice_numbers", "terms", "accounts"),
    *("allocations", "outbox", "inbox", "runs"),
)
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(?:unnest\S*\s+AS\s+)?(\w+)", re.IGNORECASE)


@dataclass(slots=True)
class Spent:
    """Where a run's time went."""

    leases: int
    seconds: float = 0.0
    statements: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    python: dict[str, float] = field(default_factory=dict)


async def measure(urls: ServerUrls, directory: Path, leases: int) -> None:
    """Everything, on one set of leases; raises `BenchmarkFailed` where a result is not what it must be."""
    machine = await machine_facts(urls)
    stage = await set_up(urls, leases)
    say(f"{leases} leases are there.")
    dry, real = await _dry_and_real(stage, directory)
    service = await _service(stage, directory)
    spent = await _profile(stage)
    print_record(
        {
            "leases": leases,
            "dry run, command": f"{dry:.1f} s",
            "real run, command": f"{real:.1f} s, the same totals",
            "one billing process, trigger to the last fact in the broker": f"{service:.1f} s"
            f", {leases / service:,.0f} leases/s",
        }
    )
    _show(spent)
    print_record(machine)


async def _dry_and_real(stage: Stage, directory: Path) -> tuple[float, float]:
    before = await _rows(stage)
    dry, dry_seconds = await _command(stage, directory, "--dry-run")
    if await _rows(stage) != before or await depth(stage.billing.broker_url, _FACTS):
        raise BenchmarkFailed("the dry run wrote something")
    real, real_seconds = await _command(stage, directory)
    if dry | {"dry_run": False} != real or real["created"] != stage.leases:
        raise BenchmarkFailed(f"the dry run said {dry}, and the real run {real}")
    return dry_seconds, real_seconds


async def _command(stage: Stage, directory: Path, *words: str) -> tuple[dict[str, Any], float]:
    command = [sys.executable, "-m", "propman", "billing", "generate-monthly-invoices"]
    environment = _environment(stage, directory)
    started = time.perf_counter()
    ran = await asyncio.to_thread(
        subprocess.run,
        [*command, "--month", MONTH, "--json", *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if ran.returncode:
        raise BenchmarkFailed(ran.stderr.decode())
    return json.loads(ran.stdout), time.perf_counter() - started


async def _rows(stage: Stage) -> list[int]:
    connection = await asyncpg.connect(stage.billing.dsn)
    try:
        return [await connection.fetchval(f"select count(*) from {table}") for table in _TABLES]
    finally:
        await connection.close()


async def _service(stage: Stage, directory: Path) -> float:
    """From the trigger until every fact is confirmed by the broker, with one process of billing."""
    await _clear(stage)
    log = directory / "billing.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - it outlives this call on purpose
            [sys.executable, "-m", "propman", "run", "billing"],
            env=_environment(stage, directory),
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    publisher = Publisher(stage.billing.broker_url, name="propman-benchmarks-trigger")
    try:
        await whole.until_consumed(stage.billing.broker_url, {"billing": process}, _QUEUES[1:2], directory)
        started = time.perf_counter()
        await whole.trigger(publisher)
        async with asyncio.timeout(whole.PATIENCE):
            while await depth(stage.billing.broker_url, _FACTS) < stage.leases:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return time.perf_counter() - started
    finally:
        await publisher.close()
        await asyncio.to_thread(whole.end, [process])


def _environment(stage: Stage, directory: Path) -> dict[str, str]:
    return os.environ | {
        "PROPMAN_HOME": str(directory),
        "PROPMAN_RABBITMQ_URL": stage.billing.broker_url,
        "BILLING_DATABASE_URL": stage.billing.database_url,
        "BILLING_HTTP_PORT": "0",
    }


async def _clear(stage: Stage) -> None:
    await stage.clear()
    await purge(stage.billing.broker_url, *_QUEUES)
    await execute(stage.billing.admin_url, "vacuum analyze")


async def _profile(stage: Stage) -> Spent:
    """The same work in this process, every statement timed, and what is pure done once more by itself."""
    await _clear(stage)
    spent = Spent(stage.leases)
    engine = create_engine(stage.billing.database_url, application="benchmarks")
    _watch(engine.sync_engine, spent)
    transactions = Transactions(engine, SystemClock())
    issued: list[Issued] = []
    started = time.perf_counter()
    async with engine.connect() as connection:
        plan = await plan_invoices(connection, Request(AS_OF, MONTH))
    for chunk in chunked(plan.to_bill):
        async with transactions.begin(command_envelope("benchmarks.issue", new_id())) as tx:
            issued += (await issue_chunk(tx, [item.key for item in chunk], as_of=AS_OF)).issued
    spent.seconds = time.perf_counter() - started
    await engine.dispose()
    _again(issued, spent)
    return spent


def _watch(engine: sa.Engine, spent: Spent) -> None:
    begun: dict[int, float] = {}

    @sa.event.listens_for(engine, "before_cursor_execute")
    def before(_connection: Any, cursor: Any, *_: Any) -> None:
        begun[id(cursor)] = time.perf_counter()

    @sa.event.listens_for(engine, "after_cursor_execute")
    def after(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        spent.statements[_name(statement)].append(time.perf_counter() - begun.pop(id(cursor)))


def _name(statement: str) -> str:
    verb = statement.split(maxsplit=1)[0].lower()
    table = _TABLE.search(statement)
    lock = ", lock" if "FOR UPDATE" in statement else ""
    return f"{verb} {table.group(1) if table else ''}{lock}"


def _again(issued: list[Issued], spent: Spent) -> None:
    started = time.perf_counter()
    for item in issued:
        draft_invoice(item.draft.terms, item.draft.period, item.draft.policy, issued_on=item.draft.issued_on)
    drafted = time.perf_counter()
    for item in issued:
        announcement(item).model_dump_json()
    spent.python["the rules: drafting every invoice"] = drafted - started
    spent.python["building every InvoiceCreated as JSON"] = time.perf_counter() - drafted


def _show(spent: Spent) -> None:
    database = sum(sum(times) for times in spent.statements.values())
    rows = [
        [name, len(times), f"{sum(times):.2f} s", f"{100 * sum(times) / spent.seconds:.0f} %"]
        for name, times in sorted(spent.statements.items(), key=lambda item: -sum(item[1]))
    ]
    known = sum(spent.python.values())
    rest = {"rows and columns, SQLAlchemy, commits": spent.seconds - database - known}
    rows += [
        [name, "", f"{cost:.2f} s", f"{100 * cost / spent.seconds:.0f} %"]
        for name, cost in (spent.python | rest).items()
    ]
    count = sum(map(len, spent.statements.values()))
    say(f"\nPlanned and issued in this process in {spent.seconds:.2f} s, by {count} statements:")
    print_table(["what", "statements", "time", "of it"], rows)


def main() -> int:
    """Measure once, on servers that nobody else uses."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billing_month", description=__doc__)
    parser.add_argument("--leases", type=int, default=10_000)
    options = parser.parse_args()
    with private_servers() as (urls, directory):
        uvloop.run(measure(urls, directory, options.leases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
