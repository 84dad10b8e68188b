"""`python -m benchmarks.late_fees`: late fees over many open invoices, of which one in a hundred is due one.

The run must post exactly those fees, a second run nothing, and neither may read the other ninety-nine:
PostgreSQL's own counters say how many rows of the invoices were touched.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop

from benchmarks.machine import machine_facts
from benchmarks.report import BenchmarkFailed
from benchmarks.servers import ROOT, execute, private_servers
from benchmarks.system import Stage, set_up
from propman.dev import ServerUrls
from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import BillingPolicy, document_of, terms_id
from shared.cli import print_record, say
from shared.clock import SystemClock

POLICY: Final = BillingPolicy(late_fee_rules=(Flat(amount=Fixed(5_000)),))
"""Fifty dollars, once, after five full days."""

_PROPERTIES: Final = """
    insert into properties select distinct property_id, 1, 'House', time_zone, currency from leases"""
_INVOICES: Final = """
    insert into invoices (invoice_id, number, account_id, lease_id, property_id, unit_id, unit_label,
        tenant_ids, period, period_starts_on, period_ends_on, issued_on, due_on, currency, terms_id,
        total_cents, rent_cents, charge_cents, state, overdue_on, next_check_on, created_at)
    select gen_random_uuid(), 'INV-1999-' || lpad(number::text, 6, '0'), account_id, lease_id, property_id,
        unit_id, unit_label, tenant_ids, to_char(due, 'YYYY-MM'), date_trunc('month', due)::date,
        (date_trunc('month', due) + interval '1 month - 1 day')::date, due, due, currency, $2::uuid,
        rent_cents, rent_cents, 0, 'open',
        case when late then due + 1 end, case when late then due + 6 else due + 1 end, now()
    from (
        select leases.*, row_number() over (order by lease_id) as number,
            row_number() over (order by lease_id) % 100 = 0 as late from leases) chosen
    cross join lateral (select case when late then $1::date - 6 else $1::date + 20 end as due) dates"""
_LINES: Final = """
    insert into invoice_lines (invoice_id, position, kind, bucket, description, amount_cents)
    select invoice_id, 1, 'rent', 'rent', 'Rent', rent_cents from invoices"""
_TOUCHED: Final = "select idx_tup_fetch, seq_tup_read from pg_stat_user_tables where relname = 'invoices'"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the command said, how long it took, and how many rows it touched."""

    said: dict[str, Any]
    seconds: float
    by_index: int
    by_scan: int


async def measure(urls: ServerUrls, directory: Path, invoices: int) -> None:
    """Seed, run dry, run, run again; raises `BenchmarkFailed` where a result is not what it must be."""
    machine = await machine_facts(urls)
    stage = await set_up(urls, invoices)
    due = await _seed(stage)
    say(f"{invoices} open invoices are there, {due} of them due a fee today.")
    dry, real, again = [await _run(stage, directory, *words) for words in (["--dry-run"], [], [])]
    fees = await _posted(stage)
    if fees != due:
        raise BenchmarkFailed(f"{due} fees were due and {fees} were posted; the dry run said {dry.said}")
    if await _posted(stage) != due or again.by_index + again.by_scan > due:
        raise BenchmarkFailed(f"the second run touched {again.by_index + again.by_scan} invoices")
    print_record(
        {
            "open invoices": invoices,
            "due a fee": due,
            "dry run": _words(dry),
            "real run": _words(real),
            "again, nothing to do": _words(again),
        }
    )
    print_record(machine)


def _words(run: Run) -> str:
    return f"{run.seconds:.1f} s; rows of invoices touched: {run.by_index} by index, {run.by_scan} by scan"


async def _seed(stage: Stage) -> int:
    # A day back: wherever the properties are, the fee's first day has come.
    today = SystemClock().now().date() - timedelta(days=1)
    connection = await asyncpg.connect(stage.billing.dsn)
    try:
        terms = terms_id(POLICY)
        await connection.execute(
            "insert into terms values ($1, $2) on conflict do nothing", terms, json.dumps(document_of(POLICY))
        )
        await connection.execute(_PROPERTIES)
        await connection.execute(_INVOICES, today, terms)
        await connection.execute(_LINES)
    finally:
        await connection.close()
    await execute(stage.billing.admin_url, "vacuum analyze", "checkpoint")
    return stage.leases // 100


async def _run(stage: Stage, directory: Path, *words: str) -> Run:
    await execute(stage.billing.admin_url, "select pg_stat_reset()")
    environment = os.environ | {
        "PROPMAN_HOME": str(directory),
        "PROPMAN_RABBITMQ_URL": stage.billing.broker_url,
        "BILLING_DATABASE_URL": stage.billing.database_url,
    }
    started = time.perf_counter()
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "propman", "billing", "apply-late-fees", "--json", *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if ran.returncode:
        raise BenchmarkFailed(ran.stderr.decode())
    await asyncio.sleep(1.5)  # until PostgreSQL has published what it counted
    connection = await asyncpg.connect(stage.billing.dsn)
    try:
        by_index, by_scan = await connection.fetchrow(_TOUCHED)
    finally:
        await connection.close()
    return Run(json.loads(ran.stdout), seconds, by_index or 0, by_scan or 0)


async def _posted(stage: Stage) -> int:
    connection = await asyncpg.connect(stage.billing.dsn)
    try:
        return int(await connection.fetchval("select count(*) from invoice_lines where kind = 'late_fee'"))
    finally:
        await connection.close()


def main() -> int:
    """Measure once, on servers that nobody else uses."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.late_fees", description=__doc__)
    parser.add_argument("--invoices", type=int, default=100_000)
    options = parser.parse_args()
    with private_servers() as (urls, directory):
        uvloop.run(measure(urls, directory, options.invoices))
    return 0


if __name__ == "__main__":
    sys.exit(main())
