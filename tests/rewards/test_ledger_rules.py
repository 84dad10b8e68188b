"""The reward ledger as arithmetic: entries are only added, and what there is follows from them to the cent."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rewards.domain.earning import Record
from services.rewards.domain.facts import Facts, Today
from services.rewards.domain.ledgers import (
    EntryKind,
    Funds,
    Grant,
    Key,
    Ledger,
    NotEnough,
    Posted,
    differences,
    post,
    refuse_more_than,
)
from services.rewards.domain.policies import StreakTier
from services.rewards.domain.redeeming import Underway, Use, uses_by_itself
from shared.identity import derived_id
from tests.rewards.records import LATER, SALLY, a_book, a_record, an_invoice, day, year

KINDS: st.SearchStrategy[EntryKind] = st.sampled_from(["granted", "revoked", "redeemed", "restored"])
ENTRIES = st.lists(st.tuples(KINDS, st.integers(1, 5_000)), max_size=12)
MONTHS = st.dictionaries(
    st.integers(1, 12).map(lambda number: f"m{number:02}"), st.sampled_from([None, "12-31"]), max_size=4
)


@given(ENTRIES)
def test_balance_and_shortfall_are_the_sum_of_all_entries_and_never_both(
    entries: list[tuple[EntryKind, int]],
) -> None:
    funds = Funds()
    for kind, cents in entries:
        funds = funds.after(kind, cents)

    total = sum(cents if kind in {"granted", "restored"} else -cents for kind, cents in entries)
    assert funds.balance_cents - funds.shortfall_cents == total
    assert min(funds.balance_cents, funds.shortfall_cents) == 0
    assert funds.sequence == len(entries)


def posted_into(ledger: Ledger, record: Record) -> tuple[Ledger, list[Posted]]:
    """The ledger after what was missing to a record was posted."""
    found = post(differences(record, ledger), ledger.funds)
    grants, turns, funds = dict(ledger.grants), dict(ledger.turns), dict(ledger.funds)
    for item in sorted(found, key=lambda item: item.posting.kind == "granted"):  # what stands at the end
        earned, turn = item.posting.earned, item.posting.turn
        key: Key = (earned.rule, earned.period)
        funds[earned.currency] = max(item.funds, funds.get(earned.currency, Funds()), key=_sequence)
        if item.posting.kind == "granted":
            grants[key] = Grant(derived_id(*key, turn), earned, turn)
            turns[key] = turn
        else:
            del grants[key]
    return replace(ledger, grants=grants, turns=turns, funds=funds), found


def _sequence(funds: Funds) -> int:
    return funds.sequence


@given(MONTHS, MONTHS, st.integers(1, 4_000))
def test_whatever_turns_out_late_the_ledger_ends_as_the_record_has_it(
    before: dict[str, Any], after: dict[str, Any], cents: int
) -> None:
    ledger, _ = posted_into(Ledger(), a_record(year(**before)))
    record = a_record(year(**after), streaks=(StreakTier(3, cents),))

    ledger, _ = posted_into(ledger, record)

    standing = sorted((key, grant.earned.amount_cents) for key, grant in ledger.grants.items())
    assert standing == sorted(((item.rule, item.period), item.amount_cents) for item in record.earned)
    assert ledger.funds.get("USD", Funds()).balance_cents == sum(item.amount_cents for item in record.earned)
    assert differences(record, ledger) == []


def test_a_grant_of_another_amount_comes_before_the_one_it_replaces_is_taken_back() -> None:
    ledger, _ = posted_into(Ledger(), a_record(year()[:3]))
    spent = replace(ledger, funds={"USD": ledger.funds["USD"].after("redeemed", 3_000)})

    _, found = posted_into(spent, a_record(year()[:3], streaks=(StreakTier(3, 4_000),)))

    assert [item.posting.kind for item in found] == ["granted", "revoked"]
    assert [item.missing_cents for item in found] == [0, 0]
    assert found[-1].funds.balance_cents == 1_000


@pytest.mark.parametrize("cents", [0, -1, 5_001])
def test_nobody_uses_nothing_or_more_than_there_is(cents: int) -> None:
    refuse_more_than(Funds(balance_cents=5_000), 5_000)

    with pytest.raises(NotEnough):
        refuse_more_than(Funds(balance_cents=5_000), cents)


def used(open_cents: int, balance_cents: int, under_way: Underway | None = None) -> list[Use]:
    """What is used by itself of a balance, on one account that owes."""
    facts = Facts((an_invoice("03", total_cents=open_cents, covered_on=None),))
    funds = {"USD": Funds(balance_cents=balance_cents)}
    so_far = under_way or Underway({}, {})
    return uses_by_itself(SALLY, facts, funds, a_book(auto_apply=True), LATER, so_far)


@given(st.integers(1, 200_000), st.integers(0, 200_000), st.integers(0, 200_000))
def test_no_more_is_used_by_itself_than_there_is_and_is_owed(
    owed: int, balance: int, on_its_way: int
) -> None:
    account = an_invoice().account_id

    uses = used(owed, balance, Underway({account: on_its_way}, {}))

    assert sum(use.amount_cents for use in uses) == max(min(balance, owed - on_its_way), 0)


@pytest.mark.parametrize(("restored", "waits"), [("02-28", False), ("03-01", True), ("03-20", True)])
def test_what_came_back_waits_for_the_next_invoice(restored: str, waits: bool) -> None:
    account = an_invoice().account_id

    assert (used(100_000, 5_000, Underway({}, {account: day(restored)})) == []) is waits


def test_a_balance_is_used_by_itself_only_where_the_policy_says_so() -> None:
    facts = Facts((an_invoice("03", covered_on=None),))
    funds = {"USD": Funds(balance_cents=5_000)}

    assert uses_by_itself(SALLY, facts, funds, a_book(), Today(otherwise=date.max), Underway({}, {})) == []
