"""Policies on a real PostgreSQL: resolved for many leases at once, kept once per content."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from services.billing.domain.policies import DEFAULT_POLICY, BillingPolicy, terms_id
from services.billing.domain.policy_book import Place
from services.billing.handlers.policies import PolicyChangedMeanwhile, keep_policy, plan_policy
from services.billing.schema import terms
from services.billing.store import PolicyStore
from shared.identity import new_id
from shared.messaging.transaction import Transactions
from tests.billing.policies import LONG_AGO, a_version
from tests.support.messages import count_rows

DAY = date(2026, 12, 1)


@pytest.fixture
def statements(transactions: Transactions) -> list[str]:
    """What is sent to the database from now on."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(transactions.engine.sync_engine, "before_cursor_execute", note)
    return sent


async def test_a_chunk_of_leases_is_resolved_with_one_query(
    transactions: Transactions, statements: list[str]
) -> None:
    leases = {new_id(): new_id() for _ in range(500)}
    chosen, place = next(iter(leases.items()))
    async with transactions.command("test") as tx:
        store = PolicyStore(tx.connection)
        await store.add(a_version({"grace_days": 3}))
        await store.add(a_version({"lead_days": 4}, scope="property", scope_id=place))
        await store.add(a_version({"grace_days": 6}, scope="lease", scope_id=chosen))
        statements.clear()
        book = await store.book(leases)

    found = {lease: book.policy(Place(home, lease), DAY) for lease, home in leases.items()}

    assert len(statements) == 1
    assert (found.pop(chosen).grace_days, {policy.grace_days for policy in found.values()}) == (6, {3})


async def test_leases_of_one_chunk_may_be_at_different_dates(transactions: Transactions) -> None:
    lease, place = new_id(), new_id()
    async with transactions.command("test") as tx:
        store = PolicyStore(tx.connection)
        await store.add(a_version({"grace_days": 3}, effective_on=DAY))
        book = await store.book({lease: place})

    found = [book.policy(Place(place, lease), day).grace_days for day in (date(2026, 11, 30), DAY)]

    assert found == [DEFAULT_POLICY.grace_days, 3]


async def test_a_version_is_kept_as_it_was_set(transactions: Transactions) -> None:
    version = a_version({"due_day": None, "holidays": ["2026-12-25"]}, reason="agreed", effective_on=LONG_AGO)
    async with transactions.command("test") as tx:
        added = await PolicyStore(tx.connection).add(version)
        again = await PolicyStore(tx.connection).add(version)
        book = await PolicyStore(tx.connection).book({})

    assert (added, again) == (True, False)
    assert book.history(version.scope, version.scope_id) == [version]


async def test_terms_are_kept_once_per_content_and_read_back(transactions: Transactions) -> None:
    strict = BillingPolicy(grace_days=0)
    async with transactions.command("test") as tx:
        await PolicyStore(tx.connection).keep([strict, DEFAULT_POLICY, BillingPolicy(grace_days=0)])
        await PolicyStore(tx.connection).keep([strict])
        found = await PolicyStore(tx.connection).snapshots([terms_id(strict), terms_id(DEFAULT_POLICY)])

    assert found == {terms_id(strict): strict, terms_id(DEFAULT_POLICY): DEFAULT_POLICY}
    assert await count_rows(transactions, terms) == 2


async def test_of_two_people_who_set_a_policy_at_once_the_second_is_told(transactions: Transactions) -> None:
    async with transactions.command("test") as tx:
        first, second = [
            (await plan_policy(tx.connection, Place(), DAY, {"grace_days": days})).change for days in (1, 2)
        ]
        await keep_policy(tx, first, reason="agreed", by="ada")

        with pytest.raises(PolicyChangedMeanwhile):
            await keep_policy(tx, second, reason="agreed", by="bob")

    async with transactions.engine.connect() as connection:
        book = await PolicyStore(connection).book({})
    assert book.policy(Place(), DAY).grace_days == 1
