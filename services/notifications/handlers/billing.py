"""What tenants hear of money, and what of it is not true any more."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Protocol
from uuid import UUID

from services.notifications.domain.kinds import kind_of
from services.notifications.domain.notices import News, Notice, dedup_key
from services.notifications.domain.truth import OPEN, untrue
from services.notifications.handlers.telling import tell
from services.notifications.store import premises
from shared.contracts.base import Fact
from shared.contracts.billing import (
    AutopayFailed,
    CreditIssued,
    InvoiceCreated,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
    LateFeeApplied,
    LateFeeWaived,
    PaymentRecorded,
    PaymentReminderDue,
    PaymentReversed,
)
from shared.messaging.envelope import Envelope, Received
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("notifications")

SAID_BY_THE_RECEIPT = frozenset({"overpayment", "prepayment"})
"""Credit whose receipt names it already: a second message would only puzzle."""

REWARD = "reward"
"""The method of a payment for which no money was received."""


class AboutMoney(Protocol):
    """What all of billing's facts for tenants have in common."""

    @property
    def tenant_ids(self) -> tuple[UUID, ...]: ...

    @property
    def property_id(self) -> UUID: ...

    def model_dump_json(self, *, exclude: set[str]) -> str: ...


@router.on_batch(InvoiceCreated)
async def announce_invoices(batch: Sequence[Received[InvoiceCreated]], tx: Tx) -> None:
    """Tell each tenant of each invoice once, by e-mail and in the app."""
    told = (_notices("invoice", item.body, item.body.invoice_id, item.envelope) for item in batch)
    news = [_news(item.body, item.body.invoice_id, item.body.property_id, item.envelope) for item in batch]
    await tell(tx, list(chain.from_iterable(told)), news)


@router.on(PaymentRecorded)
async def send_receipts(fact: PaymentRecorded, tx: Tx) -> None:
    """Tell each tenant of the lease that the payment arrived; a redeemed reward they are told as one."""
    if fact.method == REWARD:
        await tell(tx, [], [_news(fact, fact.payment_id, fact.property_id, tx.cause)])
    else:
        await _tell_tenants(tx, "receipt", fact, fact.payment_id)


@router.on(InvoiceOverdue)
async def tell_of_overdue(fact: InvoiceOverdue, tx: Tx) -> None:
    """Tell each tenant that an invoice was not paid in time."""
    await _tell_tenants(tx, "overdue", fact, fact.invoice_id)


@router.on(InvoicePaid)
async def drop_what_is_paid(fact: InvoicePaid, tx: Tx) -> None:
    """Let nothing that still waits ask for money that has arrived."""
    await premises.note(tx.connection, [fact.invoice_id], "paid", said_at(tx))
    await tell(tx, [], [_news(fact, fact.invoice_id, fact.property_id, tx.cause)])


@router.on(InvoiceVoided)
async def tell_of_void(fact: InvoiceVoided, tx: Tx) -> None:
    """Tell each tenant that an invoice no longer counts, and ask for none of it any more."""
    await premises.note(tx.connection, [fact.invoice_id], "voided", said_at(tx))
    await _tell_tenants(tx, "invoice_voided", fact, fact.invoice_id)


@router.on(LateFeeApplied)
async def tell_of_late_fee(fact: LateFeeApplied, tx: Tx) -> None:
    """Tell each tenant of a fee with its reason and its formula, or that one was taken back."""
    template = "late_fee" if fact.amount_cents > 0 else "late_fee_waived"
    await _tell_tenants(tx, template, fact, fact.fee_id)


@router.on(LateFeeWaived)
async def tell_of_waiver(fact: LateFeeWaived, tx: Tx) -> None:
    """Tell each tenant that a fee was waived."""
    await _tell_tenants(tx, "late_fee_waived", fact, fact.fee_id)


