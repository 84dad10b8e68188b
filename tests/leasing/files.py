"""Portfolio files for tests: a test states only what matters to it."""

import csv
import io

from services.leasing.domain.portfolio import COLUMNS, PortfolioRow, read_portfolio
from shared.clock import zone


def a_row(**cells: str) -> dict[str, str]:
    """A good row, but for these cells."""
    row = {
        "property": "Maple Court",
        "time_zone": "America/New_York",
        "unit": "1A",
        "tenant_name": "Ann Lee",
        "tenant_email": "ann@example.com",
        "rent": "1250.00",
        "starts_on": "2026-01-01",
    }
    return dict.fromkeys(COLUMNS, "") | row | cells


def a_file(*rows: dict[str, str]) -> bytes:
    """A file of these rows under the whole header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def rows_of(*rows: dict[str, str]) -> tuple[PortfolioRow, ...]:
    """What an import is given; fails where a row is bad."""
    portfolio = read_portfolio(a_file(*rows), zone)
    assert portfolio.problems == ()
    return portfolio.rows
