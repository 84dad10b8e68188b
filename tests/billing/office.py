"""Billing's database together with its commands, as an operator has both."""

from dataclasses import dataclass

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
        return await run_propman("billing", *words, environment=self.environment)

    async def rows(self) -> dict[str, int]:
        """How many rows each table has: what a dry run must leave as it was."""
        tables = [*metadata.sorted_tables, inbox, outbox]
        return {table.name: await count_rows(self.transactions, table) for table in tables}
