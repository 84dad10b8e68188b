"""Billing's facts in any order, with duplicates: the same ledger, to the last id."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.rewards.handlers import router
from services.rewards.schema import entries
from shared.contracts.base import Message
from tests.rewards.desk import (
    SALLY,
    Desk,
    a_lease,
    a_property,
    bounced,
    covered,
    fee,
    issued,
    months,
    on_time,
    paid,
    reopened,
    voided,
    waived,
)
from tests.support.databases import TestDatabases
from tests.support.messages import deliver

pytestmark = pytest.mark.servers

POLICY = {
    "streaks": [{"months": 3, "amount_cents": 3_000}],
    "prepayments": [{"ahead_cents": 50_000, "amount_cents": 1_000}],
}

STORY: list[Message] = [
    a_property(),
    a_lease(),
    *on_time(months(1, 8)),
    bounced(paid("2026-06-01"), "2026-06-09"),
    reopened("2026-06"),
    paid("2026-06-20", 102_500),
    covered("2026-06", "2026-06-20", revision=3),
    issued("2026-09"),
    voided("2026-09", "2026-09-03"),
    fee("2026-06"),
    waived("2026-06"),
    paid("2026-08-15", 160_000),
    bounced(paid("2026-08-15", 160_000), "2026-08-20", cents=20_000),
]


async def ledger_of(desk: Desk) -> list[dict[str, Any]]:
    """All of it but the moment of posting."""
    async with desk.transactions.engine.connect() as connection:
        rows = (await connection.execute(sa.select(entries).order_by(entries.c.sequence))).mappings()
        return [{key: value for key, value in row.items() if key != "posted_at"} for row in rows]


async def ledger_after(
    databases: TestDatabases, facts: list[Message], *, nightly: int = 0
) -> list[dict[str, Any]]:
    """What an empty database comes to that hears facts, and evaluates at the end, or every so many of them."""
    async with databases.transactions("rewards") as transactions:
        desk = Desk(transactions, {})
        await desk.agree(POLICY)
        for number, fact in enumerate(facts, start=1):
            await deliver(transactions, router, fact)
            if nightly and number % nightly == 0:
                await desk.evaluate("2026-12-31")
        await desk.evaluate("2026-12-31")
        return await ledger_of(desk)


@pytest.fixture
async def in_order(databases: TestDatabases) -> list[dict[str, Any]]:
    """The ledger after the story as it happened."""
    return await ledger_after(databases, STORY)


async def test_the_story_grants_two_streaks_and_what_was_left_ahead(in_order: list[dict[str, Any]]) -> None:
    found = [(row["tenant_id"], row["period"], row["rule"]) for row in in_order]

    # June came late: March alone is full. Ahead: 160,000 less 20,000, of which nothing was owed in August.
    assert found == [
        (SALLY, "2026-03", "streak:3"),
        (SALLY, "2026-08", "prepaid:50000#1"),
        (SALLY, "2026-08", "prepaid:50000#2"),
    ]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations(STORY), st.lists(st.sampled_from(STORY), max_size=8), st.randoms(use_true_random=False)
)
async def test_the_ledger_does_not_depend_on_the_order_of_facts(
    databases: TestDatabases,
    in_order: list[dict[str, Any]],
    facts: list[Message],
    again: list[Message],
    random: Any,
) -> None:
    told = [*facts, *again]
    random.shuffle(told)

    assert await ledger_after(databases, told) == in_order


async def test_evaluating_all_the_while_leaves_the_same_grants_standing(
    databases: TestDatabases, in_order: list[dict[str, Any]]
) -> None:
    shuffled = [*STORY[::2], *STORY[1::2], *STORY[::-1]]

    found = await ledger_after(databases, shuffled, nightly=7)

    assert standing(found) == standing(in_order)
    assert found[-1]["balance_cents"] == in_order[-1]["balance_cents"]


def standing(ledger: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    """What was granted and not revoked."""
    revoked = {row["granted_entry_id"] for row in ledger if row["kind"] == "revoked"}
    granted = [row for row in ledger if row["kind"] == "granted" and row["entry_id"] not in revoked]
    return {(row["period"], row["rule"], row["amount_cents"]) for row in granted}
