"""The rules of billing, without any server."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.invoices import (
    Charge,
    LeaseNotInForce,
    LeaseTerms,
    invoice_number,
    monthly_invoice,
)
from services.billing.domain.payments import PaymentRefused, divide
from services.billing.domain.periods import due_date, first_day, following, last_day, period_of

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))
CENTS = st.integers(min_value=0, max_value=10**9)
SOME_ID = UUID(int=1)


def terms(
    *, starts_on: date = date(2026, 1, 1), ends_on: date | None = None, rent: int = 100_000, due_day: int = 1
) -> LeaseTerms:
    return LeaseTerms(
        lease_id=SOME_ID,
        property_id=SOME_ID,
        unit_id=SOME_ID,
        unit_label="1",
        tenant_ids=(SOME_ID,),
        time_zone="America/New_York",
        currency="USD",
        rent_cents=rent,
        charges=(Charge("pet_rent", "Pet rent", 3_500),),
        starts_on=starts_on,
        ends_on=ends_on,
        due_day=due_day,
    )


@pytest.mark.parametrize(
    ("period", "due_day", "expected"),
    [
        ("2024-01", 31, date(2024, 1, 31)),
        ("2024-02", 31, date(2024, 2, 29)),
        ("2024-03", 31, date(2024, 3, 31)),
        ("2024-04", 31, date(2024, 4, 30)),
        ("2024-05", 31, date(2024, 5, 31)),
        ("2025-02", 30, date(2025, 2, 28)),
        ("2025-03", 30, date(2025, 3, 30)),
    ],
)
def test_due_day_is_clamped_to_short_months_and_returns_to_its_anchor(
    period: str, due_day: int, expected: date
) -> None:
    assert due_date(period, due_day) == expected


@given(DATES)
def test_every_day_lies_in_exactly_the_period_named_after_it(day: date) -> None:
    period = period_of(day)

    assert first_day(period) <= day <= last_day(period)
    assert period_of(first_day(period) - timedelta(days=1)) != period
    assert first_day(following(period)) == last_day(period) + timedelta(days=1)


@given(DATES, st.integers(min_value=1, max_value=31))
def test_due_date_lies_in_its_period(day: date, due_day: int) -> None:
    assert period_of(due_date(period_of(day), due_day)) == period_of(day)


def test_an_invoice_is_the_rent_and_every_recurring_charge() -> None:
    draft = monthly_invoice(terms(), "2026-12", date(2026, 12, 1))

    assert [(line.kind, line.amount_cents) for line in draft.lines] == [("rent", 100_000), ("charge", 3_500)]
    assert draft.total_cents == 103_500


@pytest.mark.parametrize(
    ("starts_on", "ends_on"),
    [(date(2027, 1, 1), None), (date(2026, 1, 1), date(2026, 11, 30))],
)
def test_a_lease_without_a_day_in_the_month_is_refused(starts_on: date, ends_on: date | None) -> None:
    with pytest.raises(LeaseNotInForce):
        monthly_invoice(terms(starts_on=starts_on, ends_on=ends_on), "2026-12", date(2026, 12, 1))


@pytest.mark.parametrize(
    ("starts_on", "ends_on"),
    [(date(2026, 12, 31), None), (date(2026, 1, 1), date(2026, 12, 1))],
)
def test_a_lease_with_one_day_in_the_month_is_billed(starts_on: date, ends_on: date | None) -> None:
    draft = monthly_invoice(terms(starts_on=starts_on, ends_on=ends_on), "2026-12", date(2026, 12, 1))

    assert draft.period == "2026-12"


@given(amount=st.integers(min_value=1, max_value=10**9), balance=CENTS)
def test_a_payment_divides_without_losing_or_making_a_cent(amount: int, balance: int) -> None:
    division = divide(amount, balance_cents=balance)

    assert division.applied_cents + division.credit_cents == amount
    assert division.applied_cents + division.balance_cents == balance
    assert min(division.applied_cents, division.credit_cents, division.balance_cents) >= 0


@pytest.mark.parametrize("amount", [0, -1])
def test_a_payment_of_nothing_is_refused(amount: int) -> None:
    with pytest.raises(PaymentRefused):
        divide(amount, balance_cents=100)


def test_invoice_numbers_are_readable_and_sort_by_issue() -> None:
    assert invoice_number(2026, 123) == "INV-2026-000123"
    assert invoice_number(2026, 9) < invoice_number(2026, 10)
