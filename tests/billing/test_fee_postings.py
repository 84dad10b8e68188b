"""What the ledger should hold of late fees, and what is missing to it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_caps import PercentOfRentCap
from services.billing.domain.fee_postings import FeeLine, missing, postings
from services.billing.domain.fee_rules import Fixed, Flat
from services.billing.domain.jurisdictions import UnlawfulPolicy
from services.billing.domain.late_terms import Case
from services.billing.domain.lawful_policies import refuse_unlawful_policy
from services.billing.domain.policies import BillingPolicy
from services.billing.jurisdictions import profiles
from shared.documents import BadDocument
from tests.billing.late_cases import FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY, a_case, late, paid


def lines(case: Case, on: str) -> list[tuple[str, str, str, int]]:
    return [
        (line.kind, line.rule, line.counts_on.isoformat(), line.amount_cents)
        for line in postings(case, date.fromisoformat(on)).lines
    ]


def test_each_fee_is_a_line_known_by_its_rule_and_day() -> None:
    assert lines(a_case(FLAT, TEN_A_DAY), "2025-03-08") == [
        ("late_fee", "flat.1", "2025-03-07", 5_000),
        ("late_fee", "daily.2", "2025-03-08", 1_000),
    ]


def test_interest_is_posted_every_month_and_when_what_is_late_was_paid() -> None:
    case = a_case(interest_apr="12", payments=[paid("2025-05-01", 100_000)])

    assert lines(case, "2025-04-06") == []
    assert lines(case, "2025-06-30") == [
        ("interest", "interest", "2025-04-07", 1_216),
        ("interest", "interest", "2025-05-01", 1_973 - 1_216),
    ]
    assert sum(line[3] for line in lines(case, "2025-06-30")) == late(case, "2025-06-30").interest_cents


def test_the_next_posting_of_interest_is_a_month_after_the_first_fee_date() -> None:
    case = a_case(FLAT, interest_apr="12")

    assert postings(case, date(2025, 3, 2)).next_on == date(2025, 3, 7)
    assert postings(case, date(2025, 3, 7)).next_on == date(2025, 4, 7)
    assert postings(case, date(2025, 4, 7)).next_on == date(2025, 5, 7)


def test_waived_interest_is_a_line_also_where_it_is_posted_later() -> None:
    case = a_case(interest_apr="12", waivers=[{"on": "2025-03-31", "of": "interest"}])

    assert lines(case, "2025-04-30") == [
        ("interest", "interest", "2025-04-07", 1_216),
        ("waiver", "interest", "2025-04-07", -986),
    ]


def test_a_waiver_is_a_line_of_its_own_from_the_day_it_was_given() -> None:
    case = a_case(FLAT, waivers=[{"on": "2025-03-09"}, {"on": "2025-03-10"}])

    assert lines(case, "2025-04-30") == [
        ("late_fee", "flat.1", "2025-03-07", 5_000),
        ("waiver", "flat.1", "2025-03-09", -5_000),
    ]


def test_what_is_posted_already_is_not_missing() -> None:
    wanted = postings(a_case(TEN_A_DAY), date(2025, 3, 20)).lines

    assert missing(wanted, wanted) == []
    assert missing(wanted, wanted[:-1]) == [wanted[-1]]


def test_what_is_no_longer_owed_is_taken_back_for_the_day_it_was_posted_for() -> None:
    posted = postings(a_case(FLAT), date(2025, 3, 20)).lines
    wanted = postings(a_case(FLAT, payments=[paid("2025-03-01", 100_000)]), date(2025, 3, 20)).lines

    assert missing(wanted, posted) == [
        FeeLine(
            "late_fee",
            "flat.1",
            date(2025, 3, 7),
            -5_000,
            "$50.00 was posted for 2025-03-07, nothing is owed",
        )
    ]


def test_a_fee_of_another_amount_is_put_right_by_the_difference() -> None:
    share = {"kind": "percent_of_late_balance", "percent": "10"}
    posted = postings(a_case(share), date(2025, 3, 20)).lines
    wanted = postings(a_case(share, payments=[paid("2025-03-02", 40_000)]), date(2025, 3, 20)).lines

    [line] = missing(wanted, posted)
    assert line.amount_cents == -4_000
    assert line.formula == (
        "$100.00 was posted for 2025-03-07, $60.00 is owed (10 % of what is late, $600.00 = $60.00)"
    )
    assert line.working is not None
    assert (line.working.comes_to_cents, line.working.posted_cents) == (6_000, 10_000)


DAY = st.integers(0, 150).map(lambda offset: date(2025, 3, 1) + timedelta(days=offset))
MONEY = st.lists(st.tuples(DAY, DAY, st.integers(1, 120_000)), max_size=3)
"""Received on, entered on (if later), and how much."""


@given(st.sampled_from([FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY]), MONEY, st.lists(DAY, max_size=8), DAY)
def test_however_often_it_ran_and_whenever_money_was_entered_the_ledger_ends_the_same(
    rule: dict[str, Any], money: list[tuple[date, date, int]], runs: list[date], end: date
) -> None:
    def known(on: date) -> Case:
        entered = [item for item in money if max(item[0], item[1]) <= on]
        return a_case(
            FLAT,
            rule,
            interest_apr="12",
            payments=[paid(day.isoformat(), cents) for day, _, cents in entered],
        )

    ledger: list[FeeLine] = []
    for day in sorted([*(run for run in runs if run <= end), end, end]):
        ledger += missing(postings(known(day), day).lines, ledger)

    once = missing(postings(known(end), end).lines, [])
    assert sum(line.amount_cents for line in ledger) == sum(line.amount_cents for line in once)
    assert missing(once, ledger) == []


@given(st.sampled_from([FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY]), MONEY, DAY)
def test_nothing_is_missing_before_the_next_day_that_is_named(
    rule: dict[str, Any], money: list[tuple[date, date, int]], on: date
) -> None:
    received = [paid(day.isoformat(), cents) for day, _, cents in money if day <= on]
    case = a_case(rule, interest_apr="12", payments=received)
    found = postings(case, on)

    until = found.next_on - timedelta(days=1) if found.next_on else on + timedelta(days=70)
    assert missing(postings(case, until).lines, found.lines) == []


A_FEE = (Flat(amount=Fixed(7_500)),)


def refuse(**policy: Any) -> None:
    fields = {"late_fee_rules": A_FEE, "jurisdiction": "new_york", "allocation": "rent_first"} | policy
    refuse_unlawful_policy(
        BillingPolicy(**fields), profiles(), on=date(2026, 1, 1), rents=fields.pop("rents", ())
    )


def test_a_billing_policy_is_refused_by_the_names_of_its_own_fields() -> None:
    with pytest.raises(UnlawfulPolicy, match=r"late_fee_cap: fees could come to \$75\.00; at most"):
        refuse()
    with pytest.raises(UnlawfulPolicy, match=r"late_fee_rules\[1\]: only one fee"):
        refuse(jurisdiction="NC", late_fee_rules=A_FEE * 2)


def test_a_billing_policy_that_clamps_or_names_no_place_is_taken() -> None:
    refuse(jurisdiction_mode="clamp")
    refuse(jurisdiction=None)


def test_a_billing_policy_of_an_unknown_place_is_refused() -> None:
    with pytest.raises(BadDocument, match="jurisdiction: 'atlantis' is none of chicago, connecticut"):
        refuse(jurisdiction="atlantis")


def test_a_policy_is_judged_for_every_rent_it_is_for() -> None:
    policy = BillingPolicy(
        late_fee_rules=A_FEE, late_fee_cap=PercentOfRentCap(Decimal(5)), jurisdiction="new_york"
    )

    refuse_unlawful_policy(policy, profiles(), on=date(2026, 1, 1), rents=[80_000, 100_000])
    with pytest.raises(UnlawfulPolicy, match=r"here \$50\.00"):
        refuse_unlawful_policy(policy, profiles(), on=date(2026, 1, 1), rents=[80_000, 140_000])
