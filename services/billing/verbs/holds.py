"""`propman billing holds`."""

from datetime import date
from typing import Annotated
from uuid import UUID

import typer

from services.billing.domain.holds import KINDS, HoldRefused, Kind, PlacedHold, Scope
from services.billing.handlers.holds import HoldUnknown, Window, end_hold, place_hold
from services.billing.store import HoldStore, InvoiceStore
from services.billing.verbs.database import changing, opened, unknown_invoice
from shared.cli import (
    ByOption,
    CommandError,
    DryRunOption,
    IdArgument,
    JsonOption,
    LeaseOption,
    LimitOption,
    PropertyOption,
    UsageProblem,
    date_option,
    print_json,
    print_table,
    service_app,
    signed,
    success,
)
from shared.messaging.transaction import Transactions

app = service_app("holds", "Windows in which nobody is charged for being late, or reminded.")

InvoiceOption = Annotated[str | None, typer.Option("--invoice", help="Only this invoice, by number or id.")]


@app.command("list")
async def list_holds(
    property_id: PropertyOption = None,
    lease_id: LeaseOption = None,
    over: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List the holds that are not over, the newest first.

    \b
    Examples:
      propman billing holds list
      propman billing holds list --all --json
    """
    async with opened() as transactions, transactions.engine.connect() as connection:
        on = None if over else transactions.clock.now().date()
        found = await HoldStore(connection).listed(on=on, scope_id=property_id or lease_id, limit=limit)
    if as_json:
        print_json(found)
        return
    names = ("starts_on", "ends_on", "kind", "scope", "scope_id", "reason", "placed_by", "hold_id")
    rows = [[getattr(item, name) for name in names] for item in found]
    columns = ["from", "to", "kind", "on a", "which", "reason", "placed by", "hold"]
    print_table(columns, rows, empty="No holds.")


@app.command("place")
async def place(
    kind: Annotated[str, typer.Option("--kind", help="dispute, moratorium, payment_plan or emergency.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in words.")],
    starts_on: Annotated[date, date_option("--from", help="The first day of the window.")],
    ends_on: Annotated[
        date | None, date_option("--to", help="The last day; without it, until it is ended.")
    ] = None,
    property_id: PropertyOption = None,
    lease_id: LeaseOption = None,
    invoice: InvoiceOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Hold a property, a lease or an invoice: no fee falls inside the window, and no reminder.

    Days inside do not count afterwards either, unless the policy says that they do. What was charged for
    days inside is taken back by the next run.

    \b
    Examples:
      propman billing holds place --invoice INV-2026-000001 --kind dispute --from 2026-03-05 \
        --reason "Broken heating"
      propman billing holds place --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --kind emergency \
        --from 2026-03-05 --to 2026-03-20 --reason "Flood"
    """
    async with opened() as transactions:
        scope, scope_id = await _scope(transactions, property_id, lease_id, invoice)
    window = Window(scope, scope_id, _kind(kind), starts_on, ends_on)
    try:
        async with changing("billing.place_hold", dry_run=dry_run) as tx:
            hold, repeated = await place_hold(tx, window, reason=reason, by=signed(by))
    except HoldRefused as refusal:
        raise UsageProblem(f"Not held: {refusal}.") from refusal
    word = "Dry run, would be held" if dry_run else "Held"
    _tell(hold, "Already held" if repeated else word, as_json=as_json)


@app.command("end")
async def end(
    hold: IdArgument,
    on: Annotated[date | None, date_option("--on", help="Its last day; by default today, in UTC.")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""End a hold. An end is only ever brought forward.

    \b
    Example:
      propman billing holds end 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80 --on 2026-03-12
    """
    async with opened() as transactions:
        try:
            async with transactions.command("billing.end_hold") as tx:
                found = await end_hold(tx, hold, on or tx.at.date())
        except HoldUnknown:
            raise UsageProblem(
                f"There is no hold {hold}.", remedy="See `propman billing holds list --all`."
            ) from None
        except HoldRefused as refusal:
            raise CommandError(f"Not ended: {refusal}.") from refusal
    _tell(found, "Held", as_json=as_json)


async def _scope(
    transactions: Transactions, property_id: UUID | None, lease_id: UUID | None, invoice: str | None
) -> tuple[Scope, UUID]:
    if sum(given is not None for given in (property_id, lease_id, invoice)) != 1:
        raise UsageProblem("Say what to hold.", remedy="Give one of --property, --lease and --invoice.")
    if property_id is not None:
        return "property", property_id
    if lease_id is not None:
        return "lease", lease_id
    async with transactions.engine.connect() as connection:
        found = await InvoiceStore(connection).find(str(invoice))
    if found is None:
        raise unknown_invoice(str(invoice))
    return "invoice", found.invoice_id


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if kind == text.replace("-", "_"):
            return kind
    raise UsageProblem(f"{text!r} is no kind of hold.", remedy=f"Choose one of {', '.join(KINDS)}.")


def _tell(hold: PlacedHold, word: str, *, as_json: bool) -> None:
    if as_json:
        print_json(hold)
    until = f"to {hold.ends_on}" if hold.ends_on else "until it is ended"
    what = f"{hold.kind} on {hold.scope} {hold.scope_id}"
    success(f"{word}: {what} from {hold.starts_on} {until} ({hold.hold_id}).")
