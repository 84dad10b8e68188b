"""`propman billing explain fee`: why an invoice has the late fees it has, and why not more, or none."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.fee_explaining import explain
from services.billing.domain.fee_postings import Postings, postings
from services.billing.domain.lawful_policies import profile_of
from services.billing.domain.policies import BillingPolicy
from services.billing.handlers.late_fees import case_of
from services.billing.jurisdictions import profiles
from services.billing.store import FeeStore, InvoiceStore, LeaseStore, PolicyStore
from services.billing.store.fees import LateInvoice
from services.billing.verbs.database import opened, unknown_invoice
from shared.cli import App, CommandError, JsonOption, date_option, print_json, print_record, print_table, say
from shared.clock import local_date
from shared.documents import BadDocument
from shared.money import format_cents


def add_to(explain_app: App) -> None:
    """Give the `explain` group its command."""
    explain_app.command("fee")(explain_fee)


@dataclass(frozen=True, slots=True)
class Reasons:
    """What an invoice owes for being late at a date, what was posted of it, and why."""

    invoice: LateInvoice
    on: date
    owed: Postings
    why: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether a run would still post something for that date."""
        posted = sum(line.amount_cents for line in self.invoice.lines if line.counts_on <= self.on)
        return posted != self.owed.total_cents


async def explain_fee(
    invoice: Annotated[str, typer.Argument(help="Its number or its id.")],
    on: Annotated[
        date | None, date_option("--on", help="As of this day; by default today, at the property.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Say which rule, which dates and which money led to an invoice's late fees, or why there are none.

    \b
    Examples:
      propman billing explain fee INV-2026-000001
      propman billing explain fee INV-2026-000001 --on 2026-03-31 --json
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        found = await _late_invoice(connection, invoice)
        if on is None:
            zone = await LeaseStore(connection).time_zone_of(found.lease_id)
            on = local_date(transactions.clock.now(), zone or "UTC")
        policies = await PolicyStore(connection).snapshots([found.terms_id])
    try:
        reasons = reasons_of(found, policies[found.terms_id], on)
    except BadDocument as problem:
        raise CommandError(f"{found.number} cannot be judged: {problem}.") from problem
    if as_json:
        print_json(_document(reasons))
    else:
        _show(reasons)


async def _late_invoice(connection: AsyncConnection, invoice: str) -> LateInvoice:
    known = await InvoiceStore(connection).find(invoice)
    found = await FeeStore(connection).one(known.invoice_id) if known else None
    if found is None:
        raise unknown_invoice(invoice)
    if found.state == "void":
        raise CommandError(f"{found.number} is void: it owes nothing, and earns no fee.")
    return found


def reasons_of(invoice: LateInvoice, policy: BillingPolicy, on: date) -> Reasons:
    """Why an invoice owes what it owes at a date; raises `BadDocument` for a law there is no profile of."""
    case, profile = case_of(invoice, policy), profile_of(policy, profiles())
    owed = postings(case, on, profile)
    return Reasons(invoice, on, owed, explain(case, owed.found, profile))


def _document(reasons: Reasons) -> dict[str, Any]:
    found = reasons.owed.found
    return {
        "invoice": reasons.invoice.number,
        "on": reasons.on,
        "first_fee_on": found.first_fee_on,
        "total_fee_cents": found.total_fee_cents,
        "interest_cents": found.interest_cents,
        "capped_by": found.capped_by,
        "next_check_on": reasons.owed.next_on,
        "owed": reasons.owed.lines,
        "posted": reasons.invoice.lines,
        "explain": reasons.why,
    }


def _show(reasons: Reasons) -> None:
    invoice, found = reasons.invoice, reasons.owed.found
    print_record(
        {
            "invoice": invoice.number,
            "on": reasons.on,
            "due on": invoice.due_on,
            "first possible fee": found.first_fee_on,
            "late fees": format_cents(found.total_fee_cents, invoice.currency),
            "interest accrued": format_cents(found.interest_cents, invoice.currency),
        }
    )
    print_table(["why"], [[line] for line in reasons.why])
    money = invoice.currency
    rows = [
        [line.counts_on, line.kind, line.rule, format_cents(line.amount_cents, money), line.formula]
        for line in invoice.lines
    ]
    print_table(["posted for", "kind", "rule", "amount", "formula"], rows, empty="Nothing was posted yet.")
    if reasons.differs:
        say("What was posted differs from what is owed: `propman billing apply-late-fees` posts the rest.")
