"""What the schedule bills, day by day: every day of a lease once, whatever its rhythm and its lead."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.due_periods import (
    LONGEST_LEAD_DAYS,
    Tenure,
    periods_due,
    periods_of_month,
    standing,
)
from services.billing.domain.leases import Frequency
from services.billing.domain.periods import BillingPeriod, month, period_of

STARTS = st.dates(min_value=date(2023, 6, 1), max_value=date(2025, 6, 30))
FREQUENCIES = st.sampled_from(["monthly", "weekly", "four_weekly"])
LEADS = st.integers(min_value=0, max_value=62)


def billed_by(
    tenure: Tenure, first_run: date, last_run: date, lead_days: int, every: int
) -> list[BillingPeriod]:
    """What runs of the schedule issue that are so many days apart."""
    issued: list[BillingPeriod] = []
    today = first_run
    while today <= last_run:
        days = [(period.starts_on, period.ends_on) for period in issued]
        issued += [item for item in periods_due(tenure, today, lead_days) if standing(item, days) == "free"]
        today += timedelta(days=every)
    return issued


@given(
    frequency=FREQUENCIES,
    starts_on=STARTS,
    days=st.integers(min_value=1, max_value=400),
    lead_days=LEADS,
    every=st.integers(min_value=1, max_value=6),
)
def test_runs_of_the_schedule_bill_every_day_of_a_lease_exactly_once(
    frequency: Frequency, starts_on: date, days: int, lead_days: int, every: int
) -> None:
    last_on = starts_on + timedelta(days=days - 1)
    tenure = Tenure(frequency, starts_on, last_on)

    issued = billed_by(tenure, starts_on, last_on + timedelta(days=every), lead_days, every)

    covered = sorted(item.starts_on + timedelta(days=n) for item in issued for n in range(item.days))
    assert len(covered) == len(set(covered))
    assert {starts_on + timedelta(days=n) for n in range(days)} <= set(covered)
    assert all(tenure.covers(item) for item in issued)


@given(frequency=FREQUENCIES, starts_on=STARTS, today=STARTS, lead_days=LEADS)
def test_nothing_is_billed_before_its_lead_or_of_months_that_are_over(
    frequency: Frequency, starts_on: date, today: date, lead_days: int
) -> None:
    found = periods_due(Tenure(frequency, starts_on, None), today, lead_days)

    assert all(item.starts_on <= today + timedelta(days=lead_days) for item in found)
    assert all(item.ends_on >= today.replace(day=1) for item in found)


@given(frequency=FREQUENCIES, starts_on=STARTS, months=st.integers(min_value=1, max_value=14))
def test_months_by_name_bill_each_period_in_one_month_alone(
    frequency: Frequency, starts_on: date, months: int
) -> None:
    tenure = Tenure(frequency, starts_on, None)
    labels = sorted({period_of(starts_on + timedelta(days=28 * n)) for n in range(months)})

    found = [item for label in labels for item in periods_of_month(tenure, label)]

    assert len({item.starts_on for item in found}) == len(found)
    assert all(one.ends_on < other.starts_on for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("issued", "expected"),
    [
        ([], "free"),
        ([(date(2026, 12, 1), date(2026, 12, 31))], "billed"),
        ([(date(2026, 12, 31), date(2027, 1, 6))], "overlapped"),
        ([(date(2026, 11, 25), date(2026, 12, 1))], "overlapped"),
        ([(date(2026, 11, 24), date(2026, 11, 30)), (date(2027, 1, 1), date(2027, 1, 7))], "free"),
    ],
)
def test_a_period_is_billed_overlapped_or_free(issued: list[tuple[date, date]], expected: str) -> None:
    assert standing(month("2026-12"), issued) == expected


@given(FREQUENCIES, STARTS, st.integers(min_value=63, max_value=10_000))
def test_nothing_is_billed_further_ahead_than_the_longest_lead(
    frequency: Frequency, starts_on: date, lead_days: int
) -> None:
    tenure = Tenure(frequency, starts_on, None)

    assert periods_due(tenure, starts_on, lead_days) == periods_due(tenure, starts_on, LONGEST_LEAD_DAYS)