@router.on(PaymentReversed)
async def tell_of_reversal(fact: PaymentReversed, tx: Tx) -> None:
    """Tell each tenant that a payment did not stand; the invoices it had paid are open again.

    Of a reward they hear that it is back on their balance, and not of a payment that they never made.
    """
    if fact.reopened_invoice_ids:
        await premises.note(tx.connection, fact.reopened_invoice_ids, OPEN, said_at(tx))
    if fact.method == REWARD:
        await tell(tx, [], [_news(fact, fact.reversal_id, fact.property_id, tx.cause)])
    else:
        await _tell_tenants(tx, "payment_reversed", fact, fact.reversal_id)


@router.on(CreditIssued)
async def tell_of_credit(fact: CreditIssued, tx: Tx) -> None:
    """Tell each tenant of money that waits for their next invoice, unless its receipt has said so."""
    if fact.reason in SAID_BY_THE_RECEIPT:
        await tell(tx, [], [_news(fact, fact.credit_id, fact.property_id, tx.cause)])
    else:
        await _tell_tenants(tx, "credit", fact, fact.credit_id)


@router.on(PaymentReminderDue)
async def remind(fact: PaymentReminderDue, tx: Tx) -> None:
    """Remind one tenant of what is due, unless it was paid before this arrived."""
    standing = await premises.standing(tx.connection, [item.invoice_id for item in fact.items])
    context = fact.model_dump_json()
    notice = Notice(
        category=kind_of("reminder").category,
        template="reminder",
        dedup_key=dedup_key("reminder", fact.reminder_id, fact.tenant_id),
        source_message_id=tx.cause.message_id,
        correlation_id=tx.cause.correlation_id,
        context=context,
        tenant_id=fact.tenant_id,
        property_id=fact.property_id,
        untrue=untrue("reminder", json.loads(context), standing, fact.as_of_on),
    )
    await tell(tx, [notice], [_news(fact, fact.reminder_id, fact.property_id, tx.cause)])


@router.on(AutopayFailed)
async def tell_of_failed_autopay(fact: AutopayFailed, tx: Tx) -> None:
    """Tell each tenant that a charge did not go through, while there is something to pay."""
    await _tell_tenants(tx, "autopay_failed", fact, fact.charge_id)


async def _tell_tenants(tx: Tx, template: str, fact: Any, subject_id: UUID) -> None:
    standing: Any = {}
    if kind_of(template).premise is not None:
        standing = await premises.standing(tx.connection, [fact.invoice_id])
    told = list(_notices(template, fact, subject_id, tx.cause, standing))
    await tell(tx, told, [_news(fact, subject_id, fact.property_id, tx.cause)])


def _notices(
    template: str, fact: AboutMoney, subject_id: UUID, envelope: Envelope, standing: Any = None
) -> Iterator[Notice]:
    context = fact.model_dump_json(exclude={"tenant_ids"})
    reason = untrue(template, json.loads(context), standing, None) if standing else None
    for tenant_id in fact.tenant_ids:
        yield Notice(
            category=kind_of(template).category,
            template=template,
            dedup_key=dedup_key(template, subject_id, tenant_id),
            source_message_id=envelope.message_id,
            correlation_id=envelope.correlation_id,
            context=context,
            tenant_id=tenant_id,
            property_id=fact.property_id,
            untrue=reason,
        )


def _news(fact: Fact, subject_id: UUID, property_id: UUID, envelope: Envelope) -> News:
    """What the office may want to hear of a fact, under the name of the fact."""
    event = event_of(type(fact))
    said = fact.model_dump(mode="json", exclude={"tenant_ids"}) | {"event": event}
    return News(
        event,
        subject_id,
        envelope.message_id,
        envelope.correlation_id,
        json.dumps(said),
        property_id,
    )


def event_of(contract: type[Fact]) -> str:
    """What people call a fact: `invoice_overdue`."""
    return contract.topic.split(".")[1]


def said_at(tx: Tx) -> datetime:
    """When a fact was said: the time in its id, where that is a UUIDv7 (RFC 9562, section 5.7).

    Two facts of one invoice come through two queues, so that the order of arrival means nothing.
    """
    identity = tx.cause.message_id
    if identity.version == 7:
        return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC)
    return tx.at
