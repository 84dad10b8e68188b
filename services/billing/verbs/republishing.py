"""`propman billing republish`."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.billing.handlers.republishing import Page, republish_invoices, republish_payments
from services.billing.store import InvoiceStore, RepeatStore
from services.billing.store.invoices import Selection
from services.billing.verbs.database import opened
from shared.cli import (
    App,
    DryRunOption,
    JsonOption,
    MonthOption,
    Progress,
    PropertyOption,
    counted,
    json_wanted,
    print_json,
    progress,
    success,
)
from shared.messaging.transaction import Transactions, Tx

_SayPage = Callable[[Tx, Selection, UUID | None], Awaitable[Page]]


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(republish)


async def republish(
    month: MonthOption = None,
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Say again what was invoiced and paid, for a consumer that was added later or has lost some.

    Each invoice is said as it was issued, with its fees and waivers, then whether its rent is covered, and
    it is paid or void; each payment, with what it has paid and what is open as they are now, and what of it
    was taken back. Who has heard of it knows it by its id: nobody is told twice. With --month: invoices of
    that month, and payments received in it. The facts leave while the service runs.

    \b
    Examples:
      propman billing republish --dry-run
      propman billing republish --month 2026-12
    """
    selection = Selection(month, property_id)
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            invoices = await InvoiceStore(connection).count(selection)
            payments = await RepeatStore(connection).count_payments(selection)
        if not dry_run:
            with progress(invoices + payments, "Publishing again") as bar:
                for say_page in (republish_invoices, republish_payments):
                    await _say_all(transactions, say_page, selection, bar)
    if json_wanted():
        print_json({"invoices": invoices, "payments": payments, "dry_run": dry_run})
    be = "would be" if dry_run else "are"
    said = f"{counted(invoices, 'invoice')} and {counted(payments, 'payment')}"
    success(f"{said} {be} published again.")


async def _say_all(
    transactions: Transactions, say_page: _SayPage, selection: Selection, bar: Progress
) -> None:
    """Page by page, each in its own transaction."""
    after: UUID | None = None
    while True:
        async with transactions.command("billing.republish") as tx:
            page = await say_page(tx, selection, after)
        bar.advance(page.count)
        after = page.last
        if after is None:
            return
