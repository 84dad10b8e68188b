"""What the tests of autopay do over and over: bill a lease, enrol it, let the day come, collect."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.billing.collector import Collecting, Collector, CollectorMetrics
from services.billing.gateways.payment_gateway import PaymentGateway
from services.billing.gateways.stripe import StripeGateway
from services.billing.handlers import router
from services.billing.handlers.autopay import Method, enrol
from services.billing.handlers.payments import NewPayment, record_payment
from services.billing.schema import autopay_charges, autopay_enrolments, invoices, payments
from shared.contracts.base import Message
from shared.contracts.billing import ChargeAutopay, IssueInvoices
from shared.contracts.leasing import LeaseActivated
from shared.contracts.scheduler import AutopayDue
from shared.db import driver_url
from shared.identity import new_id
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.billing.stripe_server import SECRET_KEY, StripeServer
from tests.support.builders import a_lease, billing_due
from tests.support.messages import deliver, deliver_batch, emitted

DUE = datetime(2026, 12, 1, 15, tzinfo=UTC)
"""Ten in the morning in New York, on the day the rent of December is due."""
RENT = 157_500
QUICK = Collecting(workers=2, lease=timedelta(seconds=20), poll_seconds=0.05)


class MovableClock:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """Billing at work, with Stripe at the other end of a socket."""

    transactions: Transactions
    url: str
    stripe: StripeServer
    clock: MovableClock

    async def bill(self, lease: LeaseActivated | None = None, *, period: str = "2026-12") -> dict[str, Any]:
        """A lease and its invoice."""
        made = lease or a_lease()
        await deliver_batch(self.transactions, router, [made])
        known = {row["invoice_id"] for row in await self.rows(invoices)}
        await deliver(self.transactions, router, billing_due(period=period, as_of=self.clock.at))
        await self.follow(IssueInvoices)
        return next(
            row
            for row in await self.rows(invoices)
            if row["lease_id"] == made.lease_id and row["invoice_id"] not in known
        )

    async def follow(self, command: type[Message]) -> None:
        """Deliver the commands in the outbox, as the relay would; the inbox takes each once."""
        for row in await self.rows(outbox):
            if row["topic"] == command.topic:
                body = command.model_validate_json(row["body"])
                ids = {name: row[name] for name in ("message_id", "correlation_id")}
                assert await deliver(self.transactions, router, body, **ids) in {"done", "repeat"}

    async def enrol(
        self, lease_id: UUID, method_ref: str = "pm_card_visa", *, from_on: date = date(2026, 11, 1)
    ) -> None:
        method = Method("stripe", "cus_ann", method_ref)
        async with self.transactions.command("enrol") as tx:
            await enrol(tx, lease_id, method, from_on)

    async def billed_and_enrolled(self, method_ref: str = "pm_card_visa") -> dict[str, Any]:
        invoice = await self.bill()
        await self.enrol(invoice["lease_id"], method_ref)
        return invoice

    async def trigger(self, **changes: Any) -> AutopayDue:
        """The day's trigger, and every chunk it asks for."""
        values = {"occurrence_id": new_id(), "schedule_key": "autopay", "as_of": self.clock.at}
        due = AutopayDue(**values | changes)
        await deliver(self.transactions, router, due, message_id=due.occurrence_id)
        await self.follow(ChargeAutopay)
        return due

    async def planned(self, method_ref: str = "pm_card_visa") -> dict[str, Any]:
        """An invoice whose charge is planned."""
        invoice = await self.billed_and_enrolled(method_ref)
        await self.trigger()
        return invoice

    def gateway(self) -> StripeGateway:
        return StripeGateway(SECRET_KEY, base_url=self.stripe.url, timeout=0.5)

    def collector(
        self, gateways: Mapping[str, PaymentGateway] | None = None, collecting: Collecting = QUICK
    ) -> Collector:
        return Collector(
            transactions=self.transactions,
            dsn=driver_url(self.url),
            gateways={"stripe": self.gateway()} if gateways is None else gateways,
            metrics=CollectorMetrics(CollectorRegistry()),
            collecting=collecting,
        )

    async def collect(self) -> int:
        """Deal with everything that is due; how many charges that were."""
        gateway = self.gateway()
        collector, count = self.collector({"stripe": gateway}), 0
        await collector.recover()
        while await collector.collect_next():
            count += 1
        await gateway.close()
        return count

    @asynccontextmanager
    async def collecting(self, collecting: Collecting = QUICK) -> AsyncIterator[Collector]:
        """A collector that runs beside the test."""
        collector = self.collector(collecting=collecting)
        task = asyncio.create_task(collector.run())
        try:
            yield collector
        finally:
            collector.stop()
            async with asyncio.timeout(10):
                await task

    async def later(self, **duration: Any) -> int:
        """Let time pass, then deal with what is due."""
        self.clock.at += timedelta(**duration)
        return await self.collect()

    async def pay(self, invoice: dict[str, Any], amount_cents: int, reference: str = "CHK-1") -> None:
        async with self.transactions.command("pay") as tx:
            new = NewPayment(
                reference=reference,
                invoice=str(invoice["invoice_id"]),
                amount_cents=amount_cents,
                received_on=date(2026, 12, 1),
                method="check",
            )
            await record_payment(tx, new)

    async def charges(self) -> list[dict[str, Any]]:
        found = await self.rows(autopay_charges)
        return sorted(found, key=lambda row: (row["invoice_id"], row["attempt"]))

    async def charge(self) -> dict[str, Any]:
        [found] = await self.charges()
        return found

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.charges()]

    async def payments(self) -> list[dict[str, Any]]:
        return await self.rows(payments)

    async def enrolments(self) -> list[dict[str, Any]]:
        return await self.rows(autopay_enrolments)

    async def invoice(self, invoice: dict[str, Any]) -> dict[str, Any]:
        return next(row for row in await self.rows(invoices) if row["invoice_id"] == invoice["invoice_id"])

    async def all_are(self, state: str) -> bool:
        return set(await self.states()) == {state}

    async def stories(self, topic: str) -> list[UUID]:
        """The correlation ids of what was said."""
        return [row["correlation_id"] for row in await self.rows(outbox) if row["topic"] == topic]

    async def said(self, topic: str) -> list[dict[str, Any]]:
        return [payload for found, payload in await emitted(self.transactions) if found == topic]

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        async with self.transactions.engine.connect() as connection:
            return [row._asdict() for row in await connection.execute(sa.select(table))]
