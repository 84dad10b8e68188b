"""The demo's portfolio has something of everything, and may be loaded again and over an earlier one."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from propman.demo.portfolio import load_portfolio, portfolio_rows
from propman.simulation.calendar import Span
from services.leasing.domain.portfolio import PortfolioRow
from services.leasing.domain.properties import PropertyDetails
from services.leasing.handlers import add_unit, import_portfolio, register_property
from services.leasing.schema import leases, tenants, units
from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    async with databases.transactions("leasing") as found:
        yield found


YEAR = Span.of(12, date(2024, 12, 31))


def rows() -> tuple[PortfolioRow, ...]:
    return portfolio_rows(YEAR)


async def counted(transactions: Transactions) -> tuple[int, ...]:
    return tuple([await count_rows(transactions, table) for table in (units, tenants, leases)])


def test_the_portfolio_has_a_lease_of_every_kind() -> None:
    terms = {row.lease_key(): row.terms for row in rows()}.values()

    assert {item.frequency for item in terms} >= {"monthly", "weekly"}
    assert "annual" in {charge.frequency for item in terms for charge in item.charges}
    assert any(item.rolls_over for item in terms)
    assert any(item.rent_changes for item in terms)
    assert any(item.frequency == "monthly" and item.starts_on.day > 1 for item in terms)
    assert len(terms) < len(rows())  # somebody shares


@pytest.mark.parametrize("until", [date(2024, 2, 29), date(2025, 3, 31), date(2026, 11, 24)])
@pytest.mark.parametrize("months", [1, 3, 12])
def test_whatever_months_are_looked_at_the_same_leases_are_in_them(until: date, months: int) -> None:
    span = Span.of(months, until)

    found = {row.tenant.name: row.terms for row in portfolio_rows(span)}

    assert len(found) == 15
    assert all(terms.starts_on <= span.until_on for terms in found.values())
    assert found["Newbie Nick"].starts_on == Span.of(2, until).starts_on.replace(day=15)


@pytest.mark.servers
async def test_the_portfolio_is_loaded_once(transactions: Transactions) -> None:
    first = await load_portfolio(transactions, YEAR)
    again = await load_portfolio(transactions, YEAR)

    assert (first.properties, first.leases, first.tenants, first.problems) == (5, 14, 15, ())
    assert (again.leases, again.already_there, again.problems) == (0, 14, ())
    assert await counted(transactions) == (29, 15, 14)


@pytest.mark.servers
async def test_what_an_earlier_version_loaded_stays_and_what_is_new_is_added(
    transactions: Transactions,
) -> None:
    details = PropertyDetails(name="Maple Court", time_zone="America/New_York")
    async with transactions.command("test") as tx:
        maple = await register_property(tx, details)
        await add_unit(tx, maple.id, "105")  # a vacant one
        await import_portfolio(tx, [row for row in rows() if row.tenant.name == "Omar Haddad"])

    await load_portfolio(transactions, YEAR)

    assert await counted(transactions) == (29, 14, 14)  # Lina did not sign the lease that is stored
