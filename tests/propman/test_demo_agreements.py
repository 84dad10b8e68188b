"""What the demo's landlord agrees on is lawful where they say they are, and is agreed on once."""

from datetime import date

from propman.demo.agreements import PROPERTIES, agree
from propman.demo.portfolio import portfolio_rows
from propman.simulation.calendar import Span
from services.billing.domain.policy_book import Place
from services.billing.handlers import router
from services.billing.store import LeaseStore, PolicyStore
from tests.support.builders import a_lease, a_property
from tests.support.databases import TestDatabases
from tests.support.messages import deliver, deliver_batch


async def test_the_demo_s_policies_are_lawful_for_its_rents_and_set_once(databases: TestDatabases) -> None:
    rows = portfolio_rows(Span.of(12, date(2026, 12, 31)))
    async with databases.transactions("billing") as transactions:
        for name in {row.property.name for row in rows}:
            place = a_property(name=name)
            await deliver(transactions, router, place)
            rents = [row.terms.rent_cents for row in rows if row.property.name == name]
            leases = [a_lease(property_id=place.property_id, rent_cents=rent) for rent in rents]
            await deliver_batch(transactions, router, leases)

        changed = [await agree(transactions) for _ in range(2)]

        async with transactions.engine.connect() as connection:
            ids = {name: key for key, name in (await LeaseStore(connection).property_names()).items()}
            places = {
                name: Place(ids[name]) for name in ("Maple Court", "Bayview Terrace", "Mesa Verde Homes")
            }
            books = {name: await PolicyStore(connection).book_around(place) for name, place in places.items()}
    agreed = {name: books[name].policy(place, date(2026, 12, 1)) for name, place in places.items()}
    assert changed == [1 + len(PROPERTIES), 0]
    assert [item.allocation for item in agreed.values()] == ["oldest_first", "rent_first", "oldest_first"]
    assert [len(item.late_fee_rules) for item in agreed.values()] == [1, 1, 1]
