"""What a part of a period costs, to the cent."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.leases import RentChange
from services.billing.domain.periods import last_day, month, period_at, period_of
from services.billing.domain.proration import PRORATIONS, Piece, Proration, prorate, round_half_up, split
from tests.billing.terms import amounts, lines_of, rent_terms

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31))
CENTS = st.integers(min_value=0, max_value=10**8)
METHODS = st.sampled_from(PRORATIONS)


@pytest.mark.parametrize(
    ("starts_on", "rent", "method", "expected"),
    [
        (date(2025, 3, 15), 180_000, "actual", 98_710),
        (date(2025, 3, 15), 180_000, "year365", 100_603),
        (date(2025, 3, 15), 180_000, "thirty", 96_000),
        (date(2024, 2, 15), 180_000, "actual", 93_103),
        (date(2025, 2, 15), 180_000, "actual", 90_000),
        (date(2025, 2, 15), 180_000, "thirty", 96_000),
        (date(2026, 8, 20), 100_000, "actual", 38_710),
    ],
)
def test_a_first_month_is_prorated_by_the_method_and_rounded_once(
    starts_on: date, rent: int, method: Proration, expected: int
) -> None:
    terms = rent_terms(starts_on=starts_on, rent_cents=rent)

    assert amounts(lines_of(terms, period_of(starts_on), method)) == [expected]


def test_start_and_end_in_one_month_count_both_days() -> None:
    terms = rent_terms(starts_on=date(2025, 3, 10), ends_on=date(2025, 3, 20))

    [line] = lines_of(terms, "2025-03")

    assert line.amount_cents == 35_484
    assert line.formula == "1,000.00 x 11/31 (actual days of the month) = 354.84"


@pytest.mark.parametrize(
    ("method", "formula"),
    [
        ("actual", "1,800.00 x 17/31 (actual days of the month) = 987.10"),
        ("thirty", "1,800.00 x 16/30 (30-day month, the 31st not counted) = 960.00"),
        ("year365", "1,800.00 x 12/365 x 17 (365-day year) = 1,006.03"),
    ],
)
def test_the_method_and_its_numbers_are_on_the_line(method: Proration, formula: str) -> None:
    terms = rent_terms(starts_on=date(2025, 3, 15), rent_cents=180_000)

    assert lines_of(terms, "2025-03", method)[0].formula == formula


@given(day=DATES, rent=CENTS, method=METHODS)
def test_from_the_first_to_the_last_day_is_exactly_the_rent(day: date, rent: int, method: Proration) -> None:
    first, last = day.replace(day=1), last_day(period_of(day))
    begins = rent_terms(starts_on=first, rent_cents=rent)
    ends = rent_terms(starts_on=date(1989, 1, 1), ends_on=last, rent_cents=rent)

    assert amounts(lines_of(begins, period_of(day), method)) == [rent]
    assert amounts(lines_of(ends, period_of(day), method)) == [rent]


def test_a_rent_change_in_mid_month_makes_two_lines_that_sum_to_the_rounded_whole() -> None:
    terms = rent_terms(rent_changes=(RentChange(date(2025, 3, 15), 110_000),))

    lines = lines_of(terms, "2025-03")

    assert amounts(lines) == [45_161, 60_323]
    assert [line.description for line in lines] == [
        "Rent 2025-03-01 to 2025-03-14",
        "Rent 2025-03-15 to 2025-03-31",
    ]


def test_a_rent_change_counts_from_its_day_also_where_that_is_the_first_or_last_of_the_month() -> None:
    terms = rent_terms(
        rent_changes=(RentChange(date(2025, 5, 31), 130_000), RentChange(date(2025, 4, 1), 110_000))
    )

    assert amounts(lines_of(terms, "2025-03")) == [100_000]
    assert amounts(lines_of(terms, "2025-04")) == [110_000]
    assert amounts(lines_of(terms, "2025-05")) == [106_452, 4_193]
    assert amounts(lines_of(terms, "2025-06")) == [130_000]


def test_a_change_on_the_day_the_lease_starts_is_its_rent() -> None:
    terms = rent_terms(
        starts_on=date(2025, 3, 15),
        rent_cents=180_000,
        rent_changes=(RentChange(date(2025, 3, 15), 190_000),),
    )

    assert amounts(lines_of(terms, "2025-03")) == [104_194]


@given(day=DATES, rent=CENTS, method=METHODS)
def test_a_change_to_the_same_rent_changes_nothing(day: date, rent: int, method: Proration) -> None:
    plain = rent_terms(starts_on=date(1990, 1, 1), rent_cents=rent)
    changed = rent_terms(starts_on=date(1990, 1, 1), rent_cents=rent, rent_changes=(RentChange(day, rent),))

    assert lines_of(changed, period_of(day), method) == lines_of(plain, period_of(day), method)


@given(day=DATES, rent=CENTS, method=METHODS)
def test_dividing_a_whole_month_in_two_never_changes_what_it_costs(
    day: date, rent: int, method: Proration
) -> None:
    period = month(period_of(day))
    pieces = [Piece(period.starts_on, day - timedelta(days=1), rent), Piece(day, period.ends_on, rent)]

    shares = prorate(period, [piece for piece in pieces if piece.days], method)

    assert sum(share.amount_cents for share in shares) == rent


def test_the_odd_cent_is_on_the_largest_remainder_and_of_equal_ones_on_the_earliest() -> None:
    assert split([Fraction(100_000, 3)] * 3) == [33_334, 33_333, 33_333]
    assert split([Fraction(1_400_000, 31), Fraction(1_870_000, 31)]) == [45_161, 60_323]
    assert split([Fraction(1, 2), Fraction(1, 2)]) == [1, 0]


@given(st.lists(st.fractions(min_value=0, max_value=10**9), max_size=6))
def test_pieces_sum_to_the_rounded_whole_and_each_is_within_a_cent(exact: Sequence[Fraction]) -> None:
    cents = split(exact)

    assert sum(cents) == round_half_up(sum(exact, Fraction()))
    assert all(abs(amount - part) < 1 for amount, part in zip(cents, exact, strict=True))


def test_half_a_cent_is_rounded_up() -> None:
    assert round_half_up(Fraction(5, 2)) == 3
    assert round_half_up(Fraction(249, 100)) == 2


def test_in_thirty_days_the_31st_costs_nothing_and_the_end_of_february_stands_for_its_missing_days() -> None:
    march_31 = rent_terms(starts_on=date(2025, 3, 31))
    february_28 = rent_terms(starts_on=date(2025, 2, 28))

    assert amounts(lines_of(march_31, "2025-03", "thirty")) == [0]
    assert amounts(lines_of(february_28, "2025-02", "thirty")) == [10_000]


@given(anchor=DATES, first=st.integers(0, 27), last=st.integers(0, 27), method=METHODS)
def test_weeks_are_shared_by_their_own_days_whatever_the_method(
    anchor: date, first: int, last: int, method: Proration
) -> None:
    period = period_at("four_weekly", anchor, anchor)
    first, last = sorted((first, last))
    piece = Piece(anchor + timedelta(days=first), anchor + timedelta(days=last), 28_000)

    [share] = prorate(period, [piece], method)

    assert share.amount_cents == 1_000 * piece.days


def test_a_weekly_lease_that_ends_in_mid_week_pays_for_its_days() -> None:
    terms = rent_terms(
        frequency="weekly", starts_on=date(2026, 9, 7), ends_on=date(2026, 9, 16), rent_cents=35_000
    )

    full, part = (
        lines_of(terms, period_at("weekly", terms.starts_on, day))
        for day in (date(2026, 9, 7), date(2026, 9, 14))
    )

    assert (full[0].amount_cents, full[0].formula) == (35_000, "350.00 for the full 7 days")
    assert part[0].amount_cents == 15_000
    assert part[0].formula == "350.00 x 3/7 (actual days of the period) = 150.00"


@given(
    day=DATES,
    rent=CENTS,
    changes=st.dictionaries(st.integers(min_value=1, max_value=31), CENTS, max_size=5),
)
def test_however_often_the_rent_changes_the_lines_sum_to_the_rounded_whole(
    day: date, rent: int, changes: dict[int, int]
) -> None:
    period = month(period_of(day))
    dated = {period.starts_on.replace(day=n): cents for n, cents in changes.items() if n <= period.days}
    terms = rent_terms(
        starts_on=date(1980, 1, 1),
        rent_cents=rent,
        rent_changes=tuple(RentChange(on, cents) for on, cents in dated.items()),
    )

    exact = sum(
        Fraction(terms.rent_on(period.starts_on + timedelta(days=n)), period.days) for n in range(period.days)
    )

    assert sum(amounts(lines_of(terms, period))) == round_half_up(Fraction(exact))
