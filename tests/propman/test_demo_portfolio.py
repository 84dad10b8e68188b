"""The demo's portfolio has something of everything, and may be loaded again and over an earlier one."""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest

from propman.demo.portfolio import load_portfolio
from services.leasing.domain.portfolio import PortfolioRow, read_portfolio
from services.leasing.domain.properties import PropertyDetails
from services.leasing.handlers import add_unit, import_portfolio, register_property
from services.leasing.schema import leases, tenants, units
from shared.clock import zone
from shared.messaging.transaction import Transactions
from tests.support.databases import TestDatabases
from tests.support.messages import count_rows


@pytest.fixture
async def transactions(databases: TestDatabases) -> AsyncIterator[Transactions]:
    async with databases.transactions("leasing") as found:
        yield found


def rows() -> tuple[PortfolioRow, ...]:
    portfolio = read_portfolio(files("propman.demo").joinpath("portfolio.csv").read_bytes(), zone)
    assert portfolio.problems == ()
    return portfolio.rows


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


@pytest.mark.servers
async def test_the_portfolio_is_loaded_once(transactions: Transactions) -> None:
    first = await load_portfolio(transactions)
    again = await load_portfolio(transactions)

    assert (first.properties, first.leases, first.tenants, first.problems) == (5, 16, 17, ())
    assert (again.leases, again.already_there, again.problems) == (0, 16, ())
    assert await counted(transactions) == (29, 17, 16)


@pytest.mark.servers
async def test_what_an_earlier_version_loaded_stays_and_what_is_new_is_added(
    transactions: Transactions,
) -> None:
    details = PropertyDetails(name="Maple Court", time_zone="America/New_York")
    async with transactions.command("test") as tx:
        maple = await register_property(tx, details)
        await add_unit(tx, maple.id, "105")  # a vacant one
        await import_portfolio(tx, [row for row in rows() if row.tenant.name == "Omar Haddad"])

    await load_portfolio(transactions)

    assert await counted(transactions) == (29, 16, 16)  # Lina did not sign the lease that is stored
