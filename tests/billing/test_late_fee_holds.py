"""Holds and interest: what stops fees, and what accrues by days."""

import pytest

from tests.billing.late_cases import FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY, a_case, fees, late, paid, total


def hold(first: str, last: str | None = None) -> dict[str, str | None]:
    return {"from": first, "to": last, "kind": "dispute"}


def test_a_hold_keeps_fees_out_of_its_window_and_ends_by_itself() -> None:
    case = a_case(TEN_A_DAY, holds=[hold("2025-03-08", "2025-03-10")])

    assert fees(case, "2025-03-12") == [("2025-03-07", 1_000), ("2025-03-11", 1_000), ("2025-03-12", 1_000)]


def test_days_of_grace_inside_a_hold_are_not_used_up() -> None:
    case = a_case(FLAT, holds=[hold("2025-03-03", "2025-03-10")])

    assert fees(case, "2025-04-01") == [("2025-03-15", 5_000)]


def test_a_month_between_fees_is_longer_by_the_days_of_a_hold_and_goes_on_from_there() -> None:
    case = a_case(TEN_PERCENT_MONTHLY, holds=[hold("2025-03-20", "2025-03-24")])

    assert [on for on, _ in fees(case, "2025-06-01")] == ["2025-03-07", "2025-04-12", "2025-05-12"]


def test_where_hold_days_count_a_fee_waits_for_the_end_of_the_hold() -> None:
    case = a_case(FLAT, hold_days_count=True, holds=[hold("2025-03-06", "2025-03-10")])

    assert fees(case, "2025-04-01") == [("2025-03-11", 5_000)]


def test_a_hold_without_an_end_leaves_nothing_to_come() -> None:
    case = a_case(FLAT, TEN_A_DAY, holds=[hold("2025-03-08")], interest_apr="12")
    found = late(case, "2025-12-31")

    assert found.total_fee_cents == 5_000
    assert found.next_change_on is None
    assert found.interest_cents == 197  # the six days up to the hold


def test_nothing_is_ever_charged_for_what_a_hold_without_an_end_began_before() -> None:
    found = late(a_case(FLAT, holds=[hold("2025-02-01")]), "2026-01-01")

    assert (found.first_fee_on, found.total_fee_cents, found.next_change_on) == (None, 0, None)


@pytest.mark.parametrize(("rent_cents", "interest"), [(1_000, 10), (100_000, 986)])
def test_interest_of_thirty_days_is_rounded_once(rent_cents: int, interest: int) -> None:
    case = a_case(rent_cents=rent_cents, interest_apr="12")

    assert late(case, "2025-03-31").interest_cents == interest


def test_interest_runs_from_the_due_date_or_from_the_first_fee_date() -> None:
    from_first = a_case(interest_apr="12", interest_from="first_fee_date")

    assert late(a_case(interest_apr="12"), "2025-03-07").interest_cents == 197  # 6 days
    assert late(from_first, "2025-03-07").interest_cents == 33  # 1 day
    assert late(a_case(interest_apr="12"), "2025-03-06").interest_cents == 0


def test_who_paid_within_grace_owes_no_interest() -> None:
    case = a_case(interest_apr="12", payments=[paid("2025-03-06", 100_000)])

    assert late(case, "2025-06-01").interest_cents == 0


def test_interest_is_on_what_was_late_on_each_day() -> None:
    case = a_case(interest_apr="10", payments=[paid("2025-03-11", 60_000), paid("2025-03-21", 40_000)])

    # 1,000.00 for the 9 days to the 10th, 400.00 for the 10 days to the 20th
    assert late(case, "2025-06-01").interest_cents == round((100_000 * 9 + 40_000 * 10) * 10 / 36_500)


def test_interest_is_never_on_fees() -> None:
    with_fees = a_case(FLAT, TEN_A_DAY, interest_apr="12")

    assert (
        late(with_fees, "2025-04-30").interest_cents
        == late(a_case(interest_apr="12"), "2025-04-30").interest_cents
    )


def test_interest_may_be_waived_up_to_a_day() -> None:
    case = a_case(interest_apr="12", waivers=[{"on": "2025-03-31", "of": "interest"}])

    assert late(case, "2025-03-31").interest_cents == 0
    assert late(case, "2025-04-30").interest_cents == 1_973 - 986


def test_a_fee_is_asked_about_again_on_the_next_day_that_may_bring_one() -> None:
    assert str(late(a_case(FLAT), "2025-03-02").next_change_on) == "2025-03-07"
    assert late(a_case(FLAT), "2025-03-07").next_change_on is None
    assert str(late(a_case(FLAT, TEN_A_DAY), "2025-03-07").next_change_on) == "2025-03-08"
    assert str(late(a_case(TEN_PERCENT_MONTHLY), "2025-03-07").next_change_on) == "2025-04-07"
    assert (
        str(late(a_case(TEN_PERCENT_MONTHLY, interest_apr="1"), "2025-03-07").next_change_on) == "2025-03-08"
    )
    assert late(a_case(FLAT, payments=[paid("2025-03-01", 100_000)]), "2025-03-02").next_change_on is None


def test_a_hold_moves_the_next_day_to_its_end() -> None:
    case = a_case(TEN_A_DAY, holds=[hold("2025-03-08", "2025-03-19")])

    assert str(late(case, "2025-03-07").next_change_on) == "2025-03-20"
    assert total(case, "2025-03-19") == 1_000
