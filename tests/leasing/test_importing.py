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

LUIS = a_row(tenant_name="Luis", tenant_email="luis@example.com")


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


async def test_ten_thousand_leases_take_one_statement_per_table(transactions: Transactions) -> None:
    rows = [
        a_row(unit=f"U{number % 10_000}", tenant_name=f"T{number}", tenant_email=f"t{number}@example.com")
        for number in range(10_100)
    ]
    inserts: list[str] = []
    others: list[str] = []

    def watch(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            inserts.append(statement.split()[2])
        else:
            others.append(statement)

    sa.event.listen(transactions.engine.sync_engine, "before_cursor_execute", watch)
    outcome = await load(transactions, *rows)

    assert (outcome.leases, outcome.tenants) == (10_000, 10_100)
    assert len(others) < 10
    assert Counter(inserts) == dict.fromkeys(
        ("properties", "units", "tenants", "leases", "lease_tenants", "outbox"), 1
    )


async def test_rows_of_one_lease_are_its_tenants_in_their_order(transactions: Transactions) -> None:
    repeated = a_row(tenant_name="Luis", tenant_email="luis@example.com")
    bare = a_row(tenant_name="Mina", tenant_email="mina@example.com", rent="", time_zone="")

    outcome = await load(transactions, a_row(due_day="5"), repeated | {"due_day": "5"}, bare)

    assert (outcome.leases, outcome.tenants, outcome.problems) == (1, 3, ())
    facts = await emitted(transactions)
    tenant_ids = [fact["tenant_id"] for topic, fact in facts if "tenant" in topic]
    assert (facts[-1][1]["tenant_ids"], facts[-1][1]["due_day"]) == (tenant_ids, 5)


async def test_the_rows_of_a_stored_lease_add_nothing_in_any_order(transactions: Transactions) -> None:
    rows = (a_row(), LUIS)
    await load(transactions, *rows)
    before = await counts(transactions)

    again = await load(transactions, *rows)
    fewer = await load(transactions, LUIS)

    assert (again.leases, again.already_there, again.kept_as_stored, again.problems) == (0, 1, (), ())
    assert (fewer.already_there, fewer.problems) == (1, ())
    assert await counts(transactions) == before == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (LUIS | {"rent": "1300.00"}, "rent"),
        (LUIS | {"free_months": "2026-02"}, "free_months"),
        (LUIS | {"time_zone": "America/Denver"}, "time_zone"),
        (LUIS | {"tenant_email": "ANN@example.com"}, "tenant_email"),
        (a_row(tenant_name="Somebody", tenant_email="mina@example.com"), "tenant_email"),
    ],
)
async def test_a_lease_comes_in_with_all_its_tenants_or_not_at_all(
    transactions: Transactions, bad: dict[str, str], column: str
) -> None:
    other = a_row(unit="2", tenant_name="Mina", tenant_email="mina@example.com")

    outcome = await load(transactions, other, a_row(), bad, skip_bad=True)

    found = sorted((problem.line, problem.column) for problem in outcome.problems)
    assert found == [(3, "-"), (4, column)]
    assert await counts(transactions) == (1, 1, 1, 1)


async def test_the_same_tenant_twice_is_reported_and_does_no_harm(transactions: Transactions) -> None:
    outcome = await load(transactions, a_row(), LUIS, a_row(), skip_bad=True)

    assert [(problem.line, problem.column) for problem in outcome.problems] == [(4, "unit")]
    assert (outcome.leases, await counts(transactions)) == (1, (1, 1, 2, 1))


async def test_a_stranger_does_not_join_a_stored_lease(transactions: Transactions) -> None:
    await load(transactions, a_row())

    outcome = await load(transactions, a_row(), LUIS)

    assert [(problem.line, problem.column) for problem in outcome.problems] == [(3, "tenant_email")]
    assert (outcome.already_there, await counts(transactions)) == (1, (1, 1, 1, 1))


async def test_an_import_knows_that_a_lease_which_rolls_over_has_no_end(transactions: Transactions) -> None:
    await load(transactions, a_row(ends_on="2026-12-31", rolls_over="yes"))

    later = await load(transactions, a_row(starts_on="2030-01-01"))

    assert [problem.column for problem in later.problems] == ["starts_on"]


async def test_new_terms_come_in_with_the_lease(transactions: Transactions) -> None:
    row = a_row(rent_changes="2026-07-01:1300.00", free_months="2026-02", rolls_over="yes")
    row |= {"ends_on": "2026-12-31", "charges": "boiler:Boiler:120:annual:2026-03-01"}

    await load(transactions, row)

    fact = (await emitted(transactions))[-1][1]
    assert fact["rent_changes"] == [{"effective_on": "2026-07-01", "rent_cents": 130_000}]
    assert (fact["free_periods"], fact["rolls_over"]) == (["2026-02"], True)
    assert [(item["frequency"], item["starts_on"]) for item in fact["charges"]] == [("annual", "2026-03-01")]
    assert (await load(transactions, row)).kept_as_stored == ()
