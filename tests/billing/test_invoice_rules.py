"""What one invoice is made of, without any server."""

from datetime import date

import pytest
from hypothesis import strategies as st

from services.billing.domain.invoices import (
    InvoiceRefused,
    LeaseNotInForce,
    draft_invoice,
    due_on,
    invoice_number,
)
from services.billing.domain.leases import Charge, RentChange
from services.billing.domain.periods import month, period_at
from services.billing.domain.policies import BillingPolicy
from tests.billing.terms import amounts, lease_terms, lines_of, rent_terms

CENTS = st.integers(min_value=0, max_value=10**9)
PET_RENT = Charge("pet_rent", "Pet rent", 3_500)
DECEMBER = month("2026-12")


def test_an_invoice_is_the_rent_and_every_recurring_charge() -> None:
    draft = draft_invoice(
        lease_terms(charges=(PET_RENT,)), DECEMBER, BillingPolicy(), issued_on=date(2026, 12, 1)
    )

    assert [(line.kind, line.bucket, line.amount_cents) for line in draft.lines] == [
        ("rent", "rent", 100_000),
        ("pet_rent", "charge", 3_500),
    ]
    assert (draft.total_cents, draft.rent_cents) == (103_500, 100_000)


@pytest.mark.parametrize(
    ("starts_on", "ends_on"),
    [(date(2027, 1, 1), None), (date(2026, 1, 1), date(2026, 11, 30))],
)
def test_a_lease_without_a_day_in_the_month_is_refused(starts_on: date, ends_on: date | None) -> None:
    terms = lease_terms(starts_on=starts_on, ends_on=ends_on)

    with pytest.raises(LeaseNotInForce):
        draft_invoice(terms, DECEMBER, BillingPolicy(), issued_on=date(2026, 12, 1))


@pytest.mark.parametrize(
    ("starts_on", "ends_on"),
    [(date(2026, 12, 31), None), (date(2026, 1, 1), date(2026, 12, 1))],
)
def test_a_lease_with_one_day_in_the_month_pays_for_that_day(starts_on: date, ends_on: date | None) -> None:
    terms = lease_terms(starts_on=starts_on, ends_on=ends_on)

    assert amounts(lines_of(terms, "2026-12")) == [3_226]


def test_what_sums_to_less_than_nothing_is_no_invoice() -> None:
    terms = lease_terms(charges=(Charge("refund", "Refund", -100_001),))

    with pytest.raises(InvoiceRefused, match=r"sum to -0\.01, less than nothing"):
        draft_invoice(terms, DECEMBER, BillingPolicy(), issued_on=date(2026, 12, 1))


def test_a_lease_that_rolls_over_owes_rent_after_its_end_and_another_does_not() -> None:
    fixed = rent_terms(ends_on=date(2026, 11, 15))
    rolls = rent_terms(ends_on=date(2026, 11, 15), rolls_over=True)

    assert [amounts(lines_of(fixed, label)) for label in ("2026-11", "2026-12")] == [[50_000], []]
    assert [amounts(lines_of(rolls, label)) for label in ("2026-11", "2026-12")] == [[100_000], [100_000]]


def test_two_consecutive_leases_of_one_month_pay_one_month_together() -> None:
    before = rent_terms(ends_on=date(2025, 3, 14))
    after = rent_terms(starts_on=date(2025, 3, 15))

    assert amounts(lines_of(before, "2025-03")) + amounts(lines_of(after, "2025-03")) == [45_161, 54_839]


def test_a_free_month_shows_the_rent_and_takes_it_off() -> None:
    lines = lines_of(rent_terms(free_periods=("2026-12",)), "2026-12")

    assert [(line.kind, line.bucket, line.amount_cents) for line in lines] == [
        ("rent", "rent", 100_000),
        ("concession", "rent", -100_000),
    ]


def test_a_free_month_is_free_of_all_its_rent_and_of_nothing_else() -> None:
    terms = rent_terms(
        free_periods=("2025-03",),
        rent_changes=(RentChange(date(2025, 3, 15), 110_000),),
        charges=(PET_RENT,),
    )

    assert amounts(lines_of(terms, "2025-03")) == [45_161, 60_323, -105_484, 3_500]


def test_weeks_that_begin_in_a_free_month_are_free() -> None:
    terms = rent_terms(
        frequency="weekly", starts_on=date(2026, 9, 28), rent_cents=35_000, free_periods=("2026-09",)
    )

    first, second = (period_at("weekly", terms.starts_on, date(2026, 10, day)) for day in (4, 5))

    assert amounts(lines_of(terms, first)) == [35_000, -35_000]
    assert amounts(lines_of(terms, second)) == [35_000]


def test_the_policy_s_due_day_goes_before_the_lease_s() -> None:
    terms = rent_terms(due_day=5)

    assert due_on(terms, month("2025-02"), BillingPolicy()) == date(2025, 2, 5)
    assert due_on(terms, month("2025-02"), BillingPolicy(due_day=31)) == date(2025, 2, 28)


def test_rent_is_never_due_before_the_lease_begins() -> None:
    terms = rent_terms(starts_on=date(2025, 3, 15), due_day=1)

    assert due_on(terms, month("2025-03"), BillingPolicy()) == date(2025, 3, 15)
    assert due_on(terms, month("2025-04"), BillingPolicy()) == date(2025, 4, 1)


def test_a_weekend_or_a_holiday_moves_no_due_date() -> None:
    saturday, new_year = month("2026-08"), month("2027-01")

    assert due_on(rent_terms(), saturday, BillingPolicy()) == date(2026, 8, 1)
    assert due_on(rent_terms(), new_year, BillingPolicy(holidays=(date(2027, 1, 1),))) == date(2027, 1, 1)


@pytest.mark.parametrize(("after_days", "expected"), [(0, date(2026, 9, 14)), (3, date(2026, 9, 17))])
def test_weeks_are_due_when_they_begin_or_so_many_days_later(after_days: int, expected: date) -> None:
    terms = rent_terms(frequency="weekly", starts_on=date(2026, 9, 7), due_day=31)
    week = period_at("weekly", terms.starts_on, date(2026, 9, 15))

    assert due_on(terms, week, BillingPolicy(due_day=20, due_after_days=after_days)) == expected


def test_invoice_numbers_are_readable_and_sort_by_issue() -> None:
    assert invoice_number(2026, 123) == "INV-2026-000123"
    assert invoice_number(2026, 9) < invoice_number(2026, 10)
