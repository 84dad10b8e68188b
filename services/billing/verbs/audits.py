"""`propman billing audit`: whether every balance is what its lines, payments and reversals come to."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from services.billing.domain.auditing import Drift
from services.billing.handlers.auditing import CHUNK, audit_accounts, repair_accounts
from services.billing.store import LeaseStore, LedgerStore
from services.billing.verbs.database import opened, unknown_lease
from shared.cli import (
    App,
    CommandError,
    JsonOption,
    LeaseOption,
    json_wanted,
    print_json,
    print_table,
    progress,
    success,
)
from shared.messaging.transaction import Transactions


def add_to(billing: App) -> None:
    """Give billing's app its command."""
    billing.command()(audit)


async def audit(
    lease: LeaseOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Write what the facts come to.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Work out every balance anew, and report whatever is kept differently.

    Allocations, balances, states and credit are derived from invoice lines, payments and reversals; this
    derives them again and compares. It ends with 1 where something differs. --repair writes what the facts
    come to, and says InvoicePaid and the like for what that changes.

    \b
    Examples:
      propman billing audit
      propman billing audit --lease ID --json
      propman billing audit --repair
    """
    async with opened() as transactions:
        accounts, found = await _audit(transactions, lease)
        if repair and found:
            await _repair(transactions, found)
            _, left = await _audit(transactions, lease)
        else:
            left = found
    _report(accounts, found, left)


async def _audit(transactions: Transactions, lease: UUID | None) -> tuple[int, list[Drift]]:
    accounts, found = 0, list[Drift]()
    async with transactions.engine.connect() as connection:
        total = 1 if lease else await LedgerStore(connection).count()
    with progress(total, "Auditing accounts") as bar:
        async for chunk in _chunks(transactions.engine, lease):
            async with transactions.engine.connect() as connection:
                # One moment for all statements: a payment in between would look like drift.
                snapshot = await connection.execution_options(isolation_level="REPEATABLE READ")
                found += await audit_accounts(snapshot, chunk)
            accounts += len(chunk)
            bar.advance(len(chunk))
    return accounts, found


async def _chunks(engine: AsyncEngine, lease: UUID | None) -> AsyncIterator[list[UUID]]:
    if lease is not None:
        async with engine.connect() as connection:
            account_id = await LeaseStore(connection).account_of(lease)
        if account_id is None:
            raise unknown_lease(lease)
        yield [account_id]
        return
    last: UUID | None = None
    while True:
        async with engine.connect() as connection:
            chunk = await LedgerStore(connection).chunk(last, CHUNK)
        if not chunk:
            return
        yield chunk
        last = chunk[-1]


async def _repair(transactions: Transactions, found: list[Drift]) -> None:
    wrong = sorted({drift.account_id for drift in found if drift.repairable})
    for start in range(0, len(wrong), CHUNK):
        async with transactions.command("billing.audit") as tx:
            await repair_accounts(tx, wrong[start : start + CHUNK])


def _report(accounts: int, found: list[Drift], left: list[Drift]) -> None:
    if json_wanted():
        print_json({"accounts": accounts, "drifts": found, "left": left})
    elif found:
        rows = [[item.account_id, item.subject, item.what, item.kept, item.should_be] for item in found]
        print_table(["account", "of", "what", "kept", "should be"], rows)
    wrong = len({drift.account_id for drift in found})
    if left:
        raise CommandError(
            f"{len(left)} differences in {len({drift.account_id for drift in left})} of {accounts} accounts.",
            remedy="`propman billing audit --repair` writes what the facts come to."
            if any(drift.repairable for drift in left)
            else "An invoice and its lines differ, and a person has to find out why.",
        )
    if found:
        success(f"Repaired {wrong} of {accounts} accounts; now every balance is what its facts come to.")
    else:
        success(f"{accounts} accounts, and every balance is what its facts come to.")
