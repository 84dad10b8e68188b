"""What a policy means: its fields, its layers and its versions."""

from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_caps import MoneyCap
from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.policies import (
    DEFAULT_POLICY,
    BillingPolicy,
    document_of,
    policy_from,
    policy_of,
    read_layer,
    terms_id,
)
from services.billing.domain.policy_book import Place, PolicyBook, PolicyVersion, in_force
from services.billing.domain.policy_fields import POLICY_FIELDS
from shared.documents import BadDocument
from shared.identity import new_id
from tests.billing.policies import LONG_AGO, a_version

FLAT_50 = {"kind": "flat", "amount_cents": 5_000}
DAY = date(2026, 3, 1)

a_layer = st.fixed_dictionaries(
    {},
    optional={
        "due_day": st.none() | st.integers(1, 31),
        "grace_days": st.integers(0, 30),
        "late_fee_rules": st.just([]) | st.just([FLAT_50]),
        "late_fee_cap": st.none() | st.just({"kind": "money", "amount_cents": 9_000}),
        "interest_apr": st.none() | st.sampled_from(["12", "2.5"]),
        "reminder_stages": st.lists(st.integers(-30, 90), unique=True, max_size=5),
        "auto_generate": st.booleans(),
    },
)
some_versions = st.lists(
    st.tuples(st.integers(0, 10), a_layer).map(
        lambda found: a_version(found[1], effective_on=LONG_AGO + timedelta(days=found[0]))
    ),
    max_size=6,
).map(lambda found: [numbered(item, number) for number, item in enumerate(found, start=1)])


def numbered(version: PolicyVersion, number: int) -> PolicyVersion:
    return a_version(dict(version.terms), effective_on=version.effective_on, version=number)


def test_the_list_of_fields_is_the_policy_s_own() -> None:
    assert {item.name for item in POLICY_FIELDS} == {item.name for item in fields(BillingPolicy)}


def test_without_any_policy_no_fee_is_charged() -> None:
    policy = PolicyBook().policy(Place(new_id(), new_id()), DAY)

    assert policy == DEFAULT_POLICY
    assert (policy.late_fee_rules, policy.interest_apr, policy.nsf_fee_cents) == ((), None, 0)


