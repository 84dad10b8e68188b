"""`propman rewards calculate-rewards`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from services.rewards.domain.facts import Today
from services.rewards.handlers.evaluating import CHUNK, Evaluation, evaluate
from services.rewards.store import CopyStore
from services.rewards.verbs.database import opened, refuse_unknown_property
from shared.cli import (
    App,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    MonthOption,
    PropertyOption,
    TenantOption,
    UsageProblem,
    counted,
    date_option,
    json_wanted,
    print_json,
    print_table,
    progress,
    say,
    success,
)
from shared.contracts.scheduler import RewardsDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions, command_envelope
from shared.money import format_cents

AsOfDay = Annotated[
    date | None, date_option("--as-of", help="As if it were this day everywhere; only with --dry-run.")
]


def add_to(app: App) -> None:
    """Give rewards' app its command."""
    app.command()(calculate_rewards)


async def calculate_rewards(
    tenant_id: TenantOption = None,
    property_id: PropertyOption = None,
    month: MonthOption = None,
    as_of: AsOfDay = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Replay tenants' records, and grant and revoke what their reward ledgers lack.

    The command may be repeated: what is granted is not granted again. A dry run does all of it and then takes
    everything back. With --month, only what is of that month is granted or revoked.

    \b
    Examples:
      propman rewards calculate-rewards --dry-run
      propman rewards calculate-rewards --tenant 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman rewards calculate-rewards --dry-run --as-of 2027-01-02
    """
    if as_of is not None and not dry_run:
        raise UsageProblem("--as-of needs --dry-run: the ledger is only written for the day it is.")
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            await refuse_unknown_property(connection, property_id)
            tenants = await CopyStore(connection).tenants(property_id=property_id, tenant_id=tenant_id)
            names = await CopyStore(connection).names()
        if tenant_id is not None and not tenants:
            raise UsageProblem(
                f"Nothing was ever billed to a tenant {tenant_id}.",
                remedy="See `propman leasing tenants list`.",
            )
        if enqueue:
            due = {"tenant_id": tenant_id, "property_id": property_id, "period": month, "dry_run": dry_run}
            await _enqueue(transactions, due)
            return
        found = await _evaluate_all(transactions, tenants, month, as_of, dry_run=dry_run)
    _report(found, names, dry_run=dry_run)


async def _enqueue(transactions: Transactions, fields: dict[str, Any]) -> None:
    occurrence = new_id()
    async with transactions.begin(command_envelope("rewards.enqueue", occurrence)) as tx:
        about = {"occurrence_id": occurrence, "schedule_key": "rewards-command", "origin": "manual"}
        tx.emit(RewardsDue(**fields, **about, as_of=tx.at), message_id=occurrence)
    if json_wanted():
        print_json({"occurrence_id": occurrence, "enqueued": True})
    success(f"RewardsDue is enqueued as {occurrence}; the running rewards service does the rest.")


async def _evaluate_all(
    transactions: Transactions,
    tenants: Sequence[UUID],
    month: str | None,
    as_of: date | None,
    *,
    dry_run: bool,
) -> list[Evaluation]:
    """Chunk by chunk, each in its own transaction: a crash leaves whole chunks behind, and is resumed."""
    found: list[Evaluation] = []
    with progress(len(tenants), "Replaying tenants") as bar:
        for start in range(0, len(tenants), CHUNK):
            chunk = tenants[start : start + CHUNK]
            async with transactions.command("rewards.calculate_rewards", dry_run=dry_run) as tx:
                today = Today(otherwise=as_of) if as_of else await CopyStore(tx.connection).today(tx.at)
                found += await evaluate(tx, chunk, today, period=month)
            bar.advance(len(chunk))
    return found


def _report(found: Sequence[Evaluation], names: Mapping[UUID, str], *, dry_run: bool) -> None:
    counts: Counter[str] = Counter()
    for item in found:
        counts += item.counts
    rows = [row for item in found for row in _rows(item)]
    if json_wanted():
        numbers = {kind: counts[kind] for kind in ("granted", "revoked", "redeemed")}
        print_json({"dry_run": dry_run, "examined": len(found), **numbers, "entries": rows})
    elif rows:
        columns = ("tenant", "what", "rule", "month", "amount", "because")
        print_table(columns, [tuple(row[name] for name in columns) for row in _shown(rows, names)])
    done = [f"{counts[kind]} {kind}" for kind in ("granted", "revoked", "redeemed") if counts[kind]]
    if not done:
        success(
            f"Nothing to do: {counted(len(found), 'tenant')} looked at, and each ledger says what was earned."
        )
        return
    success(f"{', '.join(done)}, for {counted(len(found), 'tenant')}.")
    if dry_run:
        say("This was a dry run: nothing is kept.")


def _rows(found: Evaluation) -> list[dict[str, Any]]:
    rows = []
    for entry in found.entries:
        posting, earned = entry.posted.posting, entry.posted.posting.earned
        rows.append(
            {
                "tenant": found.tenant_id,
                "what": posting.kind,
                "rule": earned.rule,
                "month": earned.period,
                "amount_cents": earned.amount_cents,
                "currency": earned.currency,
                "because": " ".join(filter(None, (posting.cause, posting.cause_period))),
                "missing_cents": entry.posted.missing_cents,
            }
        )
    for done in found.redeemed:
        use = done.redemption
        rows.append(
            {
                "tenant": found.tenant_id,
                "what": "redeemed",
                "rule": f"against {use.against}",
                "month": f"{use.redeemed_on:%Y-%m}",
                "amount_cents": use.amount_cents,
                "currency": use.currency,
                "because": "auto_apply",
                "missing_cents": 0,
            }
        )
    return rows


def _shown(rows: Sequence[dict[str, Any]], names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    return [
        row
        | {
            "tenant": names.get(row["tenant"], row["tenant"]),
            "amount": format_cents(row["amount_cents"], row["currency"]),
        }
        for row in rows
    ]
