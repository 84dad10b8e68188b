"""Late fees as a function of the date."""

import pytest

from tests.billing.late_cases import FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY, a_case, fees, late, paid, total

LATE_BALANCE = {"kind": "percent_of_late_balance", "percent": "5"}
OF_RENT = {"kind": "percent_of_rent", "percent": "5"}


@pytest.mark.parametrize(("convention", "first"), [("full_days", "2025-03-07"), ("nth_day", "2025-03-06")])
def test_the_first_fee_is_on_the_calendar_date_that_is_shown(convention: str, first: str) -> None:
    case = a_case(FLAT, grace_convention=convention)

    assert str(late(case, "2025-03-02").first_fee_on) == first
    assert fees(case, "2025-04-30") == [(first, 5_000)]


def test_there_is_no_fee_before_its_first_date() -> None:
    assert total(a_case(FLAT), "2025-03-06") == 0


def test_paid_on_the_last_day_of_grace_is_on_time() -> None:
    assert total(a_case(FLAT, payments=[paid("2025-03-06", 100_000)]), "2025-05-01") == 0
    assert total(a_case(FLAT, payments=[paid("2025-03-07", 100_000)]), "2025-05-01") == 0
    assert total(a_case(FLAT, payments=[paid("2025-03-08", 100_000)]), "2025-05-01") == 5_000


def test_paid_in_part_the_rule_says_what_the_fee_is_of() -> None:
    part = [paid("2025-03-03", 60_000)]

    assert total(a_case(LATE_BALANCE, payments=part), "2025-03-07") == 2_000
    assert total(a_case(OF_RENT, payments=part), "2025-03-07") == 5_000


def test_a_monthly_percentage_is_never_of_a_fee() -> None:
    assert fees(a_case(TEN_PERCENT_MONTHLY), "2025-05-31") == [
        ("2025-03-07", 10_000),
        ("2025-04-07", 10_000),
        ("2025-05-07", 10_000),
    ]


def test_a_monthly_percentage_of_what_is_late_is_never_of_a_fee_either() -> None:
    rule = TEN_PERCENT_MONTHLY | {"of": "late_balance"}

    assert fees(a_case(rule, payments=[paid("2025-03-10", 40_000)]), "2025-05-10") == [
        ("2025-03-07", 10_000),
        ("2025-04-07", 6_000),
        ("2025-05-07", 6_000),
    ]


@pytest.mark.parametrize("rule", [FLAT, OF_RENT, LATE_BALANCE])
def test_what_comes_once_comes_once_though_nothing_is_paid_for_half_a_year(rule: dict[str, object]) -> None:
    assert total(a_case(rule), "2025-09-30") == 5_000


def test_a_month_is_counted_from_the_fee_before_and_not_from_a_new_calendar_month() -> None:
    case = a_case({"kind": "recurring_monthly", "amount_cents": 5_000}, due_on="2025-01-25")

    assert fees(case, "2025-04-30") == [
        ("2025-01-31", 5_000),
        ("2025-02-28", 5_000),
        ("2025-03-31", 5_000),
        ("2025-04-30", 5_000),
    ]


def test_a_daily_fee_comes_on_each_day_that_something_is_late() -> None:
    case = a_case(TEN_A_DAY, payments=[paid("2025-03-10", 100_000)])

    assert fees(case, "2025-03-20") == [("2025-03-07", 1_000), ("2025-03-08", 1_000), ("2025-03-09", 1_000)]


def test_a_daily_fee_stops_when_the_rent_is_paid_though_fees_are_open() -> None:
    case = a_case(FLAT, TEN_A_DAY, payments=[paid("2025-03-08", 100_000)])

    assert total(case, "2025-03-31") == 5_000
    assert late(case, "2025-03-31").next_change_on is None


