"""Fee rules and caps as the documents that policies keep."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_caps import (
    GreaterOf,
    LesserOf,
    MoneyCap,
    PercentOfLateBalanceCap,
    PercentOfRentCap,
    TieredCap,
    cap_document,
    in_words,
    limit_cents,
    read_cap,
)
from services.billing.domain.fee_rules import (
    Daily,
    FeeRule,
    Fixed,
    Flat,
    PercentOfLateBalance,
    PercentOfRent,
    RecurringMonthly,
    Share,
    Tier,
    Tiered,
    document_of,
    read_rule,
    read_rules,
)
from shared.documents import BadDocument

CENTS = st.integers(min_value=1, max_value=10**9)
PERCENT = st.decimals(min_value="0.001", max_value=100, places=3)
AFTER = st.none() | st.integers(min_value=0, max_value=400)
SHARE = st.builds(Share, PERCENT, st.sampled_from(["rent", "late_balance"]))
AMOUNT = st.builds(Fixed, CENTS) | SHARE


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    ends: list[int | None] = [*sorted(draw(st.sets(CENTS, max_size=3))), None]
    return tuple(Tier(end, draw(CENTS), draw(PERCENT)) for end in ends)


RULES: st.SearchStrategy[FeeRule] = st.one_of(
    st.builds(Flat, amount=st.builds(Fixed, CENTS), after_days=AFTER),
    st.builds(PercentOfRent, amount=st.builds(Share, PERCENT), after_days=AFTER),
    st.builds(
        PercentOfLateBalance, amount=st.builds(Share, PERCENT, st.just("late_balance")), after_days=AFTER
    ),
    st.builds(
        Daily,
        amount=AMOUNT,
        after_days=AFTER,
        max_days=st.none() | st.integers(1, 400),
        until=st.sampled_from(["paid", "period_end"]),
    ),
    st.builds(RecurringMonthly, amount=AMOUNT, after_days=AFTER, max_times=st.none() | st.integers(1, 90)),
    st.builds(Tiered, tiers=tiers(), mode=st.sampled_from(["bracket", "marginal"]), after_days=AFTER),
)
CAPS = st.recursive(
    st.one_of(
        st.builds(MoneyCap, CENTS),
        st.builds(PercentOfRentCap, PERCENT),
        st.builds(PercentOfLateBalanceCap, PERCENT),
        st.builds(TieredCap, tiers()),
    ),
    lambda parts: (
        st.builds(LesserOf, st.tuples(parts, parts)) | st.builds(GreaterOf, st.tuples(parts, parts))
    ),
    max_leaves=4,
)


@given(RULES)
def test_a_rule_read_from_its_own_document_is_the_same_rule(rule: FeeRule) -> None:
    assert read_rule(document_of(rule)) == rule


@given(CAPS)
def test_a_cap_read_from_its_own_document_is_the_same_cap(cap: Any) -> None:
    assert read_cap(cap_document(cap)) == cap


def test_documents_keep_percentages_as_decimal_text() -> None:
    assert document_of(read_rule({"kind": "percent_of_rent", "percent": 2.50})) == {
        "kind": "percent_of_rent",
        "percent": "2.5",
    }
    assert document_of(read_rule({"kind": "daily", "percent": "10", "of": "rent"})) == {
        "kind": "daily",
        "percent": "10",
    }


@pytest.mark.parametrize(
    ("document", "mistakes"),
    [
        ({"kind": "percent_of_rent"}, "percent: is missing"),
        ({"kind": "percent_of_rent", "percent": "five"}, "percent: 'five' is not a percentage such as 2.5"),
        ({"kind": "percent_of_rent", "percent": True}, "percent: True is not a percentage such as 2.5"),
        (
            {"kind": "percent_of_rent", "percent": "NaN"},
            "percent: NaN is not more than 0 and at most 100 percent",
        ),
        ({"kind": "flat", "amount_cents": 50.0}, "amount_cents: 50.0 is not a whole number"),
        ({"kind": "flat", "amount_cents": 0}, "amount_cents: 0 is not between 1 and 100000000000"),
        ({"kind": "flat", "amount_cents": 1, "percent": "5"}, "percent: is not a field of this document"),
        ({"kind": "daily"}, "amount_cents: give either amount_cents or percent"),
        (
            {"kind": "daily", "amount_cents": 1, "percent": 5},
            "amount_cents: give either amount_cents or percent",
        ),
        ({"kind": "daily", "amount_cents": 1, "of": "rent"}, "of: only a percent is of something"),
        ({"kind": "daily", "amount_cents": 1, "until": "ever"}, "until: 'ever' is none of paid, period_end"),
        ({"kind": "tiered", "tiers": []}, "tiers: has no tier"),
        ({"kind": "tiered", "tiers": 5}, "tiers: is not a list"),
        ({"kind": "tiered", "tiers": [5]}, "tiers[0]: is not an object with fields"),
        (
            {"kind": "tiered", "tiers": [{"up_to_rent_cents": 9, "amount_cents": 1}]},
            "tiers[0].up_to_rent_cents: the last tier has no upper end",
        ),
        (
            {"kind": "tiered", "tiers": [{"up_to_rent_cents": 9}, {"up_to_rent_cents": 9}, {}]},
            "tiers: up_to_rent_cents must rise from tier to tier",
        ),
        ({"kind": "tiered", "tiers": [{}, {}]}, "tiers: only the last tier may be without up_to_rent_cents"),
        ({"kind": "hourly", "percent": "x"}, None),
        ("flat", "document: is not an object with fields"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(document: Any, mistakes: str | None) -> None:
    with pytest.raises(BadDocument) as refused:
        read_rule(document)

    expected = mistakes or (
        "kind: 'hourly' is none of flat, percent_of_rent, percent_of_late_balance, daily, recurring_monthly, tiered"
    )
    assert str(refused.value) == expected


def test_every_mistake_of_every_rule_is_named_with_its_path() -> None:
    rules: list[Any] = [{"kind": "flat"}, {"kind": "percent_of_rent", "percent": "0", "colour": "red"}, 7]

    with pytest.raises(BadDocument) as refused:
        read_rules(rules)

    assert [item.path for item in refused.value.mistakes] == [
        "rules[0].amount_cents",
        "rules[1].percent",
        "rules[1].colour",
        "rules[2]",
    ]


def test_a_cap_s_mistakes_are_named_down_to_its_parts() -> None:
    cap = {"kind": "lesser_of", "of": [{"kind": "money"}, {"kind": "percent_of_rent", "percent": 101}]}

    with pytest.raises(
        BadDocument, match=r"cap\.of\[0\]\.amount_cents: is missing; cap\.of\[1\]\.percent: 101 is"
    ):
        read_cap(cap)
    with pytest.raises(BadDocument, match=r"cap\.of: needs at least two caps"):
        read_cap({"kind": "greater_of", "of": [{"kind": "money", "amount_cents": 1}]})


NEW_YORK = LesserOf((MoneyCap(5_000), PercentOfRentCap(Decimal(5))))
NORTH_CAROLINA = GreaterOf((MoneyCap(1_500), PercentOfRentCap(Decimal(5))))
COLORADO = GreaterOf((MoneyCap(5_000), PercentOfLateBalanceCap(Decimal(5))))
CHICAGO = TieredCap((Tier(50_000, 1_000), Tier(None, 0, Decimal(5))))


@pytest.mark.parametrize(
    ("cap", "rent_cents", "limit"),
    [
        (NEW_YORK, 200_000, 5_000),
        (NEW_YORK, 80_000, 4_000),
        (COLORADO, 200_000, 10_000),
        (COLORADO, 80_000, 5_000),
        (NORTH_CAROLINA, 200_000, 10_000),
        (NORTH_CAROLINA, 20_000, 1_500),
        (CHICAGO, 200_000, 8_500),
        (CHICAGO, 80_000, 2_500),
        (CHICAGO, 50_000, 1_000),
        (CHICAGO, 30_000, 1_000),
        (PercentOfRentCap(Decimal(4)), 200_000, 8_000),
    ],
)
def test_legal_shapes_of_a_cap_come_to_their_amounts(cap: Any, rent_cents: int, limit: int) -> None:
    assert limit_cents(cap, rent_cents=rent_cents, late_cents=rent_cents) == limit


def test_a_cap_is_rounded_down() -> None:
    assert limit_cents(PercentOfRentCap(Decimal(5)), rent_cents=123_450, late_cents=0) == 6_172


def test_a_cap_says_what_it_is() -> None:
    assert in_words(NEW_YORK) == "the lesser of $50.00 and 5 % of the rent"
    assert in_words(COLORADO) == "the greater of $50.00 and 5 % of what is late"
    assert in_words(CHICAGO) == "$10.00 for the rent up to $500.00 plus 5 % of the rent above"


def test_caps_within_caps_end_somewhere() -> None:
    cap: dict[str, Any] = {"kind": "money", "amount_cents": 5_000}
    for _ in range(300):
        cap = {"kind": "lesser_of", "of": [cap, {"kind": "money", "amount_cents": 1}]}

    with pytest.raises(BadDocument, match="within more than 4 others"):
        read_cap(cap)
