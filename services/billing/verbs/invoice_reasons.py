"""`propman billing explain invoice` and `explain lease`."""

from datetime import date
from typing import Annotated, Any

import typer

from services.billing.domain.invoices import Line
from services.billing.handlers.explaining import (
    DECISIVE,
    InvoiceExplained,
    LeaseExplained,
    explain_invoice,
    explain_lease,
)
from services.billing.verbs.database import opened, unknown_invoice, unknown_lease
from shared.cli import App, IdArgument, JsonOption, date_option, print_json, print_record, print_table, say
from shared.money import format_cents

OnOption = Annotated[
    date | None, date_option("--on", help="As of this day; by default today, at the property.")
]
MOST_GAPS = 12


def add_to(explain: App) -> None:
    """Give the group its commands."""
    explain.command()(invoice)
    explain.command()(lease)


async def invoice(
    invoice_id: Annotated[str, typer.Argument(metavar="INVOICE", help="Its number or its id.")],
    on: OnOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say how an invoice came about: which terms, which days, which formula, and why it is due when it is.

    \b
    Examples:
      propman billing explain invoice INV-2026-000012
      propman billing explain invoice INV-2026-000012 --on 2026-12-15 --json
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        found = await explain_invoice(connection, invoice_id, on=on, as_of=transactions.clock.now())
    if found is None:
        raise unknown_invoice(invoice_id)
    if as_json:
        print_json(_invoice_json(found))
    else:
        _print_invoice(found)


async def lease(lease_id: IdArgument, on: OnOption = None, as_json: JsonOption = False) -> None:
    r"""Say whether a lease is billed for the period a day lies in, and why, or why not.

    Names the policy that decides, what the invoice would be, and earlier periods that have none.

    \b
    Examples:
      propman billing explain lease 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
      propman billing explain lease 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --on 2026-12-01
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        found = await explain_lease(connection, lease_id, on=on, as_of=transactions.clock.now())
    if found is None:
        raise unknown_lease(lease_id)
    if as_json:
        print_json(_lease_json(found))
    else:
        _print_lease(found)


def _invoice_json(found: InvoiceExplained) -> dict[str, Any]:
    item = found.invoice
    return {
        "invoice": item.number,
        "state": item.state,
        "lease_id": item.lease_id,
        "account_id": item.account_id,
        "period": item.period,
        "period_starts_on": item.period_starts_on,
        "period_ends_on": item.period_ends_on,
        "issued_on": item.issued_on,
        "due_on": item.due_on,
        "due_because": found.due_because,
        "first_fee_on": found.first_fee_on,
        "proration": found.policy.proration,
        "lines": [_line(line) for line in found.lines],
        "total_cents": item.total_cents,
        "on": found.on,
        "open_cents": found.open_cents,
        "void_reason": item.void_reason,
        "replaced_by": found.replaced_by,
    }


def _print_invoice(found: InvoiceExplained) -> None:
    item, money = found.invoice, found.invoice.currency
    first_fee = found.first_fee_on or "never: its policy has no late fee"
    print_record(
        {
            "invoice": f"{item.number}, {item.state}",
            "lease": item.lease_id,
            "for": f"{item.period_starts_on} to {item.period_ends_on}, both included",
            "issued on": f"{item.issued_on}, under the policy of {item.period_starts_on}, which it keeps",
            "due on": f"{item.due_on}: {found.due_because}",
            "first late fee possible on": first_fee,
            "parts of a month": found.policy.proration,
            "total": format_cents(item.total_cents, money),
            f"open on {found.on}": format_cents(found.open_cents, money),
        }
    )
    _print_lines(found.lines, money)
    if item.state == "void":
        now = f"its period has {found.replaced_by}" if found.replaced_by else "its period has no invoice"
        say(f"Voided on {item.voided_on}: {item.void_reason}; {now}.")


def _lease_json(found: LeaseExplained) -> dict[str, Any]:
    draft = found.draft
    return {
        "lease_id": found.terms.lease_id,
        "account_id": found.terms.account_id,
        "on": found.on,
        "period": found.period.label,
        "period_starts_on": found.period.starts_on,
        "period_ends_on": found.period.ends_on,
        "verdict": found.reason.verdict,
        "because": found.reason.text,
        "policy": {name: getattr(found.policy, name) for name in DECISIVE},
        "policy_from": {name: _origin(found, name) for name in DECISIVE},
        "would_be": draft
        and {
            "due_on": draft.due_on,
            "first_fee_on": draft.first_fee_on,
            "lines": [_line(line) for line in draft.lines],
            "total_cents": draft.total_cents,
        },
        "problems": found.problems,
        "not_billed": [period.text for period in found.gaps],
    }


def _print_lease(found: LeaseExplained) -> None:
    terms, draft = found.terms, found.draft
    print_record(
        {
            "lease": f"{terms.lease_id}, unit {terms.unit_label}",
            "in force": f"from {terms.starts_on} " + (f"to {terms.last_on}" if terms.last_on else "on"),
            "rent": f"{format_cents(terms.rent_on(found.on), terms.currency)} {terms.frequency}",
            "period": f"{found.period.starts_on} to {found.period.ends_on}",
            "billed": f"{found.reason.verdict}: {found.reason.text}",
        }
        | {name: f"{_word(getattr(found.policy, name))} ({_origin(found, name)})" for name in DECISIVE}
    )
    if draft is not None:
        print_record({"would be": format_cents(draft.total_cents, terms.currency), "due on": draft.due_on})
        _print_lines(draft.lines, terms.currency)
    for problem in found.problems:
        say(f"It cannot be billed: {problem}.")
    if found.gaps:
        names = ", ".join(period.text for period in found.gaps[:MOST_GAPS])
        more = f" and {len(found.gaps) - MOST_GAPS} more" if len(found.gaps) > MOST_GAPS else ""
        say(f"Not billed either: {names}{more}. A month is billed by its name, with --month.")


def _word(value: object) -> object:
    """A field of a policy as people say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else value


def _origin(found: LeaseExplained, name: str) -> str:
    version = found.origins.get(name)
    return "by default" if version is None else f"{version.scope} policy, version {version.version}"


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "description": line.description,
        "amount_cents": line.amount_cents,
        "formula": line.formula,
    }


def _print_lines(lines: Any, currency: str) -> None:
    rows = [[line.description, format_cents(line.amount_cents, currency), line.formula] for line in lines]
    print_table(["line", "amount", "how"], rows)
