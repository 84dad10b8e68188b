"""`propman billing quote-…`: what would be charged for terms that somebody writes down; nothing is stored."""

from typing import Annotated, Any

import typer

from services.billing.domain.quotes import InvoiceQuote, invoice_question, quote_invoice
from services.billing.verbs.documents import read_json
from shared.cli import App, JsonOption, UsageProblem, print_json, print_record, print_table
from shared.documents import BadDocument
from shared.money import plain_cents

TermsOption = Annotated[
    str,
    typer.Option("--terms", metavar="FILE", help="A JSON document with the terms; - reads standard input."),
]


def add_to(app: App) -> None:
    """Register these commands."""
    app.command("quote-invoice")(quote_one_invoice)


def quote_one_invoice(terms: TermsOption, as_json: JsonOption = False) -> None:
    r"""Say what the invoice of one month would be for the terms in a file.

    Nothing is stored, and no server is needed. Amounts are cents. Proration is actual, thirty or year365;
    a charge is monthly, quarterly, annual or once; every field but rent_cents, start_on and period may be
    left out.

    \b
    Examples:
      propman billing quote-invoice --terms lease.json
      echo '{"rent_cents": 180000, "start_on": "2025-03-15", "period": "2025-03"}' \
        | propman billing quote-invoice --json --terms -
    """
    try:
        quote = quote_invoice(invoice_question(read_json(terms, "The terms")))
    except BadDocument as problem:
        raise UsageProblem(f"The terms cannot be used: {problem}.") from problem
    if as_json:
        print_json(_quote_json(quote))
    else:
        _print_quote(quote)


def _quote_json(quote: InvoiceQuote) -> dict[str, Any]:
    lines = [
        {
            "kind": line.kind,
            "description": line.description,
            "amount_cents": line.amount_cents,
            "formula": line.formula,
        }
        for line in quote.lines
    ]
    return {
        "period": quote.period,
        "due_on": quote.due_on,
        "lines": lines,
        "total_cents": quote.total_cents,
    }


def _print_quote(quote: InvoiceQuote) -> None:
    rows = [[line.description, plain_cents(line.amount_cents), line.formula] for line in quote.lines]
    print_table(["line", "amount", "how"], rows, empty=f"The lease has no day in {quote.period}.")
    print_record({"due on": quote.due_on, "total": plain_cents(quote.total_cents)})
