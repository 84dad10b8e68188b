"""A landlord's desk: one lease, its money, and a date that the test sets."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from services.billing.domain.auditing import Drift
from services.billing.domain.payments import ReversalKind
from services.billing.domain.policies import BillingPolicy, document_of
from services.billing.handlers import router
from services.billing.handlers.auditing import audit_accounts
from services.billing.handlers.issuing import issue_chunk
from services.billing.handlers.payments import Booked, NewPayment, record_payment
from services.billing.handlers.planning import Key
from services.billing.handlers.reversals import NewReversal, Reversed, reverse_payment
from services.billing.handlers.voiding import Voided, void_invoice
from services.billing.schema import accounts, allocations, invoice_lines, invoices
from shared.contracts.leasing import LeaseActivated
from shared.messaging.transaction import Transactions
from tests.billing.runs import agree
from tests.support.builders import a_lease
from tests.support.messages import deliver_batch, emitted


@dataclass
class SetClock:
    """Noon of the day that the test sets; the same date in every zone of ours."""

    today: date

    def now(self) -> datetime:
        """The moment it is."""
        return datetime.combine(self.today, time(17), UTC)


class Desk:
    """Books things on one lease of $1,575.00 a month ($1,500.00 rent, $75.00 parking), due on the first."""

    def __init__(self, transactions: Transactions, lease: LeaseActivated, today: date) -> None:
        self.clock = SetClock(today)
        self.account_id = lease.lease_id
        self.transactions = Transactions(transactions.engine, self.clock)
        self.lease = lease

    async def bill(self, *periods: str, policy: BillingPolicy | None = None) -> None:
        """Issue the invoices of months on their first days, under a policy."""
        if policy:
            await agree(self.transactions, document_of(policy))
        for period in periods:
            starts_on = date.fromisoformat(f"{period}-01")
            as_of = datetime.combine(starts_on, time(17), UTC)
            async with self.transactions.command("test") as tx:
                await issue_chunk(tx, [Key(self.lease.lease_id, starts_on)], as_of=as_of)

    async def pay(self, cents: int, reference: str, on: str | None = None, **changes: Any) -> Booked:
        """Book a payment on the lease, received on a day or today."""
        target: dict[str, Any] = (
            {} if changes.keys() & {"invoice", "account_id"} else {"lease_id": self.lease.lease_id}
        )
        received_on = date.fromisoformat(on) if on else None
        new = NewPayment(
            reference=reference, amount_cents=cents, received_on=received_on, **target, **changes
        )
        async with self.transactions.command("test") as tx:
            return await record_payment(tx, new)

    async def take_back(
        self, payment: str, reference: str, cents: int | None = None, kind: ReversalKind = "returned"
    ) -> Reversed:
        """Book a reversal that becomes known today."""
        new = NewReversal(
            payment=payment, reference=reference, kind=kind, reason="No funds", amount_cents=cents
        )
        async with self.transactions.command("test") as tx:
            return await reverse_payment(tx, new)

    async def void(self, number: str) -> Voided:
        """Void an invoice."""
        async with self.transactions.command("test") as tx:
            return await void_invoice(tx, number, reason="Wrong rent", by="ada")

    async def invoice(self, number: str = "INV-2026-000001") -> dict[str, Any]:
        """An invoice's row."""
        [row] = await self._rows(sa.select(invoices).where(invoices.c.number == number))
        return row

    async def credit(self) -> int:
        """The account's credit in cents."""
        [row] = await self._rows(sa.select(accounts.c.credit_cents))
        return int(row["credit_cents"])

    async def allocations(self) -> list[tuple[str, str, str, int]]:
        """What is on which invoice since when: number, bucket, day, cents."""
        query = sa.select(allocations, invoices.c.number).join(
            invoices, invoices.c.invoice_id == allocations.c.invoice_id
        )
        rows = await self._rows(query)
        return sorted(
            (row["number"], row["bucket"], row["effective_on"].isoformat(), row["amount_cents"])
            for row in rows
        )

    async def fees(self) -> list[tuple[str, int]]:
        """The fee lines: kind and cents."""
        query = sa.select(invoice_lines).where(invoice_lines.c.bucket == "fee")
        rows = await self._rows(query.order_by(invoice_lines.c.position))
        return [(row["kind"], row["amount_cents"]) for row in rows]

    async def said(self, name: str) -> list[dict[str, Any]]:
        """The payloads of a fact, in the order they were said."""
        topic = f"billing.{name}.v1"
        return [body for found, body in await emitted(self.transactions) if found == topic]

    async def drifts(self) -> list[Drift]:
        """What an audit of the account finds."""
        async with self.transactions.engine.connect() as connection:
            return await audit_accounts(connection, [self.account_id])

    async def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        async with self.transactions.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]


async def a_desk(transactions: Transactions, today: str = "2026-12-01", **lease: Any) -> Desk:
    """A desk with a lease that billing has heard of."""
    fact = a_lease(**lease)
    await deliver_batch(transactions, router, [fact])
    return Desk(transactions, fact, date.fromisoformat(today))
