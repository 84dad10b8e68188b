"""Invoices to remind of, and runs of reminders as the service does them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.billing.domain.policies import BillingPolicy, terms_id
from services.billing.handlers import router
from services.billing.schema import accounts, invoice_lines, invoices
from services.billing.store import PolicyStore
from shared.contracts.billing import SendReminders
from shared.contracts.scheduler import PaymentRemindersDue
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.runs import of_topic
from tests.support.builders import a_property
from tests.support.messages import deliver

REMINDER = "billing.payment_reminder_due.v1"
SEND = "billing.send_reminders.v1"
DUE = date(2026, 12, 10)


def noon(day: date) -> datetime:
    """Noon of a day in New York, in winter."""
    return datetime(day.year, day.month, day.day, 17, tzinfo=UTC)


async def a_place(transactions: Transactions, **changes: Any) -> UUID:
    """A property that billing knows."""
    place = a_property(**changes)
    await deliver(transactions, router, place)
    return place.property_id


async def an_invoice(transactions: Transactions, place: UUID, **changes: Any) -> dict[str, Any]:
    """$1,500.00 of rent, issued on the first and due on the tenth of December 2026."""
    policy = changes.pop("policy", BillingPolicy())
    account = changes.pop("account_id", None) or new_id()
    values: dict[str, Any] = {
        "invoice_id": new_id(),
        "number": f"INV-{new_id()}",
        "account_id": account,
        "lease_id": account,
        "property_id": place,
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": [new_id()],
        "period": "2026-12",
        "period_starts_on": date(2026, 12, 1),
        "period_ends_on": date(2026, 12, 31),
        "issued_on": date(2026, 12, 1),
        "due_on": DUE,
        "currency": "USD",
        "terms_id": terms_id(policy),
        "total_cents": 150_000,
        "rent_cents": 150_000,
        "charge_cents": 0,
        "next_reminder_on": date(2026, 12, 1),
        "created_at": noon(date(2026, 12, 1)),
    }
    values |= changes
    rent = {"position": 1, "kind": "rent", "bucket": "rent", "description": "Rent", "amount_cents": 150_000}
    async with transactions.command("test") as tx:
        await PolicyStore(tx.connection).keep([policy])
        ledger = insert(accounts).values(account_id=account, currency=values["currency"])
        await tx.connection.execute(ledger.on_conflict_do_nothing())
        await tx.connection.execute(sa.insert(invoices).values(values))
        await tx.connection.execute(
            sa.insert(invoice_lines).values(rent | {"invoice_id": values["invoice_id"]})
        )
    return values


def reminders_due(day: date, **changes: Any) -> PaymentRemindersDue:
    """The trigger, at noon of a day."""
    values: dict[str, Any] = {
        "occurrence_id": new_id(),
        "schedule_key": "payment-reminders",
        "as_of": noon(day),
        "origin": "schedule",
    }
    return PaymentRemindersDue(**values | changes)


async def remind(transactions: Transactions, day: date, **changes: Any) -> list[dict[str, Any]]:
    """The trigger and every chunk it asked for; the reminders that were said by it."""
    before, orders = len(await of_topic(transactions, REMINDER)), len(await of_topic(transactions, SEND))
    await deliver(transactions, router, reminders_due(day, **changes))
    for command in (await of_topic(transactions, SEND))[orders:]:
        await deliver(transactions, router, SendReminders.model_validate(command))
    return (await of_topic(transactions, REMINDER))[before:]


async def change(transactions: Transactions, invoice: dict[str, Any], **values: Any) -> None:
    """Something about an invoice is otherwise now."""
    async with transactions.command("test") as tx:
        await tx.connection.execute(
            sa.update(invoices).where(invoices.c.invoice_id == invoice["invoice_id"]).values(values)
        )


async def next_look(transactions: Transactions, invoice: dict[str, Any]) -> date | None:
    """When an invoice is looked at again."""
    async with transactions.engine.connect() as connection:
        found: date | None = await connection.scalar(
            sa.select(invoices.c.next_reminder_on).where(invoices.c.invoice_id == invoice["invoice_id"])
        )
        return found
