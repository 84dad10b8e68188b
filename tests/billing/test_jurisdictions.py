"""The law of a place: what it makes of a policy, and what it refuses."""

from datetime import date
from typing import Any

import pytest

from services.billing.domain.fee_calendar import FeeCalendar
from services.billing.domain.fee_explaining import explain
from services.billing.domain.jurisdictions import UnlawfulPolicy, chosen, read_profile, refuse_unlawful
from services.billing.jurisdictions import profiles
from shared.documents import BadDocument
from tests.billing.late_cases import FLAT, TEN_A_DAY, TEN_PERCENT_MONTHLY, a_case, fees, late, paid, total

DEAR = {"kind": "flat", "amount_cents": 90_000}


def refusal(place: str, *rules: dict[str, Any], allocation: str | None = None, **terms: Any) -> str:
    """What is said to a policy in a place, or nothing."""
    try:
        refuse_unlawful(profiles()[place], a_case(*rules, **terms).terms, allocation=allocation)
    except UnlawfulPolicy as said:
        return str(said)
    return ""


@pytest.mark.parametrize(
    ("place", "first"),
    [
        ("chicago", "2025-03-02"),
        ("connecticut", "2025-03-11"),
        ("maine", "2025-03-17"),
        ("massachusetts", "2025-04-01"),
        ("new_york", "2025-03-07"),
        ("north_carolina", "2025-03-06"),
        ("oregon", "2025-03-05"),
        ("texas", "2025-03-04"),
        ("washington", "2025-03-07"),
    ],
)
def test_no_fee_comes_before_the_first_day_that_the_law_allows(place: str, first: str) -> None:
    eager = a_case(FLAT, grace_days=0, profile=place)
    patient = a_case(FLAT, grace_days=40, profile=place)

    assert str(late(eager, "2025-03-01").first_fee_on) == first
    assert str(late(patient, "2025-03-01").first_fee_on) == "2025-04-11"


@pytest.mark.parametrize(
    ("place", "rent_cents", "most"),
    [
        ("new_york", 200_000, 5_000),
        ("new_york", 80_000, 4_000),
        ("north_carolina", 200_000, 10_000),
        ("north_carolina", 20_000, 1_500),
        ("chicago", 200_000, 8_500),
        ("chicago", 80_000, 2_500),
        ("maine", 200_000, 8_000),
        ("connecticut", 200_000, 5_000),
        ("connecticut", 80_000, 4_000),
        ("texas", 200_000, 20_000),
    ],
)
def test_a_fee_is_clamped_to_what_the_law_allows(place: str, rent_cents: int, most: int) -> None:
    found = late(a_case(DEAR, rent_cents=rent_cents, profile=place), "2025-06-30")

    assert found.total_fee_cents == most
    assert (found.capped_by or "").startswith(f"{place}: ")


def test_texas_allows_more_in_a_building_of_up_to_four_units() -> None:
    assert total(a_case(DEAR, profile="texas", units=4), "2025-06-30") == 12_000
    assert total(a_case(DEAR, profile="texas", units=5), "2025-06-30") == 10_000


def test_an_initial_and_a_daily_fee_are_under_one_cap() -> None:
    assert total(a_case(FLAT, TEN_A_DAY, profile="texas"), "2025-06-30") == 10_000


def test_once_per_late_payment_stays_once_whatever_the_policy_repeats() -> None:
    assert fees(a_case(TEN_PERCENT_MONTHLY, profile="NC", cap=None), "2025-12-31") == [("2025-03-07", 5_000)]
    assert fees(a_case(TEN_A_DAY, FLAT, profile="NC"), "2025-12-31") == [("2025-03-07", 5_000)]
    assert total(a_case({"kind": "daily", "amount_cents": 500}, profile="CT"), "2025-12-31") == 5_000


def test_oregon_counts_from_the_rental_period_and_ends_with_it() -> None:
    from_the_first = a_case(
        TEN_A_DAY,
        due_on="2025-03-03",
        grace_days=0,
        period_starts_on="2025-03-01",
        period_ends_on="2025-03-31",
        profile="oregon",
    )

    assert fees(from_the_first, "2025-03-05") == [("2025-03-05", 1_000)]
    assert total(from_the_first, "2025-06-30") == 27 * 1_000
    assert total(a_case(FLAT, TEN_A_DAY, profile="oregon"), "2025-06-30") == 5_000


def test_a_cap_of_a_law_is_on_fees_and_interest_together() -> None:
    found = late(
        a_case({"kind": "flat", "amount_cents": 4_500}, interest_apr="12", profile="new_york"), "2025-06-30"
    )

    assert (found.total_fee_cents, found.interest_cents) == (4_500, 500)
    assert found.next_change_on is None