def test_first_once_and_then_daily_from_the_day_after() -> None:
    assert fees(a_case(FLAT, TEN_A_DAY), "2025-03-09") == [
        ("2025-03-07", 5_000),
        ("2025-03-08", 1_000),
        ("2025-03-09", 1_000),
    ]


def test_steps_by_days_late_are_rules_that_begin_later() -> None:
    steps = (OF_RENT, OF_RENT | {"after_days": 5})

    assert fees(a_case(*steps), "2025-04-01") == [("2025-03-07", 5_000), ("2025-03-12", 5_000)]


def test_a_daily_fee_may_run_to_the_end_of_the_rental_period_only() -> None:
    to_the_end = a_case(TEN_A_DAY | {"until": "period_end"})
    given = a_case(TEN_A_DAY | {"until": "period_end"}, period_ends_on="2025-03-10")

    assert total(to_the_end, "2025-06-01") == 25 * 1_000
    assert total(given, "2025-06-01") == 4 * 1_000
    assert late(given, "2025-03-10").next_change_on is None


def test_a_daily_fee_may_be_for_so_many_days_at_most() -> None:
    assert total(a_case(TEN_A_DAY | {"max_days": 3}), "2025-06-01") == 3_000


def test_a_monthly_fee_may_come_so_many_times_at_most() -> None:
    assert total(a_case(TEN_PERCENT_MONTHLY | {"max_times": 2}), "2026-03-01") == 20_000


def test_a_tier_is_chosen_by_the_rent() -> None:
    tiers = [{"up_to_rent_cents": 80_000, "amount_cents": 2_500}, {"amount_cents": 1_000, "percent": "4"}]

    assert total(a_case({"kind": "tiered", "tiers": tiers}, rent_cents=80_000), "2025-03-07") == 2_500
    assert total(a_case({"kind": "tiered", "tiers": tiers}, rent_cents=80_001), "2025-03-07") == 4_200


def test_marginal_tiers_count_the_parts_of_the_rent() -> None:
    tiers = [{"up_to_rent_cents": 50_000, "amount_cents": 1_000}, {"percent": "5"}]
    rule = {"kind": "tiered", "mode": "marginal", "tiers": tiers}

    assert total(a_case(rule, rent_cents=200_000), "2025-03-07") == 8_500
    assert total(a_case(rule, rent_cents=30_000), "2025-03-07") == 1_000


def test_half_a_cent_is_rounded_up_and_a_cap_down() -> None:
    half = a_case({"kind": "percent_of_rent", "percent": "2.5"}, rent_cents=100_100)
    capped = a_case(
        FLAT | {"amount_cents": 9_000}, rent_cents=123_450, cap={"kind": "percent_of_rent", "percent": 5}
    )

    assert total(half, "2025-03-07") == 2_503
    assert total(capped, "2025-03-07") == 6_172


def test_a_cap_is_on_all_fees_of_the_invoice_and_what_was_waived_counts() -> None:
    waived = [{"on": "2025-03-08", "by": "Kim", "reason": "first time"}]
    case = a_case(FLAT, TEN_A_DAY, cap={"kind": "money", "amount_cents": 7_500}, waivers=waived)

    assert fees(case, "2025-03-20") == [
        ("2025-03-07", 5_000),
        ("2025-03-08", 1_000),
        ("2025-03-08", -5_000),
        ("2025-03-08", -1_000),
        ("2025-03-09", 1_000),
        ("2025-03-10", 500),
    ]
    assert late(case, "2025-03-20").capped_by == "cap: $75.00 = $75.00"
    assert late(case, "2025-03-20").next_change_on is None


def test_below_the_minimum_balance_there_is_no_fee_and_the_rest_stays_due() -> None:
    case = a_case(FLAT, minimum_balance_cents=100, payments=[paid("2025-03-01", 99_950)])
    enough = a_case(FLAT, minimum_balance_cents=100, payments=[paid("2025-03-01", 99_900)])

    assert total(case, "2025-04-01") == 0
    assert total(enough, "2025-04-01") == 5_000


