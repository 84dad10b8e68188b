"""The charges beside the rent: each billed once, for its period or on its day."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.charges import ChargeDue, charges_due
from services.billing.domain.invoices import Billed
from services.billing.domain.leases import Charge, ChargeFrequency, Frequency, RentTerms
from services.billing.domain.periods import month, periods_between
from tests.billing.terms import amounts, lines_of, rent_terms

STARTS_ON = date(2024, 1, 1)
FREQUENCIES = st.sampled_from(["monthly", "weekly", "four_weekly"])
CHARGE_FREQUENCIES = st.sampled_from(["quarterly", "annual", "once"])
DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2027, 12, 31))


def with_charge(**changes: Any) -> RentTerms:
    values: dict[str, Any] = {"code": "parking", "description": "Parking", "amount_cents": 6_200}
    return rent_terms(charges=(Charge(**values | changes),))


def due_in(terms: RentTerms, *labels: str) -> list[tuple[date, int]]:
    found = [due for label in labels for due in charges_due(terms, month(label), "actual")]
    return [(due.occurs_on, due.amount_cents) for due in found]


def months_of(*years: int) -> list[str]:
    return [f"{year}-{number:02d}" for year in years for number in range(1, 13)]


def test_a_monthly_charge_that_starts_inside_the_month_is_prorated_and_not_dropped() -> None:
    terms = with_charge(starts_on=date(2025, 3, 17))

    assert due_in(terms, "2025-02") == []
    assert due_in(terms, "2025-03") == [(date(2025, 3, 1), 3_000)]
    assert due_in(terms, "2025-04") == [(date(2025, 4, 1), 6_200)]


def test_a_monthly_charge_ends_with_its_last_day_and_with_the_lease() -> None:
    ends = with_charge(ends_on=date(2025, 3, 10))
    over = rent_terms(ends_on=date(2025, 3, 10), charges=with_charge().charges)

    assert due_in(ends, "2025-03", "2025-04") == [(date(2025, 3, 1), 2_000)]
    assert due_in(over, "2025-03", "2025-04") == [(date(2025, 3, 1), 2_000)]


def test_a_one_time_charge_is_billed_whole_in_the_period_of_its_day_alone() -> None:
    terms = with_charge(frequency="once", starts_on=date(2025, 3, 31))

    assert due_in(terms, *months_of(2024, 2025, 2026)) == [(date(2025, 3, 31), 6_200)]


@pytest.mark.parametrize("day", [date(2024, 11, 20), date(2025, 1, 14), date(2025, 6, 11)])
def test_a_one_time_charge_of_outside_the_lease_is_never_billed(day: date) -> None:
    charge = Charge("application", "Application fee", 5_000, "once", day)
    terms = rent_terms(starts_on=date(2025, 1, 15), ends_on=date(2025, 6, 10), charges=(charge,))

    assert due_in(terms, *months_of(2024, 2025)) == []


def test_a_quarterly_charge_that_counts_from_before_the_lease_is_billed_from_its_start_on() -> None:
    charge = Charge("pest", "Pest control", 5_000, "quarterly", date(2024, 10, 5))
    terms = rent_terms(starts_on=date(2025, 1, 15), ends_on=date(2025, 7, 4), charges=(charge,))

    assert due_in(terms, *months_of(2024, 2025)) == [(date(2025, 4, 5), 5_000)]


def test_a_quarterly_charge_of_the_31st_is_clamped_and_returns_to_its_day() -> None:
    terms = with_charge(frequency="quarterly", starts_on=date(2024, 8, 31))

    days = [day for day, _ in due_in(terms, *months_of(2024, 2025))]

    assert days == [
        date(2024, 8, 31),
        date(2024, 11, 30),
        date(2025, 2, 28),
        date(2025, 5, 31),
        date(2025, 8, 31),
        date(2025, 11, 30),
    ]


def test_an_annual_charge_of_february_29_is_billed_each_year() -> None:
    terms = with_charge(frequency="annual", starts_on=date(2024, 2, 29))

    days = [day for day, _ in due_in(terms, *months_of(2024, 2025, 2026, 2027, 2028))]

    assert days == [date(2024, 2, 29), *(date(year, 2, 28) for year in (2025, 2026, 2027)), date(2028, 2, 29)]


def test_a_recurring_charge_without_a_start_counts_from_the_lease_s_first_day() -> None:
    assert due_in(with_charge(frequency="annual"), *months_of(2024, 2025)) == [
        (STARTS_ON, 6_200),
        (date(2025, 1, 1), 6_200),
    ]


def test_nothing_recurring_is_owed_on_a_day_after_the_lease_or_the_charge_has_ended() -> None:
    over = rent_terms(
        ends_on=date(2025, 3, 20),
        charges=(Charge("insurance", "Insurance", 9_000, "annual", date(2024, 3, 25)),),
    )
    ended = with_charge(frequency="quarterly", starts_on=date(2024, 1, 15), ends_on=date(2024, 7, 14))

    assert due_in(over, *months_of(2024, 2025)) == [(date(2024, 3, 25), 9_000)]
    assert [day for day, _ in due_in(ended, *months_of(2024))] == [date(2024, 1, 15), date(2024, 4, 15)]


@given(frequency=FREQUENCIES, charge_frequency=CHARGE_FREQUENCIES, starts_on=DAYS, days=st.integers(0, 1500))
def test_every_occurrence_is_billed_in_exactly_one_period(
    frequency: Frequency, charge_frequency: ChargeFrequency, starts_on: date, days: int
) -> None:
    charge = Charge("key", "Key", 500, charge_frequency, starts_on)
    terms = rent_terms(frequency=frequency, charges=(charge,))
    last = starts_on + timedelta(days=days)

    found = [
        due
        for period in periods_between(frequency, STARTS_ON, STARTS_ON, last)
        for due in charges_due(terms, period, "actual")
    ]

    assert len({due.key for due in found}) == len(found)
    expected = {
        "once": 1,
        "quarterly": _months(starts_on, last) // 3 + 1,
        "annual": _months(starts_on, last) // 12 + 1,
    }
    assert len([due for due in found if due.occurs_on <= last]) == expected[charge_frequency]


def _months(first: date, last: date) -> int:
    """Whole months of the calendar between two days, the end of a short month counting as its 31st."""
    whole = (last.year - first.year) * 12 + last.month - first.month
    is_last = (last + timedelta(days=1)).month != last.month
    return whole if last.day >= first.day or is_last else whole - 1


def test_a_monthly_charge_of_a_weekly_lease_is_billed_whole_in_the_week_of_its_day() -> None:
    charge = Charge("parking", "Parking", 6_200, "monthly", date(2026, 1, 31))
    terms = rent_terms(frequency="weekly", starts_on=date(2026, 1, 5), charges=(charge,))
    weeks = periods_between("weekly", terms.starts_on, date(2026, 1, 5), date(2026, 4, 5))

    found: list[ChargeDue] = [due for week in weeks for due in charges_due(terms, week, "actual")]

    assert [(due.occurs_on, due.amount_cents) for due in found] == [
        (date(2026, 1, 31), 6_200),
        (date(2026, 2, 28), 6_200),
        (date(2026, 3, 31), 6_200),
    ]


def test_a_charge_that_missed_its_invoice_comes_on_the_next_and_is_named_by_its_month() -> None:
    terms = with_charge(frequency="once", starts_on=date(2025, 3, 20))
    billed = Billed(periods=(month("2025-02"), month("2025-03")))

    assert [line.description for line in lines_of(terms, "2025-04", billed=billed)] == [
        "Rent 2025-04",
        "Parking (2025-03)",
    ]


@pytest.mark.parametrize("frequency", ["monthly", "quarterly", "annual", "once"])
def test_what_is_billed_is_not_billed_again(frequency: ChargeFrequency) -> None:
    terms = with_charge(frequency=frequency, starts_on=date(2025, 3, 1))
    key = ("parking", date(2025, 3, 1))

    again = lines_of(terms, "2025-03", billed=Billed({key}, (month("2025-03"),)))

    assert [line.kind for line in again] == ["rent"]


def test_a_month_that_has_no_invoice_keeps_its_charges_for_its_own() -> None:
    terms = with_charge(frequency="once", starts_on=date(2025, 3, 20))

    next_one = lines_of(terms, "2025-04", billed=Billed(periods=(month("2025-02"),)))
    late = lines_of(terms, "2025-03", billed=Billed(periods=(month("2025-02"), month("2025-04"))))

    assert [line.kind for line in next_one] == ["rent"]
    assert [line.kind for line in late] == ["rent", "parking"]


def test_one_charge_that_changes_in_mid_month_is_two_parts_of_it() -> None:
    charges = (
        Charge("pet_rent", "Pet rent", 3_100, ends_on=date(2025, 5, 15)),
        Charge("pet_rent", "Pet rent", 6_200, starts_on=date(2025, 5, 16)),
    )

    assert amounts(lines_of(rent_terms(charges=charges), "2025-05")) == [100_000, 1_500, 3_200]