def test_interest_too_waits_for_the_first_lawful_day() -> None:
    case = a_case(interest_apr="12", grace_days=0, profile="massachusetts")

    assert late(case, "2025-03-31").interest_cents == 0
    assert late(case, "2025-04-01").interest_cents == 33


def test_a_law_limits_nothing_that_was_due_before_it() -> None:
    case = a_case(DEAR, due_on="2019-06-01", profile="new_york")
    found = late(case, "2019-12-31")

    assert found.total_fee_cents == 90_000
    assert any("was due before" in line for line in explain(case, found, profiles()["new_york"]))


def test_an_unlawful_policy_is_refused_with_the_field_the_amounts_and_the_section() -> None:
    said = refusal("new_york", {"kind": "flat", "amount_cents": 7_500}, grace_days=2)

    assert said == (
        "New York (N.Y. Real Property Law § 238-a(2)) does not allow this policy: grace_days: the first fee would "
        "be on 2025-03-04; none is allowed before 2025-03-07; cap: fees could come to $75.00; at most the lesser "
        "of $50.00 and 5 % of the rent is allowed, here $50.00"
    )


def test_a_lawful_policy_is_not_refused() -> None:
    assert refusal("new_york", FLAT) == ""
    assert refusal("new_york", DEAR, cap={"kind": "money", "amount_cents": 5_000}) == ""
    assert refusal("texas", FLAT, {"kind": "daily", "amount_cents": 500, "max_days": 10}) == ""
    assert refusal("washington", FLAT, allocation="rent_first") == ""


def test_a_policy_that_could_go_on_without_end_is_refused() -> None:
    assert "fees could come without end" in refusal("texas", TEN_A_DAY)
    assert "rules[0]: recurring_monthly may go on" in refusal(
        "north_carolina", TEN_PERCENT_MONTHLY, grace_days=9
    )
    assert "rules[1]: only one fee is allowed" in refusal("north_carolina", FLAT, TEN_A_DAY, grace_days=9)
    assert "ends with the rental period" in refusal("oregon", TEN_A_DAY)


def test_fees_before_rent_are_refused_where_rent_comes_first() -> None:
    assert "allocation: payments must go to rent first" in refusal(
        "washington", FLAT, allocation="oldest_first"
    )


def test_every_profile_says_where_it_is_from_and_since_when() -> None:
    for profile in profiles().values():
        assert all((profile.citation, profile.source, profile.evidence, profile.effective_basis))
        assert profile.effective_on <= date(2025, 1, 1)
        assert profile.first_fee_on(a_case(FLAT).terms, FeeCalendar()) is not None


@pytest.mark.parametrize("name", ["new_york", "New York", "ny", "US-NY", "new-york"])
def test_a_place_is_found_by_what_people_call_it(name: str) -> None:
    assert chosen(profiles(), name) is profiles()["new_york"]


def test_a_profile_that_lacks_its_source_is_no_profile() -> None:
    with pytest.raises(BadDocument, match=r"atlantis\.source: is missing"):
        read_profile("atlantis", {"name": "Atlantis"})


def test_a_profile_is_named_in_the_explanation_with_its_section() -> None:
    case = a_case(DEAR, profile="new_york")
    text = "\n".join(explain(case, late(case, "2025-03-07"), profiles()["new_york"]))

    assert "N.Y. Real Property Law § 238-a(2), since 2019-06-14" in text
    assert "Limited by new_york: the lesser of $50.00 and 5 % of the rent = $50.00" in text


@pytest.mark.parametrize(
    ("terms", "on", "why"),
    [
        ({}, "2025-03-03", "Rule 1 (flat): no fee. It may begin on 2025-03-07."),
        ({"payments": [paid("2025-03-01", 100_000)]}, "2025-04-01", "Paid on the due date or before"),
        (
            {"payments": [paid("2025-03-05", 100_000)]},
            "2025-04-01",
            "Paid in time: what counts was covered on 2025-03-05",
        ),
        (
            {"payments": [paid("2025-03-05", 99_950)], "minimum_balance_cents": 100},
            "2025-04-01",
            "$0.50 is late, less than the least of $1.00",
        ),
        (
            {"holds": [{"from": "2025-03-07", "to": "2025-05-01"}], "hold_days_count": True},
            "2025-04-01",
            "It may begin on 2025-05-02",
        ),
        ({"holds": [{"from": "2025-03-02"}]}, "2025-04-01", "A hold without an end leaves no day"),
        ({"cap": {"kind": "money", "amount_cents": 0}}, "2025-04-01", "The cap left nothing for it."),
        ({"rent_cents": 0}, "2025-04-01", "Nothing was due."),
    ],
)
def test_where_there_is_no_fee_the_explanation_says_why(terms: dict[str, Any], on: str, why: str) -> None:
    case = a_case(FLAT, **terms)

    assert any(why in line for line in explain(case, late(case, on))), explain(case, late(case, on))
