"""`propman billing republish`."""

from services.billing.handlers.republishing import republish_invoices
from services.billing.store import InvoiceStore
from services.billing.store.invoices import Selection
from services.billing.verbs.database import opened
from shared.cli import (
    App,
    DryRunOption,
    JsonOption,
    MonthOption,
    PropertyOption,
    json_wanted,
    print_json,
    progress,
    success,
)


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(republish)


async def republish(
    month: MonthOption = None,
    property_id: PropertyOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Say again how invoices are, for a consumer that was added later or has lost some.

    Each is said as it was issued, then whether its rent is covered and whether it is paid; void ones are
    left out. Who has heard of an invoice knows it by its id: nobody is told twice. The facts leave while
    the service runs.

    \b
    Examples:
      propman billing republish --dry-run
      propman billing republish --month 2026-12
    """
    selection = Selection(month, property_id)
    async with opened() as transactions:
        async with transactions.engine.connect() as connection:
            total = await InvoiceStore(connection).count(selection)
        if not dry_run:
            with progress(total, "Publishing again") as bar:
                after, more = None, total > 0
                while more:
                    async with transactions.command("billing.republish") as tx:
                        page = await republish_invoices(tx, selection, after)
                    after, more = page.last, page.last is not None
                    bar.advance(page.count)
    if json_wanted():
        print_json({"invoices": total, "dry_run": dry_run})
    success(f"{total} invoices {'would be' if dry_run else 'are'} published again.")
