"""Billing's database together with its commands, as an operator has both."""

import asyncio
from dataclasses import dataclass

from typer.testing import CliRunner

from services.billing.schema import metadata
from shared.messaging.tables import inbox, outbox
from shared.messaging.transaction import Transactions
from tests.support.commands import Ran, run_propman
from tests.support.messages import count_rows


@dataclass
class Office:
    """Billing's database, and its commands on it."""

    transactions: Transactions
    environment: dict[str, str]

    async def run(self, *words: str) -> Ran:
        """A command as a process of its own, as a person starts it."""
        return await run_propman("billing", *words, environment=self.environment)

    async def do(self, *words: str) -> Ran:
        """The same command inside this process, which takes milliseconds instead of seconds."""
        return await asyncio.to_thread(self._invoke, words)

    async def rows(self) -> dict[str, int]:
        """How many rows each table has: what a dry run must leave as it was."""
        tables = [*metadata.sorted_tables, inbox, outbox]
        return {table.name: await count_rows(self.transactions, table) for table in tables}

    def _invoke(self, words: tuple[str, ...]) -> Ran:
        from services.billing.cli import app

        found = CliRunner().invoke(app, list(words), env=self.environment)
        return Ran(found.exit_code, found.stdout, found.stderr)
