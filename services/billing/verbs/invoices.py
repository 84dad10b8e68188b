"""`propman billing invoices`: looking at what was issued."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from services.billing.store import InvoiceStore, PaymentStore
from services.billing.store.invoices import Invoice
from services.billing.verbs.database import reading, unknown_invoice
from shared.cli import (
    JsonOption,
    LimitOption,
    MonthOption,
    PropertyOption,
    UsageProblem,
    print_json,
    print_record,
    print_table,
    service_app,
)
from shared.money import format_cents

app = service_app("invoices", "Look at invoices.")


@app.command("list")
async def list_invoices(
    month: MonthOption = None,
    property_id: PropertyOption = None,
    state: Annotated[str | None, typer.Option("--state", help="open, paid or void.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List invoices, newest first.

    \b
    Examples:
      propman billing invoices list --month 2026-12
      propman billing invoices list --state open --json
    """
    if state not in {None, "open", "paid", "void"}:
        raise UsageProblem(f"{state!r} is not a state.", remedy="Choose open, paid or void.")
    async with reading() as connection:
        found = await InvoiceStore(connection).search(
            period=month, property_id=property_id, state=state, limit=limit
        )
    if as_json:
        print_json([_invoice_json(item) for item in found])
        return
    rows = [
        [
            item.number,
            item.unit_label,
            item.period,
            item.due_on,
            format_cents(item.total_cents, item.currency),
            format_cents(item.balance_cents, item.currency),
            item.state,
        ]
        for item in found
    ]
    print_table(["number", "unit", "month", "due", "total", "open", "state"], rows, empty="No invoices.")


@app.command("show")
async def show_invoice(
    invoice: Annotated[str, typer.Argument(help="Its number or its id.")], as_json: JsonOption = False
) -> None:
    r"""Show one invoice with its lines and payments.

    \b
    Example:
      propman billing invoices show INV-2026-000001
    """
    async with reading() as connection:
        found = await InvoiceStore(connection).find(invoice)
        if found is None:
            raise unknown_invoice(invoice)
        lines = await InvoiceStore(connection).lines(found.invoice_id)
        paid = await PaymentStore(connection).of_invoice(found.invoice_id)
    if as_json:
        print_json(_invoice_json(found) | {"lines": lines, "payments": paid})
        return
    money = found.currency
    print_record(
        {
            "invoice": found.number,
            "id": found.invoice_id,
            "unit": found.unit_label,
            "month": found.period,
            "issued on": found.issued_on,
            "due on": found.due_on,
            "state": found.state,
            "total": format_cents(found.total_cents, money),
            "open": format_cents(found.balance_cents, money),
        }
    )
    print_table(
        ["line", "amount", "how"],
        [[line.description, format_cents(line.amount_cents, money), line.formula] for line in lines],
    )
    if paid:
        rows = [
            [item.received_on, item.reference, item.method, format_cents(item.amount_cents, money)]
            for item in paid
        ]
        print_table(["received on", "reference", "method", "amount"], rows)


def _invoice_json(invoice: Invoice) -> dict[str, Any]:
    return asdict(invoice) | {"balance_cents": invoice.balance_cents}