def test_every_wrong_field_is_named_with_what_would_be_right() -> None:
    layer = {
        "grace_dyas": 5,
        "due_day": 32,
        "proration": "weekly",
        "late_fee_rules": [FLAT_50, {"kind": "daily"}],
        "late_fee_cap": {"kind": "money", "amount": 1},
        "reminder_stages": [1, 1],
    }

    with pytest.raises(BadDocument) as refused:
        read_layer(layer)

    assert {item.path: item.reason for item in refused.value.mistakes} == {
        "due_day": "32 is not between 1 and 31",
        "proration": "'weekly' is none of actual, thirty, year365",
        "late_fee_rules[1].amount_cents": "give either amount_cents or percent",
        "late_fee_cap.amount_cents": "is missing",
        "late_fee_cap.amount": "is not a field of this document; did you mean amount_cents?",
        "reminder_stages": "names a stage twice",
        "grace_dyas": "is not a field of this document; did you mean grace_days?",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grace_days", None),
        ("grace_days", True),
        ("lead_days", -1),
        ("nsf_fee_cents", 2.5),
        ("auto_generate", "yes"),
        ("interest_apr", "much"),
        ("holidays", "2026-12-25"),
        ("holidays", ["25.12.2026"]),
        ("reminder_stages", [-61]),
        ("reminder_stages", 3),
        ("autopay_retry_days", [0]),
        ("autopay_retry_days", [3, 16]),
        ("autopay_retry_days", [1, 1, 1, 1, 1]),
        ("autopay_retry_days", 3),
        ("late_fee_rules", None),
        ("late_fee_cap", 50),
        ("jurisdiction", " "),
        ("reminder_hour", 24),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(name: str, value: object) -> None:
    with pytest.raises(BadDocument, match=name):
        read_layer({name: value})


def test_a_layer_overrules_by_field_and_null_overrules_too() -> None:
    portfolio = {
        "grace_days": 3,
        "late_fee_rules": [FLAT_50],
        "late_fee_cap": {"kind": "money", "amount_cents": 1},
    }
    lease = {"grace_days": 7, "late_fee_cap": None}

    policy = policy_of([portfolio, lease])

    assert (policy.grace_days, policy.late_fee_cap) == (7, None)
    assert policy.late_fee_rules == (Flat(amount=Fixed(5_000)),)


def test_each_lease_gets_its_own_layers_and_no_others() -> None:
    place, other, lease = new_id(), new_id(), new_id()
    book = PolicyBook(
        [
            a_version({"grace_days": 1, "lead_days": 1, "nsf_fee_cents": 1}),
            a_version({"grace_days": 2, "lead_days": 2}, scope="property", scope_id=place),
            a_version({"grace_days": 3}, scope="lease", scope_id=lease),
        ]
    )

    here, neighbour = book.policy(Place(place, lease), DAY), book.policy(Place(other, new_id()), DAY)

    assert (here.grace_days, here.lead_days, here.nsf_fee_cents) == (3, 2, 1)
    assert (neighbour.grace_days, neighbour.lead_days) == (1, 1)


def test_a_version_holds_from_its_day_and_a_correction_of_that_day_replaces_it() -> None:
    first = a_version({"grace_days": 1}, version=1, effective_on=date(2026, 1, 1))
    later = a_version({"grace_days": 2}, version=2, effective_on=date(2026, 3, 1))
    corrected = a_version({"grace_days": 9}, version=3, effective_on=date(2026, 1, 1))
    book = PolicyBook([first, later, corrected])

    graces = [book.policy(Place(), day).grace_days for day in (date(2025, 12, 31), date(2026, 2, 28), DAY)]

    assert graces == [DEFAULT_POLICY.grace_days, 9, 2]


def test_where_a_value_comes_from_is_known_for_each_field() -> None:
    place = new_id()
    portfolio = a_version({"grace_days": 1, "lead_days": 1})
    here = a_version({"grace_days": 2}, scope="property", scope_id=place)

    origins = PolicyBook([portfolio, here]).origins(Place(place), DAY)

    assert (origins["grace_days"], origins["lead_days"], origins["proration"]) == (here, portfolio, None)


@given(versions=some_versions, offset=st.integers(-2, 12), shuffled=st.randoms())
def test_what_holds_does_not_depend_on_the_order_of_the_versions(
    versions: list[PolicyVersion], offset: int, shuffled: Any
) -> None:
    day = LONG_AGO + timedelta(days=offset)
    mixed = shuffled.sample(versions, len(versions))

    assert PolicyBook(mixed).policy(Place(), day) == PolicyBook(versions).policy(Place(), day)


@given(versions=some_versions, offset=st.integers(-2, 12))
def test_a_version_of_the_future_changes_nothing_today(versions: list[PolicyVersion], offset: int) -> None:
    day = LONG_AGO + timedelta(days=offset)
    future = a_version({"grace_days": 99}, version=99, effective_on=day + timedelta(days=1))

    assert in_force([*versions, future], day) == in_force(versions, day)


@given(layers=st.lists(a_layer, max_size=3))
def test_a_field_has_the_value_of_the_last_layer_that_gives_it(layers: list[dict[str, Any]]) -> None:
    stated = document_of(policy_of(layers))

    for name, default in document_of(DEFAULT_POLICY).items():
        given_last = [read_layer(layer)[name] for layer in layers if name in layer]
        assert stated[name] == (given_last[-1] if given_last else default)


@given(layers=st.lists(a_layer, max_size=3))
def test_a_policy_survives_being_written_down(layers: list[dict[str, Any]]) -> None:
    policy = policy_of(layers)

    again = policy_from(document_of(policy))

    assert again == policy
    assert terms_id(again) == terms_id(policy)


def test_the_same_terms_in_another_spelling_are_the_same_terms() -> None:
    one = policy_of([{"interest_apr": "12.0", "reminder_stages": [7, -3]}])
    other = policy_of([{"reminder_stages": [-3, 7], "interest_apr": 12}])

    assert terms_id(one) == terms_id(other) != terms_id(DEFAULT_POLICY)
    assert one.interest_apr == Decimal(12)


def test_a_field_of_a_newer_version_is_passed_over_when_it_is_read_back() -> None:
    kept = document_of(BillingPolicy(late_fee_cap=MoneyCap(1))) | {"of_the_future": True}

    assert policy_from(kept).late_fee_cap == MoneyCap(1)


def test_terms_that_were_kept_empty_are_the_defaults() -> None:
    assert policy_from({}) == DEFAULT_POLICY
