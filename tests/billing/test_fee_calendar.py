"""Which days count towards a late fee."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.fee_calendar import FeeCalendar, Grace, GraceConvention, Hold

MARCH = date(2025, 3, 1)
DAYS = st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 12, 31))


@pytest.mark.parametrize(
    ("days", "convention", "first"),
    [
        (5, "full_days", date(2025, 3, 7)),
        (5, "nth_day", date(2025, 3, 6)),
        (3, "full_days", date(2025, 3, 5)),
        (0, "full_days", date(2025, 3, 2)),
        (1, "nth_day", date(2025, 3, 2)),
        (0, "nth_day", date(2025, 3, 2)),
    ],
)
def test_the_first_fee_date_follows_the_convention_that_was_agreed(
    days: int, convention: GraceConvention, first: date
) -> None:
    assert FeeCalendar().first_fee_on(MARCH, Grace(days=days, convention=convention)) == first


def test_five_business_days_over_a_holiday_end_on_the_ninth() -> None:
    calendar = FeeCalendar(holidays=frozenset({date(2025, 7, 4)}))
    due = date(2025, 7, 1)

    assert calendar.after(due, 5, business=True) == date(2025, 7, 9)
    assert calendar.first_fee_on(due, Grace(days=5, business_days=True)) == date(2025, 7, 10)
    nth = Grace(days=5, business_days=True, convention="nth_day")
    assert calendar.first_fee_on(due, nth) == date(2025, 7, 9)


def test_days_inside_a_hold_do_not_count_afterwards() -> None:
    calendar = FeeCalendar([Hold(from_on=date(2025, 3, 3), to_on=date(2025, 3, 10))])

    assert calendar.first_fee_on(MARCH, Grace(days=5)) == date(2025, 3, 15)


def test_days_inside_a_hold_count_where_that_was_agreed_but_no_fee_falls_inside() -> None:
    hold = Hold(from_on=date(2025, 3, 3), to_on=date(2025, 3, 10))
    short = Hold(from_on=date(2025, 3, 3), to_on=date(2025, 3, 4))

    assert FeeCalendar([hold], hold_days_count=True).first_fee_on(MARCH, Grace(days=5)) == date(2025, 3, 11)
    assert FeeCalendar([short], hold_days_count=True).first_fee_on(MARCH, Grace(days=5)) == date(2025, 3, 7)


def test_a_hold_without_an_end_leaves_no_first_fee_date() -> None:
    calendar = FeeCalendar([Hold(from_on=date(2025, 3, 3))])

    assert calendar.first_fee_on(MARCH, Grace(days=5)) is None
    assert calendar.first_fee_on(MARCH, Grace(days=0)) == date(2025, 3, 2)


def test_holds_that_touch_or_overlap_are_one_window() -> None:
    holds = [
        Hold(from_on=date(2025, 3, 5), to_on=date(2025, 3, 8)),
        Hold(from_on=date(2025, 3, 7), to_on=date(2025, 3, 9)),
        Hold(from_on=date(2025, 3, 10), to_on=date(2025, 3, 10)),
    ]

    assert FeeCalendar(holds).released(date(2025, 3, 6)) == date(2025, 3, 11)


@given(DAYS, st.integers(0, 60), st.lists(st.tuples(DAYS, st.integers(0, 20)), max_size=4), st.booleans())
def test_counting_never_ends_inside_a_hold_nor_before_its_days(
    start: date, days: int, windows: list[tuple[date, int]], count: bool
) -> None:
    holds = [Hold(from_on=first, to_on=first + timedelta(days=more)) for first, more in windows]
    calendar = FeeCalendar(holds, hold_days_count=count)

    found = calendar.after(start, days)

    assert found is not None
    assert not calendar.held(found)
    assert (found - start).days >= days
