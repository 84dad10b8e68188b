"""A portfolio comes in as a whole, once, and everything can be said again."""

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa

from services.leasing import handlers
from services.leasing.handlers import ImportOutcome
from services.leasing.schema import leases, properties, tenants, units
from shared.messaging.tables import outbox
from shared.messaging.transaction import Transactions
from tests.leasing.files import a_row, rows_of
from tests.support.messages import count_rows, emitted

pytestmark = pytest.mark.servers

GOOD = (
    a_row(),
    a_row(unit="1B", tenant_name="Luis", tenant_email="luis@example.com"),
    a_row(property="Oak House", time_zone="America/Denver", starts_on="2026-05-01"),
)


async def load(transactions: Transactions, *rows: dict[str, str], skip_bad: bool = False) -> ImportOutcome:
    async with transactions.command("test") as tx:
        return await handlers.import_portfolio(tx, rows_of(*rows), skip_bad=skip_bad)


async def counts(transactions: Transactions) -> tuple[int, ...]:
    tables = (properties, units, tenants, leases)
    return tuple([await count_rows(transactions, table) for table in tables])


async def test_what_a_file_mentions_first_is_created_and_announced_before_the_leases(
    transactions: Transactions,
) -> None:
    outcome = await load(transactions, *GOOD)

    assert (outcome.properties, outcome.units, outcome.tenants, outcome.leases) == (2, 3, 2, 3)
    assert await counts(transactions) == (2, 3, 2, 3)
    facts = await emitted(transactions)
    assert [topic.split(".")[1] for topic, _ in facts] == (
        ["property_registered"] * 2 + ["tenant_registered"] * 2 + ["lease_activated"] * 3
    )
    tenant_ids = [fact["tenant_id"] for topic, fact in facts if "tenant" in topic]
    assert facts[-1][1]["tenant_ids"] == [tenant_ids[0]]
    assert facts[-1][1]["time_zone"] == "America/Denver"


async def test_the_same_file_again_adds_nothing_and_says_so(transactions: Transactions) -> None:
    await load(transactions, *GOOD)
    facts = await emitted(transactions)

    again = await load(transactions, *GOOD)

    assert (again.properties, again.units, again.tenants, again.leases) == (0, 0, 0, 0)
    assert (again.already_there, again.kept_as_stored, again.problems) == (3, (), ())
    assert await emitted(transactions) == facts


async def test_the_same_file_twice_at_the_same_time_adds_everything_once(transactions: Transactions) -> None:
    outcomes = await asyncio.gather(load(transactions, *GOOD), load(transactions, *GOOD))

    assert sorted(outcome.leases for outcome in outcomes) == [0, 3]
    assert await counts(transactions) == (2, 3, 2, 3)


async def test_rows_are_matched_to_what_is_stored_whatever_its_spelling(transactions: Transactions) -> None:
    await load(transactions, GOOD[0])

    same = a_row(property="MAPLE COURT", unit="2", tenant_name="ann lee", tenant_email="Ann@Example.com")
    outcome = await load(transactions, same)

    assert (outcome.properties, outcome.tenants, outcome.units, outcome.leases) == (0, 0, 1, 1)


async def test_a_stored_lease_is_kept_when_a_file_says_otherwise(transactions: Transactions) -> None:
    await load(transactions, a_row())

    outcome = await load(transactions, a_row(rent="1300.00"))

    assert (outcome.leases, outcome.already_there, outcome.kept_as_stored) == (0, 1, (2,))
    async with transactions.engine.connect() as connection:
        assert await connection.scalar(sa.select(leases.c.rent_cents)) == 125_000


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (a_row(starts_on="2026-06-01", rent="1.00"), "starts_on"),
        (a_row(), "unit"),
        (a_row(unit="1B", time_zone="America/Denver"), "time_zone"),
        (a_row(unit="1B", currency="EUR"), "currency"),
        (a_row(unit="1B", tenant_name="Somebody Else"), "tenant_email"),
        (a_row(tenant_name="Luis", tenant_email="luis@example.com"), "unit"),
    ],
)
async def test_a_row_that_contradicts_another_is_refused_and_nothing_of_the_file_is_kept(
    transactions: Transactions, bad: dict[str, str], column: str
) -> None:
    outcome = await load(transactions, a_row(), bad)

    assert [(problem.line, problem.column) for problem in outcome.problems] == [(3, column)]
    assert not outcome.saved
    assert await counts(transactions) == (0, 0, 0, 0)
    assert await emitted(transactions) == []


async def test_with_skip_bad_the_good_rows_are_kept_and_what_only_a_bad_row_mentions_is_not(
    transactions: Transactions,
) -> None:
    clash = a_row(tenant_name="Only Here", tenant_email="only@example.com", starts_on="2026-02-01")

    outcome = await load(transactions, a_row(), clash, skip_bad=True)

    assert outcome.saved
    assert [problem.line for problem in outcome.problems] == [3]
    assert await counts(transactions) == (1, 1, 1, 1)


async def test_an_overlap_with_a_stored_lease_is_found(transactions: Transactions) -> None:
    await load(transactions, a_row(ends_on="2026-12-31"))

    late, next_one = a_row(starts_on="2026-12-31"), a_row(starts_on="2027-01-01")

    assert [problem.column for problem in (await load(transactions, late)).problems] == ["starts_on"]
    assert (await load(transactions, next_one)).leases == 1


async def test_a_stored_lease_is_not_taken_over_by_another_tenant(transactions: Transactions) -> None:
    await load(transactions, a_row())

    outcome = await load(transactions, a_row(tenant_name="Luis", tenant_email="luis@example.com"))

    assert [problem.column for problem in outcome.problems] == ["tenant_email"]
    assert await counts(transactions) == (1, 1, 1, 1)


async def test_everything_is_said_again_with_its_version_and_a_new_message_id(
    transactions: Transactions,
) -> None:
    await load(transactions, *GOOD)
    async with transactions.engine.begin() as connection:
        first_ids = set(await connection.scalars(sa.select(outbox.c.message_id)))
        ended = await connection.scalar(sa.select(leases.c.id).order_by(leases.c.id).limit(1))
        await connection.execute(
            sa.update(leases).where(leases.c.id == ended).values(state="ended", version=4)
        )
        await connection.execute(sa.delete(outbox))

    for say_again in handlers.REPUBLISHED.values():
        after = None
        while True:
            async with transactions.command("test") as tx:
                page = await say_again(tx, after, 2)
            if page.last is None:
                break
            after = page.last

    facts = await emitted(transactions)
    assert Counter(topic.split(".")[1] for topic, _ in facts) == {
        "property_changed": 2,
        "tenant_contact_changed": 2,
        "lease_changed": 2,
        "lease_ended": 1,
    }
    assert [fact["version"] for topic, fact in facts if "lease_ended" in topic] == [4]
    async with transactions.engine.connect() as connection:
        assert first_ids.isdisjoint(await connection.scalars(sa.select(outbox.c.message_id)))


async def test_a_thousand_leases_take_one_statement_per_table(transactions: Transactions) -> None:
    rows = [
        a_row(unit=f"U{number}", tenant_name=f"T{number}", tenant_email=f"t{number}@example.com")
        for number in range(1_000)
    ]
    inserts: list[str] = []

    def watch(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            inserts.append(statement.split()[2])

    sa.event.listen(transactions.engine.sync_engine, "before_cursor_execute", watch)
    outcome = await load(transactions, *rows)

    assert outcome.leases == 1_000
    assert Counter(inserts) == dict.fromkeys(
        ("properties", "units", "tenants", "leases", "lease_tenants", "outbox"), 1
    )
