"""What the demo shows at its end, as a person would want to see it."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from propman.broker import queue_depths
from propman.catalog import service_names
from propman.databases import ask_each, transactions_of
from propman.outbox import depth
from propman.settings import SystemSettings
from propman.trace import print_steps, steps_of
from services.billing.domain.periods import first_day, following
from services.billing.store import InvoiceStore, LeaseStore
from services.notifications.store import reading
from services.rewards.handlers.reading import standings
from services.scheduler.domain.occurrences import Occurrence
from shared.cli import print_table, say, success, warning
from shared.money import format_cents

NEXT: Final = """
Try next (the servers keep running; `make stop` ends them):
  {propman} run                    # all services, in another terminal
  {propman} billing explain invoice {number}
  {propman} billing record-payment --invoice {number} --amount 500 --reference CHK-1
  {propman} billing generate-monthly-invoices --month {following} --dry-run
  {propman} notifications list
  {propman} rewards explain --tenant {tenant} --month {month}
  {propman} leasing signing-links list
  {propman} leasing work-orders list
  {propman} trace {occurrence}
  {propman} monitor
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """The trigger with its outcome, and how long all that followed from it took."""

    occurrence: Occurrence
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """What billing reported."""
        return next((dict(report.counts) for report in self.occurrence.reports), {})


def show_outcome(period: str, settled: Settled) -> None:
    """One line: billed now, or billed already."""
    created, skipped = settled.counts.get("created", 0), settled.counts.get("skipped", 0)
    if created:
        success(f"{period} is billed: {created} invoices, e-mails delivered, in {settled.seconds:.1f} s.")
    else:
        success(f"{period} is already billed ({skipped} leases): nothing was issued, and nothing was sent.")


async def show_what_happened(settled: Settled, *, mail_dir: Path) -> None:
    """Invoices by property, mails, the trace of the trigger, and the depths back at zero."""
    period = str(settled.occurrence.payload.get("period", ""))
    number = await _show_invoices(period)
    await _show_deliveries(mail_dir)
    say(f"\nThe trigger's way through the services ({settled.occurrence.id}):")
    print_steps(await steps_of(settled.occurrence.id))
    await _show_depths()
    say(next_steps(period, settled.occurrence.id, number, await _most_rewarded()))


def next_steps(period: str, occurrence: UUID, number: str, tenant: UUID | None) -> str:
    """Commands to type next, with what they are about where there is such."""
    return NEXT.format(
        propman=_command(),
        number=number,
        following=following(period),
        tenant=tenant or "TENANT",
        month=f"{first_day(period) - timedelta(days=1):%Y-%m}",
        occurrence=occurrence,
    )


async def _most_rewarded() -> UUID | None:
    """Whose month has the most to explain."""
    async with transactions_of("rewards") as rewards, rewards.engine.connect() as connection:
        found = await standings(connection)
    return max(found, key=lambda key: found[key].balance_cents, default=None)


def _command() -> str:
    """How this very command can be called again from here."""
    if shutil.which("propman"):
        return "propman"
    return os.path.relpath(sys.argv[0])


async def _show_invoices(period: str) -> str:
    """The table of invoices by property; returns one invoice's number."""
    async with transactions_of("billing") as billing, billing.engine.connect() as connection:
        found = await InvoiceStore(connection).search(
            period=period, property_id=None, state=None, limit=1_000
        )
        names = await LeaseStore(connection).property_names()
    rows = []
    for place, name in sorted(names.items(), key=lambda item: item[1]):
        mine = [item for item in found if item.property_id == place]
        if mine:
            total = format_cents(sum(item.total_cents for item in mine), mine[0].currency)
            due = ", ".join(sorted({item.due_on.isoformat() for item in mine}))
            rows.append([name, len(mine), due, total])
    say(f"\nInvoices of {period}:")
    print_table(["property", "invoices", "due", "total"], rows)
    return found[-1].number if found else "INV-…"


async def _show_deliveries(mail_dir: Path) -> None:
    async with transactions_of("notifications") as told, told.engine.connect() as connection:
        states = await reading.count_states(connection)
    mails = await asyncio.to_thread(lambda: list(mail_dir.glob("*.eml")))
    say(f"\nNotifications so far; {len(mails)} e-mails lie in {mail_dir}:")
    print_table(
        ["channel", "state", "count"], [[row["channel"], row["state"], row["count"]] for row in states]
    )


async def _show_depths() -> None:
    outboxes = await ask_each(service_names(), depth)
    queues = await queue_depths(SystemSettings().rabbitmq_url.get_secret_value())
    waiting = sum(outboxes.values()), sum(int(row["ready"]) for row in queues)
    if any(waiting):
        warning(f"\nStill waiting: {waiting[0]} in the outboxes, {waiting[1]} in the queues.")
    else:
        success(f"\nEvery outbox is empty, and so are all {len(queues)} queues.")
