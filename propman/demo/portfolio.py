"""The demo's portfolio: 5 properties in five zones, 29 units, 14 leases of 15 tenants.

Its dates hang on the months that are looked at, so that a year of any calendar has the same leases in it:
`{first-7}` is the first day of the month seven before the first one, `{last-1@15}` the fifteenth of the month
before the last one.
"""

import re
from importlib.resources import files
from typing import Final

from propman.simulation.calendar import Span
from services.billing.domain.periods import first_day
from services.leasing.domain.checks import natural_key
from services.leasing.domain.portfolio import PortfolioRow, read_portfolio
from services.leasing.handlers.portfolio import ImportOutcome, import_portfolio
from services.leasing.handlers.properties import add_unit
from services.leasing.store import properties
from shared.clock import zone
from shared.messaging.transaction import Transactions, Tx

VACANT: Final = {
    "Maple Court": ("105", "106", "107", "108"),
    "Lakeshore Lofts": ("1B",),
    "Mesa Verde Homes": ("3", "5", "6"),
    "Bayview Terrace": ("C", "D", "E", "F"),
    "Palm Garden": ("10", "12", "13"),
}
"""The units that nobody rents at the moment, beside the fourteen in `portfolio.csv`."""

_DATE: Final = re.compile(r"\{(first|last)([+-]\d+)?(?:@(\d+))?\}")


def portfolio_rows(span: Span) -> tuple[PortfolioRow, ...]:
    """The portfolio as it is for a span of months."""
    return read_portfolio(portfolio_csv(span).encode(), zone).rows


def portfolio_csv(span: Span) -> str:
    """The same as the file that `propman leasing import` takes."""
    text = files("propman.demo").joinpath("portfolio.csv").read_text(encoding="utf-8")
    return _dated(text, span)


async def load_portfolio(transactions: Transactions, span: Span) -> ImportOutcome:
    """Put the portfolio into leasing; what is there already stays as it is, also from an earlier version."""
    rows = portfolio_rows(span)
    async with transactions.command("demo.load_portfolio") as tx:
        outcome = await import_portfolio(tx, rows, skip_bad=True)
        if outcome.leases:
            await _add_vacant_units(tx)
    return outcome


def _dated(text: str, span: Span) -> str:
    months = {"first": span.months[0], "last": span.months[-1]}

    def day(found: re.Match[str]) -> str:
        anchor = first_day(months[found[1]])
        whole = anchor.year * 12 + anchor.month - 1 + int(found[2] or 0)
        return f"{whole // 12:04d}-{whole % 12 + 1:02d}-{int(found[3] or 1):02d}"

    return _DATE.sub(day, text)


async def _add_vacant_units(tx: Tx) -> None:
    places = await properties.properties_after(tx.connection, after=None, limit=100)
    known = await properties.units_by_key(tx.connection, [place.id for place in places])
    for place in places:
        for label in VACANT.get(place.name, ()):
            if (place.id, natural_key(label)) not in known:
                await add_unit(tx, place.id, label)
