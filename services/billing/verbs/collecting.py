"""`propman billing collect-autopay`."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from prometheus_client import CollectorRegistry

from services.billing.collector import Collector, CollectorMetrics
from services.billing.domain.autopay import State
from services.billing.gateways.configured import configured_gateways
from services.billing.handlers.autopay import plan_charges, write_charges
from services.billing.handlers.runs import chunked
from services.billing.settings import Settings
from services.billing.store import ChargeStore
from services.billing.store.autopay import ToCharge
from services.billing.store.charges import Charge
from services.billing.verbs.database import opened, refuse_unknown_property
from services.billing.verbs.enqueuing import enqueue as enqueue_trigger
from shared.cli import (
    App,
    CommandError,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    PropertyOption,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    success,
    warning,
)
from shared.contracts.scheduler import AutopayDue
from shared.db import driver_url
from shared.identity import new_id
from shared.logging import only_errors
from shared.messaging.transaction import Transactions, command_envelope
from shared.money import format_cents

PATIENCE: Final = 60
"""Seconds to wait for what another process is asking for; a gateway takes less."""


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(collect_autopay)


async def collect_autopay(
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Charge what is due today, or overdue since its tenant enrolled, and is still open.

    An invoice that is being charged, or was, is left alone, so the command may be repeated, and may run at
    the same time as the schedule. Everything that is due is collected, also what was planned before.

    \b
    Examples:
      propman billing collect-autopay --dry-run
      propman billing collect-autopay
      propman billing collect-autopay --enqueue
    """
    async with opened() as transactions:
        if enqueue:
            await enqueue_trigger(transactions, AutopayDue, property_id=property_id, dry_run=dry_run)
            return
        as_of = transactions.clock.now()
        wanted = await _plan(transactions, as_of, property_id)
        if dry_run:
            _show_plan(wanted)
            return
        await _collect(transactions, wanted, as_of)


async def _plan(transactions: Transactions, as_of: datetime, property_id: UUID | None) -> list[ToCharge]:
    async with transactions.engine.connect() as connection:
        await refuse_unknown_property(connection, property_id)
        return await plan_charges(connection, as_of, property_id=property_id)


def _show_plan(wanted: Sequence[ToCharge]) -> None:
    if json_wanted():
        print_json(
            {"dry_run": True, "planned": len(wanted), "charges": wanted, "total_cents": _totals(wanted)}
        )
        return
    rows = [
        [item.number, item.due_on, item.attempt, item.gateway, format_cents(item.open_cents, item.currency)]
        for item in wanted
    ]
    columns = ["invoice", "due", "attempt", "gateway", "amount"]
    print_table(columns, rows, empty="Nothing is due by autopay.")
    say(f"Dry run: {len(wanted)} charges would be made.")


def _totals(wanted: Sequence[ToCharge]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for item in wanted:
        totals[item.currency] += item.open_cents
    return totals


async def _collect(transactions: Transactions, wanted: Sequence[ToCharge], as_of: datetime) -> None:
    """Plan chunk by chunk, then ask the gateways, as the running service does; both share the work."""
    settings = Settings()  # from the environment
    gateways = configured_gateways(settings, transactions.clock)
    story, planned = new_id(), 0
    for chunk in chunked(wanted):
        async with transactions.begin(command_envelope("billing.collect_autopay", story)) as tx:
            planned += await write_charges(tx, [item.invoice_id for item in chunk], as_of=as_of)
    collector = Collector(
        transactions=transactions,
        dsn=driver_url(settings.database_url.get_secret_value()),
        gateways=gateways,
        metrics=CollectorMetrics(CollectorRegistry()),
    )
    with only_errors(), progress(None, "Collecting") as bar:
        while await collector.collect_next():
            bar.advance()
    for gateway in gateways.values():
        await gateway.close()
    found = await _until_asked(transactions, wanted)
    _report(wanted, found, planned, missing=_gateways(wanted) - set(gateways))


def _gateways(wanted: Sequence[ToCharge]) -> set[str]:
    return {item.gateway for item in wanted}


async def _until_asked(transactions: Transactions, wanted: Sequence[ToCharge]) -> list[Charge]:
    """What came of the charges; what the running service is asking for at this moment is waited for."""
    attempts = [(item.invoice_id, item.attempt) for item in wanted]
    for _ in range(PATIENCE):
        async with transactions.engine.connect() as connection:
            found = await ChargeStore(connection).of_attempts(attempts)
        if not any(item.state is State.CLAIMED for item in found):
            break
        await asyncio.sleep(1)
    return found


def _report(wanted: Sequence[ToCharge], found: Sequence[Charge], planned: int, *, missing: set[str]) -> None:
    states = Counter(str(item.state) for item in found)
    if json_wanted():
        print_json({"dry_run": False, "planned": planned, "states": states, "charges": _brief(found)})
    elif found:
        rows = [
            [item.invoice_number, format_cents(item.amount_cents, item.currency), item.state, item.failure]
            for item in found
        ]
        print_table(["invoice", "amount", "state", "why"], rows)
    for name in sorted(missing):
        warning(f"The gateway {name} is not configured here; its charges stay planned.")
    if not wanted:
        success("Nothing is due by autopay.")
    else:
        _conclude(states, len(found))


def _conclude(states: Counter[str], asked: int) -> None:
    undone, to_come = states["failed"] + states["unknown"], states["planned"] + states["claimed"]
    if undone or to_come:
        raise CommandError(
            f"{states['succeeded']} of {asked} charged; {undone} declined or in doubt,"
            f" {to_come} still to be made.",
            remedy="See `propman billing autopay charges`.",
        )
    success(f"{states['succeeded']} charged, {states['processing']} with the bank.")


def _brief(found: Sequence[Charge]) -> list[dict[str, Any]]:
    names = (
        "charge_id",
        "invoice_number",
        "attempt",
        "amount_cents",
        "currency",
        "state",
        "failure",
        "retry_on",
    )
    return [{name: getattr(item, name) for name in names} for item in found]
