"""What the tests of notifications do over and over: tell of an invoice, send, look."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from services.notifications.gateways.mail import Sender as From
from services.notifications.gateways.smtp import SmtpMailer
from services.notifications.gateways.smtp_url import MailServer
from services.notifications.handlers import router
from services.notifications.rendering import Templates
from services.notifications.schema import deliveries, delivery_history, notifications
from services.notifications.sender import Sender, SenderMetrics, Sending
from shared.contracts.base import Message
from shared.contracts.billing import InvoiceCreated, InvoiceLine, PaymentRecorded
from shared.contracts.leasing import TenantContactChanged, TenantRegistered
from shared.db import driver_url
from shared.identity import new_id
from shared.link_keys import LinkKeys
from shared.messaging.transaction import Transactions
from tests.notifications.mail_server import ObedientMailServer
from tests.support.messages import deliver, deliver_batch

FROM = From("no-reply@propman.localhost", "Propman")
QUICK = Sending(poll_seconds=0.05, outage_pauses=(0.0, 0.05))


def a_tenant(tenant_id: UUID | None = None, *, version: int = 1, **fields: Any) -> TenantRegistered:
    given = {"name": "Ann Example", "email": "ann@example.com"} | fields
    return TenantRegistered(tenant_id=tenant_id or new_id(), version=version, **given)


def a_changed_tenant(tenant_id: UUID, *, version: int, **fields: Any) -> TenantContactChanged:
    return TenantContactChanged(**a_tenant(tenant_id, version=version, **fields).model_dump())


def an_invoice(*tenant_ids: UUID, **fields: Any) -> InvoiceCreated:
    given: dict[str, Any] = {
        "invoice_id": new_id(),
        "number": "INV-2026-000123",
        "lease_id": new_id(),
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "2B",
        "tenant_ids": tenant_ids,
        "period": "2026-09",
        "issued_on": date(2026, 8, 25),
        "due_on": date(2026, 9, 1),
        "currency": "USD",
        "total_cents": 155_000,
        "lines": (
            InvoiceLine(kind="rent", description="Rent", amount_cents=150_000),
            InvoiceLine(kind="charge", description="Parking", amount_cents=5_000),
        ),
    }
    return InvoiceCreated(**(given | fields))


def a_payment(*tenant_ids: UUID, **fields: Any) -> PaymentRecorded:
    given: dict[str, Any] = {
        "payment_id": new_id(),
        "reference": "CHK-77",
        "invoice_id": new_id(),
        "invoice_number": "INV-2026-000123",
        "lease_id": new_id(),
        "property_id": new_id(),
        "tenant_ids": tenant_ids,
        "currency": "USD",
        "amount_cents": 100_000,
        "balance_cents": 55_000,
        "received_on": date(2026, 9, 2),
    }
    return PaymentRecorded(**(given | fields))


@dataclass
class Office:
    """Notifications at work: its handlers, its sender and its tables."""

    transactions: Transactions
    url: str
    mail_server: ObedientMailServer
    keys: LinkKeys | None = None
    """What signing links are made with."""

    async def hear(self, *messages: Message) -> None:
        """Take messages one by one through the real edge."""
        for message in messages:
            assert await deliver(self.transactions, router, message) == "done"

    async def hear_batch(self, *messages: Message) -> None:
        """Take messages of one kind together."""
        assert await deliver_batch(self.transactions, router, messages)

    async def queue_email(self, **fields: Any) -> TenantRegistered:
        """A tenant with an invoice, so that one e-mail is due."""
        tenant = a_tenant(**fields)
        await self.hear(tenant, an_invoice(tenant.tenant_id))
        return tenant

    def mailer(self, **fields: Any) -> SmtpMailer:
        server = MailServer("127.0.0.1", self.mail_server.port, **({"start_tls": "off"} | fields))
        return SmtpMailer(server, FROM, timeout=5)

    def sender(self, sending: Sending = QUICK) -> Sender:
        return Sender(
            transactions=self.transactions,
            dsn=driver_url(self.url),
            mailer=self.mailer,
            templates=Templates(),
            metrics=SenderMetrics(CollectorRegistry()),
            sending=sending,
            keys=self.keys,
        )

    @asynccontextmanager
    async def sending(self, sending: Sending = QUICK) -> AsyncIterator[Sender]:
        """A sender that runs beside the test."""
        sender = self.sender(sending)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            sender.stop()
            async with asyncio.timeout(10):
                await task

    async def send_once(self, sending: Sending = QUICK) -> None:
        """One attempt at what is due, and its outcome."""
        mailer = self.mailer()
        assert await self.sender(sending).send_next(mailer)
        await mailer.close()

    async def emails(self) -> list[dict[str, Any]]:
        return await self._rows(
            sa.select(deliveries).where(deliveries.c.channel == "email").order_by(deliveries.c.id)
        )

    async def email(self) -> dict[str, Any]:
        [row] = await self.emails()
        return row

    async def shown(self) -> list[dict[str, Any]]:
        return await self._rows(sa.select(deliveries).where(deliveries.c.channel == "in_app"))

    async def told(self) -> list[dict[str, Any]]:
        return await self._rows(sa.select(notifications).order_by(notifications.c.id))

    async def history(self) -> list[str]:
        rows = await self._rows(sa.select(delivery_history).order_by(delivery_history.c.id))
        return [row["event"] for row in rows]

    async def until(self, state: str, *, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many e-mails are in a state; return all e-mails."""
        async with asyncio.timeout(15):
            while True:
                rows = await self.emails()
                if sum(row["state"] == state for row in rows) >= count:
                    return rows
                await asyncio.sleep(0.02)

    async def change_emails(self, **values: Any) -> None:
        """What a test cannot wait for, or a crash, done to the rows."""
        async with self.transactions.engine.begin() as connection:
            await connection.execute(
                sa.update(deliveries).where(deliveries.c.channel == "email").values(**values)
            )

    async def make_due(self) -> None:
        await self.change_emails(next_attempt_at=self.transactions.clock.now() - timedelta(seconds=1))

    async def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        async with self.transactions.engine.connect() as connection:
            return [row._asdict() for row in await connection.execute(query)]
