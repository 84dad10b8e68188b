"""The demo's portfolio: 5 properties in five zones, 29 units, 16 leases of 17 tenants."""

from importlib.resources import files
from typing import Final

from services.leasing.domain.checks import natural_key
from services.leasing.domain.portfolio import read_portfolio
from services.leasing.handlers.portfolio import ImportOutcome, import_portfolio
from services.leasing.handlers.properties import add_unit
from services.leasing.store import properties
from shared.clock import zone
from shared.messaging.transaction import Transactions, Tx

VACANT: Final = {
    "Maple Court": ("105", "106", "107", "108"),
    "Lakeshore Lofts": ("1B",),
    "Mesa Verde Homes": ("3", "5", "6"),
    "Bayview Terrace": ("C", "E", "F"),
    "Palm Garden": ("12", "13"),
}
"""The units that nobody rents at the moment, beside the sixteen in `portfolio.csv`."""


async def load_portfolio(transactions: Transactions) -> ImportOutcome:
    """Put the portfolio into leasing; what is there already stays as it is, also from an earlier version."""
    data = files("propman.demo").joinpath("portfolio.csv").read_bytes()
    rows = read_portfolio(data, zone).rows
    async with transactions.command("demo.load_portfolio") as tx:
        outcome = await import_portfolio(tx, rows, skip_bad=True)
        if outcome.leases:
            await _add_vacant_units(tx)
    return outcome


async def _add_vacant_units(tx: Tx) -> None:
    places = await properties.properties_after(tx.connection, after=None, limit=100)
    known = await properties.units_by_key(tx.connection, [place.id for place in places])
    for place in places:
        for label in VACANT.get(place.name, ()):
            if (place.id, natural_key(label)) not in known:
                await add_unit(tx, place.id, label)
