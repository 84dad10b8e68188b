"""A ledger as it was at the end of a day: the same replay, of what had happened by then."""

from collections.abc import Iterator, Mapping
from datetime import date
from uuid import UUID

from services.billing.domain.allocation import Owed, Replay
from services.billing.domain.ledgers import Ledger, LedgerInvoice
from services.billing.domain.replaying import replay


def ledger_on(ledger: Ledger, on: date, voided_on: Mapping[UUID, date]) -> Replay:
    """What an account's facts up to a day amount to.

    By the day each counts from, and not by when it was keyed in: a cheque that came on the 1st was there on
    the 2nd, although it was booked on the 10th. An invoice that was voided later was there too.
    """
    received = [item for item in ledger.payments.values() if item.received_on <= on]
    there = {item.payment_id for item in received}
    back = [item for item in ledger.reversals if item.known_on <= on and item.payment_id in there]
    return replay(_owed(ledger, on, voided_on), received, back)


def _owed(ledger: Ledger, on: date, voided_on: Mapping[UUID, date]) -> Iterator[Owed]:
    for invoice in ledger.invoices.values():
        if invoice.issued_on <= on and not _was_void(invoice, on, voided_on):
            fees = ledger.fees.get(invoice.invoice_id, ())
            yield Owed(
                invoice_id=invoice.invoice_id,
                number=invoice.number,
                issued_on=invoice.issued_on,
                due_on=invoice.due_on,
                rent_cents=invoice.rent_cents,
                charge_cents=invoice.charge_cents,
                fees=tuple(line for line in fees if line.counts_on <= on),
                order=invoice.order,
            )


def _was_void(invoice: LedgerInvoice, on: date, voided_on: Mapping[UUID, date]) -> bool:
    return invoice.kept.state == "void" and voided_on.get(invoice.invoice_id, on) <= on
