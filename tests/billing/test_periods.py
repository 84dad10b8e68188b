"""Billing periods tile time, and every date returns to its anchor."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.leases import Frequency
from services.billing.domain.periods import (
    due_date,
    first_day,
    following,
    following_period,
    last_day,
    month,
    months_after,
    months_between,
    period_at,
    period_of,
    periods_between,
)

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))
FREQUENCIES = st.sampled_from(["monthly", "weekly", "four_weekly"])
DUE_DAYS = st.integers(min_value=1, max_value=31)


@pytest.mark.parametrize(
    ("period", "due_day", "expected"),
    [
        ("2024-01", 31, date(2024, 1, 31)),
        ("2024-02", 31, date(2024, 2, 29)),
        ("2024-03", 31, date(2024, 3, 31)),
        ("2024-04", 31, date(2024, 4, 30)),
        ("2024-05", 31, date(2024, 5, 31)),
        ("2024-02", 30, date(2024, 2, 29)),
        ("2025-02", 30, date(2025, 2, 28)),
        ("2025-03", 30, date(2025, 3, 30)),
        ("2025-02", 29, date(2025, 2, 28)),
    ],
)
def test_due_day_is_clamped_to_short_months_and_returns_to_its_anchor(
    period: str, due_day: int, expected: date
) -> None:
    assert due_date(period, due_day) == expected


def test_a_year_after_february_29_is_the_28th_and_four_years_after_the_29th_again() -> None:
    yearly = [months_after(date(2024, 2, 29), 12 * years) for years in range(1, 5)]

    assert yearly == [date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29)]


@given(anchor=DATES, months=st.integers(min_value=0, max_value=1200))
def test_months_later_is_the_anchor_day_or_the_last_of_a_shorter_month(anchor: date, months: int) -> None:
    day = months_after(anchor, months)

    assert months_between(anchor, day) == months
    assert day.day == min(anchor.day, last_day(period_of(day)).day)


@given(frequency=FREQUENCIES, anchor=DATES, day=DATES)
def test_every_day_lies_in_exactly_one_period(frequency: Frequency, anchor: date, day: date) -> None:
    period = period_at(frequency, anchor, day)

    assert period.holds(day)
    assert period_at(frequency, anchor, period.starts_on) == period
    assert period_at(frequency, anchor, period.ends_on) == period
    assert period_at(frequency, anchor, period.ends_on + timedelta(days=1)) == following_period(period)
    assert not period.holds(following_period(period).starts_on)


@given(frequency=FREQUENCIES, anchor=DATES, first=DATES, days=st.integers(min_value=0, max_value=800))
def test_consecutive_periods_cover_each_day_once(
    frequency: Frequency, anchor: date, first: date, days: int
) -> None:
    last = first + timedelta(days=days)

    periods = periods_between(frequency, anchor, first, last)

    covered = [period.starts_on + timedelta(days=n) for period in periods for n in range(period.days)]
    assert covered == [periods[0].starts_on + timedelta(days=n) for n in range(len(covered))]
    assert covered[0] <= first
    assert last <= covered[-1]
    assert periods[-1].starts_on <= last


@given(anchor=DATES, year=st.integers(min_value=1991, max_value=2099))
def test_a_year_begins_52_or_53_weekly_periods_and_13_or_14_four_weekly_ones(anchor: date, year: int) -> None:
    first, last = date(year, 1, 1), date(year, 12, 31)

    weekly = [p for p in periods_between("weekly", anchor, first, last) if p.starts_on.year == year]
    four_weekly = [p for p in periods_between("four_weekly", anchor, first, last) if p.starts_on.year == year]

    assert len(weekly) in {52, 53}
    assert len(four_weekly) in {13, 14}


def test_a_53_week_year_bills_its_53rd_week() -> None:
    weeks = periods_between("weekly", date(2026, 1, 1), date(2026, 1, 1), date(2026, 12, 31))

    assert len(weeks) == 53
    assert (weeks[-1].starts_on, weeks[-1].ends_on) == (date(2026, 12, 31), date(2027, 1, 6))


def test_weeks_are_anchored_at_the_lease_s_first_day_across_february_and_year_end() -> None:
    first = period_at("four_weekly", date(2024, 1, 31), date(2024, 1, 31))
    second = following_period(first)

    assert (first.starts_on, first.ends_on, first.label) == (date(2024, 1, 31), date(2024, 2, 27), "2024-01")
    assert (second.starts_on, second.ends_on, second.label) == (
        date(2024, 2, 28),
        date(2024, 3, 26),
        "2024-02",
    )


def test_a_period_is_labelled_by_the_month_it_begins_in() -> None:
    period = period_at("weekly", date(2026, 9, 28), date(2026, 10, 2))

    assert (period.label, period.text) == ("2026-09", "2026-09-28 to 2026-10-04")


@given(DATES)
def test_every_day_lies_in_the_month_named_after_it(day: date) -> None:
    period = period_of(day)

    assert first_day(period) <= day <= last_day(period)
    assert first_day(following(period)) == last_day(period) + timedelta(days=1)
    assert month(period).days == last_day(period).day


@given(DATES, DUE_DAYS)
def test_due_date_lies_in_its_period(day: date, due_day: int) -> None:
    assert period_of(due_date(period_of(day), due_day)) == period_of(day)
