"""`propman billing record-payment`, `credit` and `payments`: what was received, and where it went."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import typer

from services.billing.domain.payments import GOODWILL, PaymentRefused
from services.billing.handlers.payments import AccountUnknown, Booked, InvoiceUnknown, NewPayment, booked_as
from services.billing.handlers.payments import record_payment as book
from services.billing.handlers.settling import read_accounts
from services.billing.store import LeaseStore, PaymentStore
from services.billing.store.payments import PaymentReversal
from services.billing.verbs.amounts import AmountOption, cents_in
from services.billing.verbs.database import (
    changing,
    reading,
    unknown_invoice,
    unknown_lease,
    unknown_payment,
)
from shared.cli import (
    App,
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    LeaseOption,
    LimitOption,
    UsageProblem,
    date_option,
    id_option,
    json_wanted,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
    signed,
    success,
    warning,
)
from shared.identity import new_id
from shared.money import format_cents

app = service_app("payments", "Look at payments.")


def add_to(billing: App) -> None:
    """Give billing's app its commands."""
    billing.command()(record_payment)
    billing.command()(credit)
    billing.add_typer(app)


async def record_payment(
    amount: AmountOption,
    reference: Annotated[str, typer.Option("--reference", help="The bank's or your own id; booked once.")],
    invoice: Annotated[str | None, typer.Option("--invoice", help="The invoice that was named.")] = None,
    lease: Annotated[UUID | None, id_option("--lease", help="Whose account it is for.")] = None,
    received_on: Annotated[
        date | None,
        date_option("--received-on", help="When it was received; by default today, at the property."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="check, transfer, cash, card …")] = "other",
    note: Annotated[str | None, typer.Option("--note", help="Kept with the payment.")] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Book a payment, on an invoice or on a lease. The same reference again changes nothing and says so.

    The money pays the invoice that was named, then what is open in the order of the policy. What is left is
    credit and pays the next invoice by itself. The day it was received counts, not the day it is keyed in.

    \b
    Examples:
      propman billing record-payment --invoice INV-2026-000001 --amount 1250.00 --reference CHK-1041
      propman billing record-payment --lease ID --amount 900 --reference CHK-1042 --received-on 2026-12-01
      propman billing record-payment --invoice INV-2026-000001 --amount 1250 --reference CHK-1043 --dry-run
    """
    if (invoice is None) == (lease is None):
        raise UsageProblem("Say what it is for.", remedy="Give either --invoice or --lease.")
    new = NewPayment(
        reference=reference,
        amount_cents=cents_in(amount),
        invoice=invoice,
        lease_id=lease,
        received_on=received_on,
        method=method,
        note=note,
        recorded_by=signed(by),
    )
    _report(await _book(new, dry_run=dry_run), dry_run=dry_run)


async def credit(
    lease: Annotated[UUID, id_option("--lease", help="Whose account it is for.")],
    amount: AmountOption,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the credit.")],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Your own id, so that a repeat changes nothing.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Give an account goodwill credit: it pays what is open, or the next invoice.

    \b
    Examples:
      propman billing credit --lease ID --amount 50 --reason "Two days without heating"
      propman billing credit --lease ID --amount 50 --reason "Referral" --reference REF-7 --dry-run
    """
    new = NewPayment(
        reference=reference or f"credit-{new_id()}",
        amount_cents=cents_in(amount),
        lease_id=lease,
        method=GOODWILL,
        note=reason,
        recorded_by=signed(by),
    )
    _report(await _book(new, dry_run=dry_run), dry_run=dry_run)


async def _book(new: NewPayment, *, dry_run: bool) -> Booked:
    try:
        async with changing("billing.record_payment", dry_run=dry_run) as tx:
            return await book(tx, new)
    except InvoiceUnknown:
        raise unknown_invoice(str(new.invoice)) from None
    except AccountUnknown:
        raise unknown_lease(new.lease_id) from None
    except PaymentRefused as refusal:
        raise CommandError(f"Not booked: {refusal}.") from refusal


def _report(booked: Booked, *, dry_run: bool) -> None:
    if json_wanted():
        print_json(_document(booked) | {"dry_run": dry_run})
    if booked.warning:
        warning(f"{booked.warning[0].upper()}{booked.warning[1:]}.")
    words = f"{_in_words(booked)}."
    if booked.repeated:
        success(f"Already recorded, received on {booked.payment.received_on}: {words}")
    elif dry_run:
        say(f"Dry run: this would record {words}")
    else:
        success(f"Recorded: {words}")


def _in_words(booked: Booked) -> str:
    payment, money = booked.payment, booked.payment.currency
    words = [
        f"{format_cents(part.amount_cents, money)} on {part.invoice.number}" for part in booked.parts
    ] or [f"{format_cents(payment.amount_cents, money)} on no invoice"]
    if booked.invoice:
        words.append(f"still open {format_cents(booked.balance_cents, money)} on {booked.invoice.number}")
    if payment.credit_cents:
        words.append(f"kept as credit {format_cents(payment.credit_cents, money)}")
    return ", ".join(words)


def _document(booked: Booked) -> dict[str, Any]:
    return asdict(booked.payment) | {
        "credit_cents": booked.payment.credit_cents,
        "invoice_number": booked.invoice.number if booked.invoice else None,
        "balance_cents": booked.balance_cents,
        "allocations": [
            {"invoice_number": part.invoice.number}
            | {f"{bucket}_cents": cents for bucket, cents in part.cents.items()}
            for part in booked.parts
        ],
        "repeated": booked.repeated,
        "warning": booked.warning,
    }


@app.command("list")
async def list_payments(
    lease: LeaseOption = None,
    since: Annotated[date | None, date_option("--since", help="Received on this day or later.")] = None,
    until: Annotated[date | None, date_option("--until", help="Received on this day or earlier.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List payments, those received last first.

    \b
    Examples:
      propman billing payments list --since 2026-12-01 --until 2026-12-31
      propman billing payments list --lease ID --json
    """
    async with reading() as connection:
        account_id = None if lease is None else await LeaseStore(connection).account_of(lease)
        if lease is not None and account_id is None:
            raise unknown_lease(lease)
        accounts = None if account_id is None else [account_id]
        found = await PaymentStore(connection).search(
            account_ids=accounts, since=since, until=until, limit=limit
        )
    if as_json:
        print_json([asdict(item) | {"credit_cents": item.credit_cents} for item in found])
        return
    rows = [
        [
            item.received_on,
            item.reference,
            item.method,
            *(
                format_cents(cents, item.currency)
                for cents in (item.amount_cents, item.applied_cents, item.credit_cents, item.reversed_cents)
            ),
        ]
        for item in found
    ]
    columns = ["received on", "reference", "method", "amount", "applied", "credit", "reversed"]
    print_table(columns, rows, empty="No payments.")


@app.command("show")
async def show_payment(
    payment: Annotated[str, typer.Argument(help="Its reference or its id.")], as_json: JsonOption = False
) -> None:
    r"""Show one payment: what it is on, and what of it was taken back.

    \b
    Example:
      propman billing payments show CHK-1041
    """
    async with reading() as connection:
        store = PaymentStore(connection)
        found = await store.find(payment)
        if found is None:
            raise unknown_payment(payment)
        booked = booked_as(await read_accounts(connection, [found.account_id]), found)
        reversals = await store.reversals_of([found.payment_id])
    if as_json:
        print_json(_document(booked) | {"reversals": reversals})
        return
    _print_payment(booked, reversals)


def _print_payment(booked: Booked, reversals: list[PaymentReversal]) -> None:
    payment, money = booked.payment, booked.payment.currency
    print_record(
        {
            "payment": payment.reference,
            "id": payment.payment_id,
            "account": payment.account_id,
            "received on": payment.received_on,
            "recorded at": payment.recorded_at,
            "recorded by": payment.recorded_by or "",
            "method": payment.method,
            "amount": format_cents(payment.amount_cents, money),
            "credit": format_cents(payment.credit_cents, money),
            "note": payment.note or "",
        }
    )
    parts = [
        [part.invoice.number, *(format_cents(cents, money) for cents in part.cents.values())]
        for part in booked.parts
    ]
    print_table(["on invoice", "rent", "charges", "fees"], parts, empty="On no invoice.")
    if reversals:
        rows = [
            [
                item.known_on,
                item.kind.replace("_", " "),
                format_cents(item.amount_cents, money),
                item.reference,
            ]
            for item in reversals
        ]
        print_table(["known on", "reversal", "amount", "reference"], rows)
