"""What holds of late fees whatever the rules, payments, holds and dates are."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_caps import limit_cents
from services.billing.domain.fee_workings import Working
from services.billing.domain.late_fees import assess
from services.billing.domain.late_terms import Case
from services.billing.jurisdictions import profiles
from tests.billing.late_cases import DUE, a_case

START = date.fromisoformat(DUE)
NOTHING = Working(way="interest", comes_to_cents=0)
OFFSET = st.integers(min_value=-10, max_value=120)
AMOUNT = st.one_of(
    st.fixed_dictionaries({"amount_cents": st.integers(1, 20_000)}),
    st.fixed_dictionaries({"percent": st.sampled_from(["0.3", "2.5", "10"])}),
    st.fixed_dictionaries({"percent": st.sampled_from(["0.3", "5"]), "of": st.just("late_balance")}),
)
AFTER = st.fixed_dictionaries({}, optional={"after_days": st.integers(0, 20)})
ONCE = st.sampled_from(
    [
        {"kind": "flat", "amount_cents": 5_000},
        {"kind": "percent_of_rent", "percent": "2.5"},
        {"kind": "percent_of_late_balance", "percent": "7.5"},
        {"kind": "tiered", "tiers": [{"up_to_rent_cents": 90_000, "amount_cents": 700}, {"percent": "3"}]},
    ]
)
REPEATED = st.sampled_from(["daily", "recurring_monthly"]).flatmap(
    lambda kind: AMOUNT.map(lambda amount: {"kind": kind} | amount)
)
RULES = st.lists(st.builds(lambda rule, after: rule | after, ONCE | REPEATED, AFTER), min_size=1, max_size=3)
CAP = st.sampled_from(
    [
        {"kind": "money", "amount_cents": 12_000},
        {"kind": "percent_of_rent", "percent": "7.7"},
        {
            "kind": "lesser_of",
            "of": [{"kind": "money", "amount_cents": 9_000}, {"kind": "percent_of_rent", "percent": "5"}],
        },
    ]
)


def day(offset: int) -> str:
    return (START + timedelta(days=offset)).isoformat()


PAYMENTS = st.lists(
    st.builds(
        lambda offset, cents: {"received_on": day(offset), "amount_cents": cents},
        OFFSET,
        st.integers(-9_000, 70_000),
    ),
    max_size=4,
)
HOLDS = st.lists(
    st.builds(
        lambda offset, days: {"from": day(offset), "to": day(offset + days)}, OFFSET, st.integers(0, 25)
    ),
    max_size=2,
)
TERMS = st.fixed_dictionaries(
    {
        "rent_cents": st.integers(1, 300_000),
        "charges_cents": st.integers(0, 9_000),
        "grace_days": st.integers(0, 10),
        "holds": HOLDS,
        "hold_days_count": st.booleans(),
        "interest_apr": st.sampled_from([None, "12", "0.5"]),
    },
    optional={"cap": CAP, "minimum_balance_cents": st.integers(0, 20_000)},
)
PROFILE = st.sampled_from([None, *profiles().values()])
ON = st.integers(min_value=0, max_value=130).map(lambda offset: START + timedelta(days=offset))


def build(rules: list[dict[str, Any]], terms: dict[str, Any], **more: Any) -> Case:
    return a_case(*rules, **terms | more)


@given(RULES, TERMS, PAYMENTS, st.lists(ON, max_size=6), ON, PROFILE)
def test_the_total_does_not_depend_on_when_and_how_often_it_was_asked(
    rules: list[Any], terms: dict[str, Any], payments: list[Any], asked: list[date], on: date, profile: Any
) -> None:
    case = build(rules, terms, payments=payments)
    posted: dict[tuple[date, int | None], int] = {}

    for moment in sorted([*asked, on]):  # each run posts what is missing, as far as it is known by then
        if moment <= on:
            posted |= {
                (item.on, item.rule): item.amount_cents for item in assess(case, moment, profile).entries
            }

    once = assess(case, on, profile)
    assert posted == {(item.on, item.rule): item.amount_cents for item in once.entries}


@given(RULES, TERMS, ON, st.integers(0, 40), PROFILE)
def test_without_payments_what_is_owed_never_falls(
    rules: list[Any], terms: dict[str, Any], on: date, days: int, profile: Any
) -> None:
    case = build(rules, terms)
    earlier, later = assess(case, on, profile), assess(case, on + timedelta(days=days), profile)

    assert later.total_fee_cents >= earlier.total_fee_cents
    assert later.entries[: len(earlier.entries)] == earlier.entries
    assert later.total_fee_cents + later.interest_cents >= earlier.total_fee_cents + earlier.interest_cents


@given(RULES, TERMS, PAYMENTS, ON, PROFILE)
def test_fees_never_exceed_a_cap(
    rules: list[Any], terms: dict[str, Any], payments: list[Any], on: date, profile: Any
) -> None:
    case = build(rules, terms, payments=payments)
    found = assess(case, on, profile)

    late = max(
        [case.terms.countable_cents, *(case.terms.countable_cents - p["amount_cents"] * 4 for p in payments)]
    )
    for name, cap in found.scheme.caps:
        limit = limit_cents(cap, rent_cents=case.terms.tenant_rent_cents, late_cents=late)
        interest = 0 if name == "cap" else found.interest_cents
        assert found.total_fee_cents + interest <= limit


@given(RULES, TERMS, PAYMENTS, ON, PROFILE)
def test_the_values_of_a_formula_come_to_the_fee(
    rules: list[Any], terms: dict[str, Any], payments: list[Any], on: date, profile: Any
) -> None:
    case = build(rules, terms, payments=payments)
    found = assess(case, on, profile)

    fees = [(item.amount_cents, item.working) for item in found.entries if item.kind != "waiver"]
    for cents, working in [*fees, (found.interest.cents, found.interest.working or NOTHING)]:
        assert working is not None
        assert cents == (working.limit.left_cents if working.limit else working.comes_to_cents)
        assert cents <= working.comes_to_cents
        assert cents <= (working.limit.most_cents if working.limit else cents)


@given(RULES, TERMS, ON)
def test_no_fee_is_on_a_fee(rules: list[Any], terms: dict[str, Any], on: date) -> None:
    """Each amount is what the rule comes to on the rent alone, however many fees came before."""
    terms = terms | {"interest_apr": None, "cap": None}
    case = build(rules, terms)

    by_rule: dict[int | None, set[int]] = {}
    for entry in assess(case, on).entries:
        by_rule.setdefault(entry.rule, set()).add(entry.amount_cents)
    assert all(len(amounts) == 1 for amounts in by_rule.values())


@given(RULES, TERMS, PAYMENTS, ON, PROFILE)
def test_no_fee_falls_inside_a_hold_or_before_the_first_date(
    rules: list[Any], terms: dict[str, Any], payments: list[Any], on: date, profile: Any
) -> None:
    case = build(rules, terms, payments=payments)
    found = assess(case, on, profile)

    for entry in found.entries:
        assert found.first_fee_on is not None
        assert START < found.first_fee_on <= entry.on <= on
        assert not any(hold.covers(entry.on) for hold in case.holds)


@given(RULES, TERMS, PAYMENTS, ON, PROFILE)
def test_nothing_changes_before_the_next_date_that_is_named(
    rules: list[Any], terms: dict[str, Any], payments: list[Any], on: date, profile: Any
) -> None:
    known = [item for item in payments if item["received_on"] <= on.isoformat()]
    case = build(rules, terms, payments=known)
    found = assess(case, on, profile)

    until = found.next_change_on - timedelta(days=1) if found.next_change_on else on + timedelta(days=60)
    later = assess(case, until, profile)
    assert (later.entries, later.interest_cents) == (found.entries, found.interest_cents)