def test_a_payment_counts_from_the_day_it_was_received_whenever_it_is_entered() -> None:
    assert total(a_case(FLAT), "2025-03-10") == 5_000
    assert total(a_case(FLAT, payments=[paid("2025-03-01", 100_000)]), "2025-03-10") == 0


def test_a_bounced_payment_brings_the_fee_only_from_the_day_it_was_known() -> None:
    bounced = [paid("2025-03-02", 100_000), paid("2025-03-20", -100_000)]

    assert fees(a_case(FLAT, payments=bounced), "2025-03-31") == [("2025-03-20", 5_000)]
    assert fees(a_case(TEN_A_DAY, payments=bounced), "2025-03-21") == [
        ("2025-03-20", 1_000),
        ("2025-03-21", 1_000),
    ]


def test_a_waived_fee_stays_waived_and_both_stay_in_history() -> None:
    case = a_case(FLAT, waivers=[{"on": "2025-03-09", "by": "Kim", "reason": "bank holiday"}])

    assert fees(case, "2025-12-31") == [("2025-03-07", 5_000), ("2025-03-09", -5_000)]
    assert total(case, "2025-03-08") == 5_000
    assert "waived on 2025-03-09 by Kim: bank holiday" in late(case, "2025-03-09").entries[1].formula


def test_a_fee_that_comes_once_stays_waived_when_its_day_moves() -> None:
    bounced = [paid("2025-03-02", 100_000), paid("2025-03-20", -100_000)]
    case = a_case(FLAT, payments=bounced, waivers=[{"on": "2025-03-09"}])

    assert total(case, "2025-04-30") == 0


def test_daily_fees_after_a_waiver_accrue_anew() -> None:
    case = a_case(TEN_A_DAY, waivers=[{"on": "2025-03-09"}])

    assert total(case, "2025-03-09") == 0
    assert total(case, "2025-03-11") == 2_000


def test_a_waiver_of_interest_takes_away_what_had_accrued_by_its_day_and_no_more() -> None:
    waiver = {"on": "2025-03-31", "of": "interest", "amount_cents": 10_000}
    case = a_case(interest_apr="12", waivers=[waiver])

    assert late(case, "2025-03-31").interest_cents == 0
    assert (
        late(case, "2025-04-30").interest_waived_cents
        == late(a_case(interest_apr="12"), "2025-03-31").interest.cents
    )


def test_a_part_of_the_fees_may_be_waived() -> None:
    case = a_case(TEN_A_DAY, waivers=[{"on": "2025-03-09", "amount_cents": 1_500}])

    assert total(case, "2025-03-09") == 1_500


def test_a_waiver_never_makes_fees_less_than_nothing() -> None:
    waivers = [{"on": "2025-03-09", "amount_cents": 9_000}, {"on": "2025-03-10"}]

    assert total(a_case(FLAT, waivers=waivers), "2025-03-11") == 0


def test_the_share_of_whoever_subsidises_the_rent_earns_no_fee() -> None:
    case = a_case(OF_RENT, subsidy_cents=70_000)

    assert total(case, "2025-03-07") == 1_500
    assert total(a_case(FLAT, subsidy_cents=70_000, payments=[paid("2025-03-01", 30_000)]), "2025-03-07") == 0


def test_charges_count_as_late_only_where_the_policy_says_so() -> None:
    with_charges = a_case(LATE_BALANCE, charges_cents=20_000)
    rent_alone = a_case(LATE_BALANCE, charges_cents=20_000, late_basis="rent")

    assert total(with_charges, "2025-03-07") == 6_000
    assert total(rent_alone, "2025-03-07") == 5_000
    assert (
        total(
            a_case(FLAT, charges_cents=900, late_basis="rent", payments=[paid("2025-03-01", 100_000)]),
            "2025-04-01",
        )
        == 0
    )
