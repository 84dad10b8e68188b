"""Invoices that came late, in a real database: 1,000.00 of rent due on March 1st 2025 in New York."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.billing.domain.fee_rules import Daily, Fixed, Flat
from services.billing.domain.policies import BillingPolicy, terms_id
from services.billing.handlers import router
from services.billing.handlers.late_fees import reconsider_fees
from services.billing.handlers.settling import announce, replay_accounts
from services.billing.schema import (
    accounts,
    invoice_lines,
    invoices,
    leases,
    payment_reversals,
    payments,
    properties,
)
from services.billing.store import PolicyStore
from shared.contracts.billing import ApplyLateFees
from shared.contracts.scheduler import LateFeesDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.support.messages import deliver, emitted

NOW = datetime(2025, 3, 1, tzinfo=UTC)

FIFTY = Flat(amount=Fixed(5_000))
TEN_A_DAY = Daily(amount=Fixed(1_000))


def a_policy(*rules: Any, **fields: Any) -> BillingPolicy:
    """Fifty once, or these rules, five days after the due date."""
    values: dict[str, Any] = {"late_fee_rules": rules or (FIFTY,), "grace_days": 5} | fields
    return BillingPolicy(**values)


def noon(day: str | date, zone_hours: int = 5) -> datetime:
    """Noon in New York on a day."""
    on = day if isinstance(day, date) else date.fromisoformat(day)
    return datetime.combine(on, time(12 + zone_hours), tzinfo=UTC)


@dataclass
class LateLedger:
    """One account and its invoices."""

    transactions: Transactions
    account_id: UUID = field(default_factory=new_id)
    property_id: UUID = field(default_factory=new_id)
    serial: int = 0

    async def open(self, time_zone: str = "America/New_York") -> "LateLedger":
        """The account, its lease and its property."""
        place = {
            "property_id": self.property_id,
            "version": 1,
            "name": "Elm Street",
            "time_zone": time_zone,
            "currency": "USD",
        }
        lease = {
            "lease_id": self.account_id,
            "version": 1,
            "account_id": self.account_id,
            "property_id": self.property_id,
            "unit_id": new_id(),
            "unit_label": "1A",
            "tenant_ids": [new_id()],
            "time_zone": time_zone,
            "currency": "USD",
            "rent_cents": 100_000,
            "charges": [],
            "starts_on": date(2025, 1, 1),
            "due_day": 1,
        }
        async with self.transactions.engine.begin() as connection:
            await connection.execute(sa.insert(properties).values(place))
            await connection.execute(sa.insert(leases).values(lease))
            await connection.execute(
                sa.insert(accounts).values(account_id=self.account_id, currency="USD", credit_cents=0)
            )
        return self

    async def invoice(
        self,
        due_on: str = "2025-03-01",
        policy: BillingPolicy | None = None,
        issued_on: str | None = None,
        **amounts: int,
    ) -> UUID:
        """An open invoice under a policy; `rent_cents` and `charge_cents` may be given."""
        terms, due = policy or a_policy(), date.fromisoformat(due_on)
        cents = {"rent_cents": 100_000, "charge_cents": 0} | amounts
        self.serial += 1
        row = cents | {
            "invoice_id": new_id(),
            "number": f"INV-2025-{self.account_id.hex[-6:].upper()}-{self.serial}",
            "account_id": self.account_id,
            "lease_id": self.account_id,
            "property_id": self.property_id,
            "unit_id": new_id(),
            "unit_label": "1A",
            "tenant_ids": [new_id()],
            "period": due_on[:7],
            "period_starts_on": due.replace(day=1),
            "period_ends_on": due.replace(day=28),
            "issued_on": date.fromisoformat(issued_on) if issued_on else due.replace(day=1),
            "due_on": due,
            "currency": "USD",
            "terms_id": terms_id(terms),
            "total_cents": sum(cents.values()),
            "state": "open",
            "next_check_on": date.fromordinal(due.toordinal() + 1),
            "created_at": NOW,
        }
        lines = [
            {
                "position": place,
                "kind": kind,
                "bucket": kind,
                "description": kind,
                "amount_cents": cents[f"{kind}_cents"],
            }
            for place, kind in enumerate(("rent", "charge"), start=1)
        ]
        async with self.transactions.engine.begin() as connection:
            await PolicyStore(connection).keep([terms])
            await connection.execute(sa.insert(invoices).values(row))
            await connection.execute(
                sa.insert(invoice_lines), [line | {"invoice_id": row["invoice_id"]} for line in lines]
            )
        return UUID(str(row["invoice_id"]))

    async def pay(self, cents: int, received_on: str, entered_on: str | None = None) -> UUID:
        """Money comes in, and everything that follows from it is done on the day it is entered."""
        payment_id = new_id()
        row = {
            "payment_id": payment_id,
            "reference": str(payment_id),
            "account_id": self.account_id,
            "amount_cents": cents,
            "applied_cents": 0,
            "currency": "USD",
            "method": "check",
            "received_on": date.fromisoformat(received_on),
            "recorded_at": NOW,
        }
        await self._after(sa.insert(payments).values(row), entered_on or received_on)
        return payment_id

    async def bounce(self, payment_id: UUID, cents: int, known_on: str) -> None:
        """A payment comes back."""
        row = {
            "reversal_id": new_id(),
            "reference": f"bounced {payment_id}",
            "payment_id": payment_id,
            "kind": "returned",
            "amount_cents": cents,
            "known_on": date.fromisoformat(known_on),
            "reason": "insufficient funds",
            "recorded_at": NOW,
        }
        await self._after(sa.insert(payment_reversals).values(row), known_on)

    async def _after(self, fact: sa.Insert, on: str) -> None:
        async with self.transactions.command("test") as tx:
            await tx.connection.execute(fact)
            settlement = await replay_accounts(tx, [self.account_id])
            fees = await reconsider_fees(tx, [self.account_id], date.fromisoformat(on))
            await announce(tx, settlement.then(fees))

    async def run(self, on: str) -> None:
        """One run of the schedule at noon, with everything it asks for."""
        await run_late_fees(self.transactions, noon(on))

    async def lines(self, invoice_id: UUID) -> list[tuple[str, str, int]]:
        """Kind, day and amount of the fee lines, as they were posted."""
        query = (
            sa.select(invoice_lines.c.kind, invoice_lines.c.counts_on, invoice_lines.c.amount_cents)
            .where(invoice_lines.c.invoice_id == invoice_id, invoice_lines.c.bucket == "fee")
            .order_by(invoice_lines.c.position)
        )
        async with self.transactions.engine.connect() as connection:
            return [
                (row.kind, row.counts_on.isoformat(), row.amount_cents)
                for row in await connection.execute(query)
            ]

    async def row(self, invoice_id: UUID, *names: str) -> tuple[Any, ...]:
        """What an invoice's row says."""
        query = sa.select(*(invoices.c[name] for name in names)).where(invoices.c.invoice_id == invoice_id)
        async with self.transactions.engine.connect() as connection:
            return tuple((await connection.execute(query)).one())

    async def said(self, topic: str) -> list[dict[str, Any]]:
        """What was said under a name, in order."""
        return [body for name, body in await emitted(self.transactions) if name == f"billing.{topic}.v1"]


async def run_late_fees(transactions: Transactions, as_of: datetime, **changes: Any) -> UUID:
    """The trigger, and every chunk it asks for; the id of the run."""
    occurrence = new_id()
    values = {"occurrence_id": occurrence, "schedule_key": "late-fees", "as_of": as_of} | changes
    await deliver(transactions, router, LateFeesDue(**values))
    for command in await chunks_of(transactions, occurrence):
        await deliver(transactions, router, command)
    return occurrence


async def chunks_of(transactions: Transactions, run_id: UUID) -> Sequence[ApplyLateFees]:
    """The commands a run asked for."""
    found = [body for name, body in await emitted(transactions) if name == ApplyLateFees.topic]
    return [ApplyLateFees.model_validate(body) for body in found if body["run_id"] == str(run_id)]
