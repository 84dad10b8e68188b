"""Policies as people type them, and as the template has them."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.policies import DEFAULT_POLICY, document_of, read_layer
from services.billing.domain.policy_fields import POLICY_FIELDS
from services.billing.domain.policy_template import template, toml
from services.billing.domain.policy_words import in_short, read_assignments
from shared.documents import BadDocument

cents = st.integers(1, 10**8)
percents = st.sampled_from(["5", "2.5", "0.1", "100"])
amounts = st.builds(lambda value: {"amount_cents": value}, cents) | st.builds(
    lambda value: {"percent": value}, percents
)
rules = (
    st.builds(lambda value: {"kind": "flat", "amount_cents": value}, cents)
    | st.builds(lambda value: {"kind": "percent_of_late_balance", "percent": value}, percents)
    | st.builds(
        lambda amount, days: {"kind": "daily", **amount, "max_days": days}, amounts, st.integers(1, 90)
    )
    | st.builds(lambda value: {"kind": "tiered", "tiers": [{"amount_cents": value}]}, cents)
)
plain_caps = st.builds(lambda value: {"kind": "money", "amount_cents": value}, cents) | st.builds(
    lambda value: {"kind": "percent_of_rent", "percent": value}, percents
)
caps = plain_caps | st.builds(
    lambda parts: {"kind": "lesser_of", "of": parts}, st.lists(plain_caps, min_size=2, max_size=3)
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("grace_days=5", {"grace_days": 5}),
        ("grace-days = 5", {"grace_days": 5}),
        ("nsf_fee=25.00", {"nsf_fee_cents": 2_500}),
        ("minimum_balance_cents=1000", {"minimum_balance_cents": 1_000}),
        ("auto_generate=off", {"auto_generate": False}),
        ("due_day=none", {"due_day": None}),
        ("interest_apr=12%", {"interest_apr": "12"}),
        ("reminder_stages=-3, 1,7", {"reminder_stages": [-3, 1, 7]}),
        ("reminder_stages=none", {"reminder_stages": []}),
        ("holidays=2026-12-25", {"holidays": ["2026-12-25"]}),
        ("late_fee_rules=none", {"late_fee_rules": []}),
        ("late_fee_rules=flat:50", {"late_fee_rules": [{"kind": "flat", "amount_cents": 5_000}]}),
        (
            "late_fee_rules=percent_of_rent:5%",
            {"late_fee_rules": [{"kind": "percent_of_rent", "percent": "5"}]},
        ),
        (
            "late_fee_rules=flat:50+daily:1%,of=late_balance,max_days=10",
            {
                "late_fee_rules": [
                    {"kind": "flat", "amount_cents": 5_000},
                    {"kind": "daily", "percent": "1", "of": "late_balance", "max_days": 10},
                ]
            },
        ),
        (
            'late_fee_rules={"kind":"flat","amount_cents":1}',
            {"late_fee_rules": [{"kind": "flat", "amount_cents": 1}]},
        ),
        ("late_fee_cap=100", {"late_fee_cap": {"kind": "money", "amount_cents": 10_000}}),
        (
            "late_fee_cap=percent_of_late_balance:10%",
            {"late_fee_cap": {"kind": "percent_of_late_balance", "percent": "10"}},
        ),
        (
            "late_fee_cap=lesser_of:50,5%",
            {
                "late_fee_cap": {
                    "kind": "lesser_of",
                    "of": [
                        {"kind": "money", "amount_cents": 5_000},
                        {"kind": "percent_of_rent", "percent": "5"},
                    ],
                }
            },
        ),
        ("late_fee_cap=none", {"late_fee_cap": None}),
    ],
)
def test_a_field_can_be_set_in_a_few_words(words: str, expected: dict[str, Any]) -> None:
    found = read_assignments([words])

    assert found == expected
    assert read_layer(found) == read_layer(expected)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("grace_days", "grace_days: is not KEY=VALUE"),
        ("=5", "=5: is not KEY=VALUE"),
        ("nsf_fee=a lot", "nsf_fee: 'a lot' is not an amount"),
        ("late_fee_rules=50", "late_fee_rules: '50' is not kind:amount"),
        ("late_fee_rules=flat:50,often", "late_fee_rules: 'often' is not an option"),
        ("late_fee_rules=[", "late_fee_rules: is not JSON"),
        ("late_fee_cap=much", "late_fee_cap: 'much' is not an amount"),
    ],
)
def test_words_that_cannot_be_understood_are_named(words: str, reason: str) -> None:
    with pytest.raises(BadDocument) as refused:
        read_assignments([words])

    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("grace_dyas=5", "grace_dyas: is not a field of this document; did you mean grace_days?"),
        ("grace_days=soon", "grace_days: 'soon' is not a whole number"),
        ("auto_generate=maybe", "auto_generate: 'maybe' is neither true nor false"),
        ("late_fee_rules=fat:50", "late_fee_rules[0].kind: 'fat' is none of flat, percent_of_rent"),
        ("reminder_stages=one", "reminder_stages: 'one' is not a whole number"),
    ],
)
def test_what_is_understood_and_makes_no_sense_is_refused_by_the_field(words: str, reason: str) -> None:
    with pytest.raises(BadDocument) as refused:
        read_layer(read_assignments([words]))

    assert str(refused.value).startswith(reason)


def test_the_same_field_twice_is_refused() -> None:
    with pytest.raises(BadDocument, match="nsf_fee_cents: is given twice"):
        read_assignments(["nsf_fee=1", "nsf_fee_cents=2"])


@given(
    layer=st.fixed_dictionaries(
        {},
        optional={
            "late_fee_rules": st.lists(rules, max_size=3),
            "late_fee_cap": st.none() | caps,
            "nsf_fee_cents": st.integers(0, 10**6),
            "reminder_stages": st.lists(st.integers(-60, 365), unique=True, max_size=4),
            "interest_apr": st.none() | percents,
            "auto_generate": st.booleans(),
        },
    )
)
def test_what_is_shown_can_be_typed_again(layer: dict[str, Any]) -> None:
    kept = read_layer(layer)

    shown = [f"{name}={in_short(name, value)}" for name, value in kept.items()]

    assert read_layer(read_assignments(shown)) == kept


@pytest.mark.parametrize("item", POLICY_FIELDS, ids=lambda item: item.name)
def test_the_example_of_a_field_is_valid(item: Any) -> None:
    assert set(read_layer(read_assignments([f"{item.name}={item.example}"]))) == {item.name}


def test_the_template_sets_nothing_until_its_lines_are_uncommented() -> None:
    text = template()
    filled = "\n".join(
        line.removeprefix("#") if not line.startswith("# ") else line for line in text.splitlines()
    )

    assert read_layer(tomllib.loads(text)) == {}
    assert set(read_layer(tomllib.loads(filled))) == {item.name for item in POLICY_FIELDS}


def test_toml_has_the_values_of_a_policy() -> None:
    stated = {name: value for name, value in document_of(DEFAULT_POLICY).items() if value is not None}

    assert tomllib.loads("\n".join(f"{name} = {toml(value)}" for name, value in stated.items())) == stated
