"""`propman billing record-payment`."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer

from services.billing.domain.payments import PaymentRefused
from services.billing.handlers.payments import Booked, InvoiceUnknown
from services.billing.handlers.payments import record_payment as book
from services.billing.verbs.database import opened, unknown_invoice
from shared.cli import (
    App,
    CommandError,
    JsonOption,
    UsageProblem,
    date_option,
    json_wanted,
    print_json,
    success,
)
from shared.money import BadAmount, format_cents, parse_cents


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(record_payment)


async def record_payment(
    invoice: Annotated[str, typer.Option("--invoice", help="The invoice's number or id.")],
    amount: Annotated[str, typer.Option("--amount", help="In the invoice's currency, e.g. 1250.00.")],
    reference: Annotated[str, typer.Option("--reference", help="The bank's or your own id; booked once.")],
    received_on: Annotated[
        date | None,
        date_option("--received-on", help="When it was received; by default today, at the property."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="check, transfer, cash, card …")] = "other",
    as_json: JsonOption = False,
) -> None:
    r"""Book a payment on an invoice. The same reference again changes nothing and says so.

    \b
    Example:
      propman billing record-payment --invoice INV-2026-000001 --amount 1250.00 --reference CHK-1041
    """
    try:
        cents = parse_cents(amount)
    except BadAmount as error:
        raise UsageProblem(f"{error}.") from error
    async with opened() as transactions:
        try:
            async with transactions.command("billing.record_payment") as tx:
                booked = await book(
                    tx,
                    reference=reference,
                    invoice=invoice,
                    amount_cents=cents,
                    received_on=received_on,
                    method=method,
                )
        except InvoiceUnknown:
            raise unknown_invoice(invoice) from None
        except PaymentRefused as refusal:
            raise CommandError(f"Not booked: {refusal}.") from refusal
    _report_payment(booked)


def _report_payment(booked: Booked) -> None:
    payment = booked.payment
    if json_wanted():
        print_json(asdict(payment) | {"repeated": booked.repeated, "balance_cents": booked.balance_cents})
    credit = payment.amount_cents - payment.applied_cents
    words = [
        f"{format_cents(payment.amount_cents, payment.currency)} on {booked.invoice_number}",
        f"still open {format_cents(booked.balance_cents, payment.currency)}",
    ]
    if credit:
        words.append(f"kept as credit {format_cents(credit, payment.currency)}")
    success(("Already recorded: " if booked.repeated else "Recorded: ") + ", ".join(words) + ".")
